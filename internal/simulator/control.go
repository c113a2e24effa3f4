package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// controlRoutes are the simulator's own API. All bodies are JSON; errors are
// {"error": "…"} with status 400 or 404. It has no authentication: the
// simulator listens on loopback and holds nothing real.
func (s *Simulator) controlRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/status", s.controlStatus)
	mux.HandleFunc("GET /control/requests", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Requests(), nil) })
	mux.HandleFunc("GET /control/owed", s.controlOwed)
	mux.HandleFunc("GET /control/secrets", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Secrets(), nil) })
	mux.HandleFunc("GET /control/versions", s.controlVersions)
	mux.HandleFunc("POST /control/fault", s.controlFault)
	mux.HandleFunc("DELETE /control/fault", func(w http.ResponseWriter, _ *http.Request) { s.ClearFaults(); reply(w, done, nil) })
	mux.HandleFunc("POST /control/tenant", s.controlTenant)
	mux.HandleFunc("POST /control/alert", s.controlAlert)
	mux.HandleFunc("POST /control/clock", s.controlClock)
	mux.HandleFunc("POST /control/behaviour", s.controlBehaviour)
}

var done = map[string]bool{"ok": true}

func reply(w http.ResponseWriter, body any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, errNoTenant) || errors.Is(err, ErrNoAlert) {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		body = map[string]string{"error": err.Error()}
	}
	_, _ = w.Write(append(marshal(body), '\n')) // the client may be gone: its business
}

// receive reads a request's JSON; unknown fields are errors, for a misspelt
// one would silently test nothing.
func receive(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("body of %s: %w", r.URL.Path, err)
	}
	return nil
}

var errNoTenant = errors.New("no such tenant")

func (s *Simulator) find(name string) (*Tenant, error) {
	t, ok := s.Tenant(name)
	if !ok {
		return nil, fmt.Errorf("tenant %q: %w", name, errNoTenant)
	}
	return t, nil
}

type tenantStatus struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Domain  string `json:"domain"`
	Visible int    `json:"alerts"`
	Pending int    `json:"pending"`
	Counts  Counts `json:"counts"`
}

func (s *Simulator) controlStatus(w http.ResponseWriter, _ *http.Request) {
	list := []tenantStatus{}
	for _, t := range s.Tenants() {
		list = append(list, tenantStatus{t.Name, t.ID, t.Domain, t.Len(), t.Pending(), s.Counts(t.Name)})
	}
	reply(w, map[string]any{"now": s.Now(), "tenants": list, "faults": s.Faults()}, nil)
}

func (s *Simulator) controlOwed(w http.ResponseWriter, r *http.Request) {
	t, err := s.find(r.URL.Query().Get("tenant"))
	list := []Version{}
	if err == nil {
		owed := t.Owed()
		for _, id := range slices.Sorted(maps.Keys(owed)) {
			list = append(list, owed[id])
		}
	}
	reply(w, list, err)
}

func (s *Simulator) controlVersions(w http.ResponseWriter, r *http.Request) {
	t, err := s.find(r.URL.Query().Get("tenant"))
	list := []Version{}
	if err == nil {
		all := t.Versions()
		for _, id := range slices.Sorted(maps.Keys(all)) {
			list = append(list, all[id]...)
		}
	}
	reply(w, list, err)
}

func (s *Simulator) controlFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	err := receive(r, &f)
	if err == nil {
		err = s.Fault(f)
	}
	reply(w, done, err)
}

// tenantChange is what POST /control/tenant takes. A tenant that does not
// exist is added when Add says so.
type tenantChange struct {
	Tenant        string     `json:"tenant"`
	Add           bool       `json:"add"`
	ID            string     `json:"id"`
	Domain        string     `json:"domain"`
	Apps          []App      `json:"apps"` // added or replaced by client id
	Behaviour     *Behaviour `json:"behaviour"`
	RefuseTokens  *int       `json:"refuse_tokens"`  // AADSTS code, 0 ends it
	RevokeRefresh int        `json:"revoke_refresh"` // AADSTS code
	RevokeAccess  bool       `json:"revoke_access"`
	Grant         string     `json:"grant"` // a refresh token that works from now on
}

