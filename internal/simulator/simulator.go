package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the settings of a Simulator. The zero value is Microsoft's
// documented behaviour on the host's clock.
type Options struct {
	// Now is the passing of time; nil means time.Now. SetClock moves what the
	// simulator calls "now" away from it.
	Now func() time.Time
	// Seed makes tokens, ids and alerts repeatable.
	Seed uint64
	// Behaviour holds for every tenant that has none of its own.
	Behaviour Behaviour
	// RequestLog is how many requests Requests remembers; 0 means 10,000.
	RequestLog int
}

// Simulator is Entra ID, Microsoft Graph and the control API as one
// http.Handler. Its methods are safe for concurrent use.
type Simulator struct {
	base    func() time.Time
	offset  atomic.Int64 // nanoseconds added to base to get "now"
	seed    uint64
	secret  [32]byte // signs access tokens
	counter atomic.Uint64
	mux     *http.ServeMux
	log     requestLog
	faults  faultList
	closing context.Context
	stop    context.CancelFunc

	mu        sync.RWMutex
	behaviour Behaviour
	tenants   []*Tenant
	byName    map[string]*Tenant // by GUID, domain and name, lower-cased
	grants    map[string]*grant  // by refresh token
	issued    map[string]string  // access tokens, and what each is
}

// New returns a simulator without tenants.
func New(o Options) *Simulator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RequestLog == 0 {
		o.RequestLog = 10_000
	}
	s := &Simulator{
		base: o.Now, seed: o.Seed, behaviour: o.Behaviour,
		secret: sha256.Sum256(binary.BigEndian.AppendUint64([]byte("fake signing key"), o.Seed)),
		byName: map[string]*Tenant{},
		grants: map[string]*grant{},
		issued: map[string]string{},
		log:    requestLog{keep: o.RequestLog},
	}
	s.closing, s.stop = context.WithCancel(context.Background())
	s.mux = s.routes()
	return s
}

// Close lets every request go that a fault holds back. The handler keeps
// answering.
func (s *Simulator) Close() { s.stop() }

// Now is the simulator's own idea of the time: what its Date headers, time
// stamps and token lifetimes go by.
func (s *Simulator) Now() time.Time {
	return s.base().Add(time.Duration(s.offset.Load())).UTC()
}

// SetClock puts the simulator's clock ahead of the host's by offset (behind
// it when negative), so that for the client the host's clock is wrong.
func (s *Simulator) SetClock(offset time.Duration) { s.offset.Store(int64(offset)) }

// SetBehaviour replaces the behaviour of all tenants without one of their own.
func (s *Simulator) SetBehaviour(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviour = b
}

// ErrTaken says that a tenant's id, domain or name, or its refresh token for
// another app, is in use already.
var ErrTaken = errors.New("already in use")

// AddTenant registers a tenant; what o leaves empty is derived from its name
// (see TenantOptions). It fails with ErrTaken.
func (s *Simulator) AddTenant(o TenantOptions) (*Tenant, error) {
	t := newTenant(s, o)
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{strings.ToLower(t.ID), strings.ToLower(t.Domain), strings.ToLower(t.Name)}
	for _, name := range names {
		if _, taken := s.byName[name]; taken {
			return nil, fmt.Errorf("tenant %q: %w", name, ErrTaken)
		}
	}
	for _, app := range t.apps {
		if err := s.grantLocked(t, app.ClientID, app.RefreshToken); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		s.byName[name] = t
	}
	s.tenants = append(s.tenants, t)
	return t, nil
}

// Tenant finds a tenant by GUID, domain or name, in any case.
func (s *Simulator) Tenant(name string) (*Tenant, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.byName[strings.ToLower(name)]
	return t, ok
}

// Tenants lists all tenants in the order they were added.
func (s *Simulator) Tenants() []*Tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.tenants)
}

// ServeHTTP answers as Entra ID, Graph or the control API, by path.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Simulator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/{tenant}/oauth2/v2.0/token", s.endpoint(Token, s.token))
	mux.Handle("/v1.0/security/alerts_v2", s.endpoint(Alerts, s.alerts))
	s.controlRoutes(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		e := s.envelope(r)
		e.graphError(http.StatusNotFound, "ResourceNotFound", "Resource not found for the segment '"+r.URL.Path+"'.").deliver(w, e)
	})
	return mux
}

// unique is a number that this simulator has not used before.
func (s *Simulator) unique() uint64 { return s.counter.Add(1) }

// guid makes a GUID-shaped text out of parts; equal parts give equal GUIDs.
func guid(parts ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprint(parts...)))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
