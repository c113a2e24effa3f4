package auth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"fluent-bit-defender/internal/secret"
)

// Store keeps the tokens that Entra rotated. A value is found again under the
// key it was saved under, and under no other.
type Store interface {
	// LoadToken returns the value last saved under key; found is false when there is none.
	LoadToken(key string) (value []byte, found bool, err error)
	// SaveToken replaces the value under key; it is durable when SaveToken returns nil.
	SaveToken(key string, value []byte) error
}

// Account is one tenant's sign-in.
type Account struct {
	Name         string      // display name, for messages; "" means the tenant's id
	LoginURL     string      // service root, such as https://login.microsoftonline.com
	TenantID     string      // GUID or domain
	ClientID     string      // the app's id
	Cloud        string      // host[:port] of LoginURL, by which stored tokens are keyed; "" means: taken from LoginURL
	ClientSecret secret.Text // absent for a public client
	RefreshToken secret.Text // seed of the tenant's lineage; absent: client credentials
}

// Options are a Source's surroundings.
type Options struct {
	HTTP   *http.Client     // nil: a client of net/http's default transport. Its redirect policy and cookies are not used
	Store  Store            // nil: rotated tokens are kept for the Source's life only
	Now    func() time.Time // nil: time.Now. Only differences count; readings should carry Go's monotonic clock
	Notice func(string)     // takes remarks that are no failure, one line each, on a goroutine of the Source; nil: dropped
}

// ErrClosed is the cause of every Diagnosis that a closed Source returns.
var ErrClosed = errors.New("the token source is closed")

// Source hands out one tenant's access tokens. It is safe for concurrent use.
type Source struct {
	http   *http.Client
	store  Store
	now    func() time.Time
	notice func(string)
	base   context.Context // of every request; ends with Close
	end    context.CancelCauseFunc

	mu         sync.Mutex // never held over I/O
	account    Account
	generation int                 // counts the account's credentials
	directory  string              // GUID of the account's tenant, "" while it is not known
	cache      map[string]cached   // by scope
	failures   map[string]failure  // by scope
	flight     *flight             // the one request in flight, nil for none
	told       map[string]struct{} // what notice has heard
	closed     bool
}

// cached is an access token. Its age is elapsed time here (Go's monotonic
// clock), set against the lifetime that Entra stated: what the host believes
// the time of day to be plays no part. A host that slept has aged too little;
// then the API's 401 and Reject put it right.
type cached struct {
	token *oauth2.Token
	since time.Time // just before it was asked for
	keep  time.Duration
}

// failure is a Diagnosis that asking again would only repeat.
type failure struct {
	diagnosis *Diagnosis
	since     time.Time
}

// NewSource returns the Source of a. It asks nothing yet. Close it.
func NewSource(a Account, o Options) *Source {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Store == nil {
		o.Store = &memory{values: map[string][]byte{}}
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	s := &Source{http: withoutRedirects(o.HTTP), store: o.Store, now: o.Now, notice: o.Notice, told: map[string]struct{}{}}
	s.base, s.end = context.WithCancelCause(context.Background())
	s.adopt(a)
	return s
}

// Token returns a valid access token for scope, such as
// "https://graph.microsoft.com/.default", from the cache or from Entra. The
// refresh token is not part of it. Every error is a *Diagnosis; when ctx ends
// first, its cause is ctx's, and the request goes on for the others.
//
// A Diagnosis that only new configuration can cure is returned again, without
// asking Entra, until Configure changes the account; one that says when to come
// back is returned until then.
func (s *Source) Token(ctx context.Context, scope string) (*oauth2.Token, error) {
	for {
		token, failed, f := s.look(ctx, scope)
		switch {
		case token != nil:
			return token, nil
		case failed != nil:
			return nil, failed
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			continue // look says so
		}
		if f.scope != scope || f.generation != s.current() {
			continue // it was for another scope, or with a credential that is no longer ours
		}
		if f.failure != nil {
			return nil, f.failure
		}
		return clone(f.token), nil
	}
}

// look returns a cached token, or a failure, or the flight to wait for; it
// starts one when there is none.
func (s *Source) look(ctx context.Context, scope string) (*oauth2.Token, *Diagnosis, *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, closed(s.account, what(s.account, scope)), nil
	}
	if ctx.Err() != nil {
		return nil, cancelled(s.account, what(s.account, scope), ctx.Err()), nil
	}
	if c, ok := s.cache[scope]; ok {
		if age := s.now().Sub(c.since); age >= 0 && age < c.keep {
			return clone(c.token), nil, nil
		}
		delete(s.cache, scope)
	}
	if d := s.remembered(scope); d != nil {
		return nil, d, nil
	}
	if s.flight == nil {
		s.flight = &flight{scope: scope, account: s.account, generation: s.generation, directory: s.directory, done: make(chan struct{})}
		go s.fly(s.flight)
	}
	return nil, nil, s.flight
}

// remembered returns the failure that still holds for scope, with what is left
// of its wait.
func (s *Source) remembered(scope string) *Diagnosis {
	f, ok := s.failures[scope]
	if !ok || f.diagnosis.Retry == Never {
		return f.diagnosis
	}
	age := s.now().Sub(f.since)
	if age < 0 || age >= f.diagnosis.RetryAfter {
		delete(s.failures, scope)
		return nil
	}
	d := *f.diagnosis
	d.RetryAfter -= age
	return &d
}

// clone keeps callers from sharing a token.
func clone(t *oauth2.Token) *oauth2.Token {
	c := *t
	return &c
}

// Reject drops accessToken from the cache, if it is still the one handed out
// for scope: the API answered 401 to it.
func (s *Source) Reject(scope, accessToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.cache[scope]; ok && c.token.AccessToken == accessToken {
		delete(s.cache, scope)
	}
}

// Configure replaces the account. When more than its Name differs, cached
// tokens and remembered failures are dropped; what is in flight ends, its
// refresh token is kept, and its access token is not used.
func (s *Source) Configure(a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.account
	old.Name = a.Name
	if a == old {
		s.account = a
		return
	}
	s.adopt(a)
}

func (s *Source) adopt(a Account) {
	s.account = a
	s.generation++
	s.directory = ownDirectory(a)
	s.cache, s.failures = map[string]cached{}, map[string]failure{}
}

func (s *Source) current() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// tell passes a remark on, once for each kind.
func (s *Source) tell(kind, remark string) {
	s.mu.Lock()
	_, known := s.told[kind]
	s.told[kind] = struct{}{}
	s.mu.Unlock()
	if !known {
		s.notice(remark)
	}
}

// Close aborts the request in flight and returns when it has ended; afterwards
// Token fails with ErrClosed.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	f := s.flight
	s.mu.Unlock()
	s.end(ErrClosed)
	if f != nil {
		<-f.done
	}
}

// memory is a Store that forgets with the process, for tools that must leave
// the service's own state alone. Only the flight uses it, one at a time.
type memory struct{ values map[string][]byte }

func (m *memory) LoadToken(key string) ([]byte, bool, error) {
	value, found := m.values[key]
	return value, found, nil
}

func (m *memory) SaveToken(key string, value []byte) error {
	m.values[key] = value
	return nil
}
