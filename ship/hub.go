package ship

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"

	"fluent-bit-defender/auth"
	"fluent-bit-defender/config"
	"fluent-bit-defender/control"
	"fluent-bit-defender/state"
)

// Hub is what all instances of one process share. One state folder is opened
// once, one tenant's tokens are refreshed by one source, and two instances that
// would read the same tenant and feed into the same checkpoint are refused.
type Hub struct {
	mu         sync.Mutex
	transports map[config.Network]*http.Transport
	stores     map[string]*sharedStore
	sources    map[sourceKey]*sharedSource
	claims     map[claim]string // who reads it
}

type sharedStore struct {
	*state.Store
	users     int
	instances []*Instance     // that answer on the socket
	control   *control.Server // nil until the first of them
}

type sharedSource struct {
	*auth.Source
	account auth.Account
	users   int
}

// sourceKey names one lineage of refresh tokens in one state folder.
type sourceKey struct{ folder, cloud, tenantID, clientID string }

// claim names one checkpoint in one state folder.
type claim struct {
	folder string
	key    state.Key
}

// NewHub returns the process's hub. It opens nothing yet.
func NewHub() *Hub {
	return &Hub{
		transports: map[config.Network]*http.Transport{},
		stores:     map[string]*sharedStore{},
		sources:    map[sourceKey]*sharedSource{},
		claims:     map[claim]string{},
	}
}

// openStore returns the store of a folder, opened at its first user.
func (h *Hub) openStore(folder, keyFile string, notice func(string)) (*sharedStore, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if shared := h.stores[folder]; shared != nil {
		shared.users++
		return shared, nil
	}
	store, err := state.Open(folder, state.Options{KeyFile: keyFile, Notice: notice})
	if err != nil {
		return nil, err
	}
	shared := &sharedStore{Store: store, users: 1}
	h.stores[folder] = shared
	return shared, nil
}

// closeStore gives a store back and closes it after its last user.
func (h *Hub) closeStore(folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	shared := h.stores[folder]
	if shared == nil {
		return nil
	}
	if shared.users--; shared.users > 0 {
		return nil
	}
	delete(h.stores, folder)
	for _, t := range h.transports {
		t.CloseIdleConnections()
	}
	if shared.control != nil {
		err = shared.control.Close()
	}
	return errors.Join(err, shared.Close())
}

// source returns the token source of a tenant, made at its first user. A later
// user with another secret or seed configures the one that is there: the
// lineage in the state is theirs together, and so is the first one's way to
// Microsoft. notice takes remarks about it.
func (h *Hub) source(folder string, store auth.Store, w http.RoundTripper, t config.Tenant, notice func(string)) (sourceKey, *auth.Source) {
	key := sourceKey{folder, t.Cloud, t.ID, t.ClientID}
	account := auth.Account{
		Name: t.Name, LoginURL: t.LoginURL, Cloud: t.Cloud, TenantID: t.ID, ClientID: t.ClientID,
		ClientSecret: t.ClientSecret, RefreshToken: t.RefreshToken,
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	shared := h.sources[key]
	if shared == nil {
		shared = &sharedSource{Source: auth.NewSource(account, auth.Options{HTTP: &http.Client{Transport: w}, Store: store, Notice: notice}), account: account}
		h.sources[key] = shared
	}
	shared.users++
	if shared.account != account {
		shared.account = account
		shared.Configure(account)
	}
	return key, shared.Source
}

// dropSource gives a source back and closes it after its last user.
func (h *Hub) dropSource(key sourceKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	shared := h.sources[key]
	if shared == nil {
		return
	}
	if shared.users--; shared.users == 0 {
		delete(h.sources, key)
		shared.Close()
	}
}

// claim reserves one checkpoint for an instance.
func (h *Hub) claim(c claim, instance string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if holder, taken := h.claims[c]; taken {
		return &claimedError{c.key, holder}
	}
	h.claims[c] = instance
	return nil
}

func (h *Hub) unclaim(c claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.claims, c)
}

// claimedError refuses a tenant's feed that another instance already reads.
type claimedError struct {
	key    state.Key
	holder string
}

// Error says which tenant, who reads it, and the two ways out.
func (e *claimedError) Error() string {
	return fmt.Sprintf("tenant %s, feed %s is already read by %s into the same checkpoint: remove it from one of the two [INPUT] sections, or give each section an Alias of its own", e.key.TenantID, e.key.Feed, e.holder)
}