func (s *Simulator) controlTenant(w http.ResponseWriter, r *http.Request) {
	var change tenantChange
	err := receive(r, &change)
	if err == nil && change.Behaviour != nil {
		err = change.Behaviour.check()
	}
	var t *Tenant
	if err == nil && change.Add {
		t, err = s.AddTenant(TenantOptions{Name: change.Tenant, ID: change.ID, Domain: change.Domain, Apps: change.Apps})
	} else if err == nil {
		t, err = s.find(change.Tenant)
	}
	if err == nil {
		err = change.apply(s, t)
	}
	if err != nil {
		reply(w, nil, err)
		return
	}
	reply(w, map[string]any{"name": t.Name, "id": t.ID, "domain": t.Domain, "apps": t.Apps()}, nil)
}

func (change tenantChange) apply(s *Simulator, t *Tenant) error {
	if !change.Add {
		for _, app := range change.Apps {
			if err := t.SetApp(app); err != nil {
				return err
			}
		}
	}
	if change.Behaviour != nil {
		t.SetBehaviour(change.Behaviour)
	}
	if change.RefuseTokens != nil {
		t.RefuseTokens(*change.RefuseTokens)
	}
	if change.RevokeRefresh != 0 {
		t.RevokeRefresh(change.RevokeRefresh)
	}
	if change.RevokeAccess {
		t.RevokeAccess()
	}
	if change.Grant == "" {
		return nil
	}
	apps := t.Apps()
	if len(apps) == 0 {
		return fmt.Errorf("tenant %s has no app to grant a refresh token to", t.Name)
	}
	return s.Grant(t, apps[0].ClientID, change.Grant)
}

// alertChange is what POST /control/alert takes: ID updates that alert, Alert
// puts one in as it is, Page a whole page of them, else Count new ones are
// made (1 when 0) that share a stamp.
type alertChange struct {
	Tenant string          `json:"tenant"`
	ID     string          `json:"id"`
	Alert  json.RawMessage `json:"alert"`
	Page   json.RawMessage `json:"page"`
	Count  int             `json:"count"`
	Age    Duration        `json:"age"`  // how long ago they were stamped
	Late   Duration        `json:"late"` // when they become visible
}

func (s *Simulator) controlAlert(w http.ResponseWriter, r *http.Request) {
	var change alertChange
	err := receive(r, &change)
	var t *Tenant
	if err == nil {
		t, err = s.find(change.Tenant)
	}
	var made []Version
	if err == nil {
		made, err = change.apply(t)
	}
	reply(w, made, err)
}

func (change alertChange) apply(t *Tenant) ([]Version, error) {
	switch {
	case change.Count < 0 || change.Count > 1_000_000:
		return nil, fmt.Errorf("count %d is not in 0..1000000", change.Count)
	case change.ID != "":
		v, err := t.UpdateLate(change.ID, time.Duration(change.Late))
		return []Version{v}, err
	case change.Alert != nil:
		return []Version{t.Put(change.Alert)}, nil
	case change.Page != nil:
		return t.PutPage(change.Page)
	}
	return t.add(max(1, change.Count), time.Duration(change.Age), time.Duration(change.Late)), nil
}

func (s *Simulator) controlClock(w http.ResponseWriter, r *http.Request) {
	var change struct {
		Offset Duration `json:"offset"` // ahead of the host's clock
	}
	err := receive(r, &change)
	if err == nil {
		s.SetClock(time.Duration(change.Offset))
	}
	reply(w, map[string]string{"now": s.Now().Format(time.RFC3339Nano)}, err)
}

// controlBehaviour sets the behaviour of all tenants without one of their own.
func (s *Simulator) controlBehaviour(w http.ResponseWriter, r *http.Request) {
	var b Behaviour
	err := receive(r, &b)
	if err == nil {
		err = b.check()
	}
	if err == nil {
		s.SetBehaviour(b)
	}
	reply(w, done, err)
}
