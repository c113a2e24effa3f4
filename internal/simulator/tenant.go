package simulator

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DefaultPermission is what a tenant's app is granted when nothing is said.
const DefaultPermission = "SecurityAlert.Read.All"

// App is an app registration as one tenant knows it.
type App struct {
	ClientID string `json:"client_id"`
	// ClientSecret is what the app must prove itself with; "" makes it a public
	// client, which must not send one.
	ClientSecret string `json:"client_secret"`
	// RefreshToken is the seed of the delegated grant; "" means none, so that
	// only client credentials work.
	RefreshToken string `json:"refresh_token"`
	// Permissions are the roles (app-only) or scopes (delegated) that the
	// tenant consented to; nil means DefaultPermission, empty means none.
	Permissions []string `json:"permissions"`
	// SecretExpired makes Entra answer AADSTS7000222 to the right secret.
	SecretExpired bool `json:"secret_expired,omitempty"`
}

// TenantOptions describe a tenant. Only Name is needed: id, domain, client id
// and credentials are derived from it, always the same for the same name.
type TenantOptions struct {
	Name   string
	ID     string // a GUID
	Domain string // NAME.onmicrosoft.com when empty
	// Apps registered in the tenant; nil means one, with a client secret and a
	// refresh token.
	Apps      []App
	Behaviour *Behaviour // nil: the simulator's
}

// Tenant is one customer directory with its alerts.
type Tenant struct {
	Name, ID, Domain string

	sim       *Simulator
	store     store
	mu        sync.Mutex
	apps      []App
	behaviour *Behaviour
	refusal   int // AADSTS code that every token request gets, 0 for none
	valid     int // generation of access tokens that is accepted
	meters    map[string]*meter
}

func newTenant(s *Simulator, o TenantOptions) *Tenant {
	t := &Tenant{Name: o.Name, ID: strings.ToLower(o.ID), Domain: strings.ToLower(o.Domain), sim: s, apps: o.Apps, behaviour: o.Behaviour}
	if t.ID == "" {
		t.ID = guid("tenant ", strings.ToLower(o.Name))
	}
	if t.Name == "" {
		t.Name = t.ID
	}
	if t.Domain == "" {
		t.Domain = strings.ToLower(t.Name) + ".onmicrosoft.com"
	}
	if t.apps == nil {
		t.apps = []App{{
			ClientID:     guid("app ", strings.ToLower(t.Name)),
			ClientSecret: "fake-secret-of-" + strings.ToLower(t.Name),
			RefreshToken: "0.FakeRefreshTokenOf-" + strings.ToLower(t.Name) + "-0",
		}}
	}
	for i := range t.apps {
		if t.apps[i].Permissions == nil {
			t.apps[i].Permissions = []string{DefaultPermission}
		}
	}
	t.store.init(s, t)
	return t
}

// Apps lists the tenant's app registrations with their first credentials.
func (t *Tenant) Apps() []App {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.apps)
}

// SetApp adds an app registration or replaces the one with the same client
// id; its refresh token, if any, becomes valid too.
func (t *Tenant) SetApp(a App) error {
	if a.Permissions == nil {
		a.Permissions = []string{DefaultPermission}
	}
	if err := t.sim.Grant(t, a.ClientID, a.RefreshToken); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.apps {
		if strings.EqualFold(t.apps[i].ClientID, a.ClientID) {
			t.apps[i] = a
			return nil
		}
	}
	t.apps = append(t.apps, a)
	return nil
}

// SetBehaviour gives the tenant a behaviour of its own; nil takes it away.
func (t *Tenant) SetBehaviour(b *Behaviour) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.behaviour = b
}

// RefuseTokens makes every token request for the tenant fail with an AADSTS
// code (see Codes) until it is called with 0.
func (t *Tenant) RefuseTokens(code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusal = code
}

// RevokeAccess makes Graph answer 401 to all access tokens issued so far.
func (t *Tenant) RevokeAccess() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.valid++
}

func (t *Tenant) app(clientID string) (App, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.apps {
		if strings.EqualFold(a.ClientID, clientID) {
			return a, true
		}
	}
	return App{}, false
}

func (t *Tenant) refused() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refusal
}

func (t *Tenant) generation() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.valid
}

func (t *Tenant) behave() Behaviour {
	t.mu.Lock()
	own := t.behaviour
	t.mu.Unlock()
	if own != nil {
		return *own
	}
	t.sim.mu.RLock()
	defer t.sim.mu.RUnlock()
	return t.sim.behaviour
}

// meter counts one app's requests in the current minute.
type meter struct {
	start time.Time
	count int
}

// admit counts a request of an app. When the app is over the limit it says
// how long the minute still lasts.
func (t *Tenant) admit(clientID string, limit int) (wait time.Duration, ok bool) {
	if limit < 0 {
		return 0, true
	}
	now := t.sim.base()
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.meters[clientID]
	if m == nil {
		if t.meters == nil {
			t.meters = map[string]*meter{}
		}
		m = &meter{start: now}
		t.meters[clientID] = m
	}
	if now.Sub(m.start) >= time.Minute {
		*m = meter{start: now}
	}
	if m.count >= limit {
		return m.start.Add(time.Minute).Sub(now), false
	}
	m.count++
	return 0, true
}

// companies are Microsoft's fictitious ones.
var companies = []string{"contoso", "fabrikam", "adatum", "litware", "northwind", "tailspin", "wingtip", "proseware", "woodgrove", "alpine", "relecloud", "fourthcoffee"}

// CompanyName names the tenant of a number from 0: contoso, fabrikam, adatum,
// …, contoso-2, … .
func CompanyName(number int) string {
	name := companies[number%len(companies)]
	if round := number / len(companies); round > 0 {
		name += "-" + strconv.Itoa(round+1)
	}
	return name
}
