package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"fluent-bit-defender/auth"
	"fluent-bit-defender/config"
	"fluent-bit-defender/fetch"
	"fluent-bit-defender/state"
)

// signIns holds the token sources of one run, one for each sign-in however many
// feeds and inputs need it.
//
// The newest refresh tokens of a running installation are in its State_Path; the
// configuration's own may be long dead. So they are taken from there where that
// is possible. No state folder is ever made, and no checkpoint touched.
type signIns struct {
	say     messages
	ways    map[config.Network]*http.Client
	folders map[string]*folder // by State_Path

	mu      sync.Mutex
	sources map[sourceKey]*auth.Source
}

// folder is one State_Path.
type folder struct {
	store  *state.Store // nil: the configuration's own tokens are used
	tokens auth.Store   // what sources read and save by; nil: memory
	hidden string       // why newer tokens may be there that cannot be seen, "" when there are none
}

type sourceKey struct {
	state   string
	account auth.Account
}

func newSignIns(say messages) *signIns {
	return &signIns{
		say: say, ways: map[config.Network]*http.Client{},
		folders: map[string]*folder{}, sources: map[sourceKey]*auth.Source{},
	}
}

// client reads an input's feeds.
func (s *signIns) client(in *input) *fetch.Client {
	return fetch.NewClient(s.ways[in.config.Network], fetch.Options{Version: version})
}

// open finds the way to Microsoft of every input, and opens its state as far as
// there is one.
func (s *signIns) open(inputs []*input) error {
	for _, in := range inputs {
		path := in.statePath()
		if s.folders[path] == nil {
			s.folders[path] = s.openFolder(path, in.config.StateKeyFile)
		}
		n := in.config.Network
		if s.ways[n] != nil {
			continue
		}
		transport, err := fetch.Transport(fetch.Wire{Roots: n.Roots, Proxy: n.Proxy}, atOnce)
		if err != nil {
			return err
		}
		s.ways[n] = &http.Client{Transport: transport}
	}
	return nil
}

func (s *signIns) openFolder(path, keyFile string) *folder {
	// Opening makes what is missing. Made by whoever runs this command, it could
	// keep Fluent Bit's own user out.
	for _, name := range []string{"state.db", "state.lock"} {
		switch _, err := os.Stat(filepath.Join(path, name)); {
		case errors.Is(err, os.ErrNotExist) && name == "state.db":
			return &folder{} // Fluent Bit has never run with it
		case err != nil:
			return s.without(path, err)
		}
	}
	store, err := state.Open(path, state.Options{KeyFile: keyFile, Notice: func(remark string) { s.say.notef("%s", remark) }})
	if inUse := (*state.InUseError)(nil); errors.As(err, &inUse) {
		holder := "another process"
		if inUse.PID != 0 {
			holder = fmt.Sprintf("process %d (%s)", inUse.PID, inUse.Command)
		}
		s.say.notef("%s is in use by %s: the configuration's own refresh tokens are tried, newer ones may be in there", path, holder)
		return &folder{hidden: "is in use by " + holder}
	}
	if err != nil {
		return s.without(path, err)
	}
	return &folder{store: store, tokens: store}
}

// without goes on with the tokens of the configuration.
func (s *signIns) without(path string, err error) *folder {
	s.say.warnf("the refresh tokens in %s cannot be used, so the configuration's own are: %v", path, err)
	return &folder{hidden: "cannot be read"}
}

// hidden says why a newer refresh token than the configuration's may exist, or "".
func (s *signIns) hidden(in *input) string {
	path := in.statePath()
	if why := s.folders[path].hidden; why != "" {
		return path + " " + why
	}
	return ""
}

// access returns what yields access tokens for one tenant's feeds.
func (s *signIns) access(in *input, t config.Tenant) access {
	key := sourceKey{in.statePath(), accountOf(t)}
	s.mu.Lock()
	defer s.mu.Unlock()
	source := s.sources[key]
	if source == nil {
		source = auth.NewSource(key.account, auth.Options{
			HTTP: s.ways[in.config.Network], Store: s.folders[key.state].tokens, Notice: func(remark string) { s.say.warnf("%s", remark) },
		})
		s.sources[key] = source
	}
	return access{source, fetch.Scope(t.GraphURL)}
}

func accountOf(t config.Tenant) auth.Account {
	return auth.Account{
		Name: t.Name, LoginURL: t.LoginURL, Cloud: t.Cloud, TenantID: t.ID, ClientID: t.ClientID,
		ClientSecret: t.ClientSecret, RefreshToken: t.RefreshToken,
	}
}

// close gives everything back. What is still being asked is given up; a token
// that was already answered is kept first.
func (s *signIns) close() error {
	for _, source := range s.sources {
		source.Close()
	}
	for _, way := range s.ways {
		way.CloseIdleConnections()
	}
	return s.closeFolders()
}

func (s *signIns) closeFolders() error {
	var all []error
	for _, f := range s.folders {
		if f.store != nil {
			all = append(all, f.store.Close())
			f.store = nil
		}
	}
	return errors.Join(all...)
}

// access yields access tokens for one API of one tenant (fetch.Tokens).
type access struct {
	source *auth.Source
	scope  string
}

func (a access) Token(ctx context.Context) (string, error) {
	token, err := a.source.Token(ctx, a.scope)
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

func (a access) Reject(token string) { a.source.Reject(a.scope, token) }

// borrow copies the stored refresh tokens of inputs into memory and gives the
// state folders back at once: what Entra rotates from here on is forgotten with
// the process, and the stored tokens stay as they are.
func (s *signIns) borrow(ctx context.Context, inputs []*input) error {
	for _, in := range inputs {
		f := s.folders[in.statePath()]
		if f.store == nil {
			continue
		}
		copied, ok := f.tokens.(*copiedTokens)
		if !ok {
			copied = &copiedTokens{from: f.store, loaded: map[string]loadedToken{}}
			f.tokens = copied
		}
		for _, tenant := range in.tenants {
			copied.take(ctx, accountOf(tenant))
		}
	}
	for _, f := range s.folders {
		if copied, ok := f.tokens.(*copiedTokens); ok {
			copied.from = nil
		}
	}
	return s.closeFolders()
}

// copiedTokens is an auth.Store in memory that begins with what another held.
type copiedTokens struct {
	mu     sync.Mutex
	from   auth.Store // nil once everything is copied
	loaded map[string]loadedToken
}

type loadedToken struct {
	value []byte
	found bool
	err   error
}

func (c *copiedTokens) LoadToken(key string) ([]byte, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	token, known := c.loaded[key]
	if !known && c.from != nil {
		token.value, token.found, token.err = c.from.LoadToken(key)
		c.loaded[key] = token
	}
	return token.value, token.found, token.err
}

func (c *copiedTokens) SaveToken(key string, value []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loaded[key] = loadedToken{value: value, found: true}
	return nil
}

// take copies what is stored for an account. Under which keys that is only auth
// knows; so it signs in over a wire that carries nothing, and what it looks for
// on its way there is kept.
func (c *copiedTokens) take(ctx context.Context, a auth.Account) {
	source := auth.NewSource(a, auth.Options{HTTP: &http.Client{Transport: noWire{}}, Store: c})
	defer source.Close()
	_, _ = source.Token(ctx, "") // fails by intent
}

var errNoWire = errors.New("nothing is sent")

type noWire struct{}

func (noWire) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNoWire }
