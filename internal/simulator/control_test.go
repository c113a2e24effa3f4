package simulator

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// control posts to the control API and reads its answer.
func (c *client) control(method, path, body string, into any) int {
	c.Helper()
	response := c.do(httptest.NewRequest(method, path, strings.NewReader(body)))
	if into != nil {
		c.decode(response, into)
	}
	return response.StatusCode
}

func TestControlAlerts(t *testing.T) {
	c := newClient(t, Options{})
	var made, changed, owed, versions []Version
	if status := c.control("POST", "/control/alert", `{"tenant":"contoso","count":3,"age":"5m"}`, &made); status != 200 || len(made) != 3 {
		t.Fatalf("%d %v", status, made)
	}
	c.control("POST", "/control/alert", `{"tenant":"contoso","count":1,"late":240}`, nil)
	c.control("POST", "/control/alert", `{"tenant":"contoso","id":"`+made[0].ID+`"}`, &changed)
	sample, err := os.ReadFile("testdata/graph-alerts_v2.json")
	if err != nil {
		t.Fatal(err)
	}
	c.control("POST", "/control/alert", `{"tenant":"contoso","page":`+string(sample)+`}`, nil)
	c.control("POST", "/control/alert", `{"tenant":"contoso","alert":{"id":"own","lastUpdateDateTime":"2026-01-01T00:00:00Z"}}`, nil)
	c.control("GET", "/control/owed?tenant="+c.tenant.ID, "", &owed)
	c.control("GET", "/control/versions?tenant=contoso", "", &versions)
	if len(owed) != 5 || len(versions) != 6 || c.tenant.Pending() != 1 {
		t.Errorf("%d owed, %d versions, %d pending", len(owed), len(versions), c.tenant.Pending())
	}
	if !slices.ContainsFunc(owed, func(v Version) bool { return v.ID == made[0].ID && v.Version == changed[0].Version }) {
		t.Errorf("the update %v is not owed", changed)
	}
}

func TestControlTenant(t *testing.T) {
	c := newClient(t, Options{})
	post := func(body string) {
		t.Helper()
		var answer map[string]any
		if status := c.control("POST", "/control/tenant", body, &answer); status != 200 {
			t.Fatalf("%s: %d %v", body, status, answer)
		}
	}
	seed := c.tenant.Apps()[0].RefreshToken
	refresh := func(token string) int { status, _ := c.refresh(token); return status }
	post(`{"tenant":"contoso","revoke_refresh":50173}`)
	if refresh(seed) != 400 {
		t.Error("revoked and still working")
	}
	post(`{"tenant":"contoso","grant":"repaired"}`)
	if refresh("repaired") != 200 {
		t.Error("granted and not working")
	}
	post(`{"tenant":"contoso","refuse_tokens":53003}`)
	if refresh("repaired") != 400 {
		t.Error("not refused")
	}
	post(`{"tenant":"contoso","refuse_tokens":0,"behaviour":{"rotation":"omit","token_lifetime":"10m"}}`)
	if _, body := c.refresh("repaired"); body["refresh_token"] != nil || body["expires_in"] != 600.0 {
		t.Errorf("behaviour not taken: %v", body["expires_in"])
	}
	post(`{"tenant":"fabrikam","add":true}`)
	if _, ok := c.sim.Tenant("fabrikam.onmicrosoft.com"); !ok {
		t.Error("not added")
	}
	if _, err := c.sim.AddTenant(TenantOptions{Name: "FABRIKAM"}); !errors.Is(err, ErrTaken) {
		t.Errorf("added twice: %v", err)
	}
}

func TestControlRefuses(t *testing.T) {
	c := newClient(t, Options{})
	for _, test := range []struct {
		path, body string
		status     int
	}{
		{"/control/alert", `{"tenant":"nobody"}`, 404},
		{"/control/alert", `{"tenant":"contoso","id":"nobody"}`, 404},
		{"/control/alert", `{"tenant":"contoso","count":-1}`, 400},
		{"/control/alert", `{"tenant":"contoso","cuont":1}`, 400},
		{"/control/alert", `{`, 400},
		{"/control/tenant", `{"tenant":"nobody"}`, 404},
		{"/control/tenant", `{"tenant":"contoso","behaviour":{"rotation":"sometimes"}}`, 400},
		{"/control/tenant", `{"tenant":"contoso","add":true}`, 400},
		{"/control/behaviour", `{"order_by":"never","retry_after":"x"}`, 400},
		{"/control/fault", `{"kind":"hang"}`, 400},
		{"/control/fault", `{"kind":"hang","endpoint":"alerts","for":"soon"}`, 400},
		{"/control/clock", `{"offset":true}`, 400},
	} {
		var answer map[string]string
		if status := c.control("POST", test.path, test.body, &answer); status != test.status || answer["error"] == "" {
			t.Errorf("%s %s: %d %v", test.path, test.body, status, answer)
		}
	}
}

func TestControlTheRest(t *testing.T) {
	c := newClient(t, Options{RequestLog: 2})
	c.control("POST", "/control/behaviour", `{"limit":2}`, nil)
	c.control("POST", "/control/fault", `{"tenant":"contoso","endpoint":"alerts","kind":"status","status":500,"count":1}`, nil)
	c.control("POST", "/control/clock", `{"offset":"3h"}`, nil)
	if ahead := time.Until(c.sim.Now()); ahead < 179*time.Minute || ahead > 181*time.Minute {
		t.Errorf("clock is %v ahead", ahead)
	}
	var status struct {
		Tenants []tenantStatus `json:"tenants"`
		Faults  []Fault        `json:"faults"`
	}
	c.control("GET", "/control/status", "", &status)
	if len(status.Faults) != 1 || status.Faults[0].Status != 500 {
		t.Errorf("faults %v", status.Faults)
	}
	c.control("DELETE", "/control/fault", "", nil)
	var codes []int
	for range 3 {
		codes = append(codes, c.get("$top=1").StatusCode)
	}
	if !slices.Equal(codes, []int{200, 200, 429}) {
		t.Errorf("%v", codes)
	}
	c.control("GET", "/control/status", "", &status)
	if got := status.Tenants[0].Counts; got.Requests[Alerts] != 3 || got.Requests[Token] != 1 || got.Statuses[429] != 1 || got.Tokens != 1 {
		t.Errorf("%+v", got)
	}
	var log []Request
	c.control("GET", "/control/requests", "", &log)
	if len(log) != 2 || log[0].Status != 200 || log[1].Status != 429 || log[1].Query != "$top=1" {
		t.Errorf("%+v", log)
	}
	raw, err := json.Marshal(c.sim.Requests())
	if err != nil || strings.Contains(string(raw), c.access) || strings.Contains(string(raw), c.tenant.Apps()[0].ClientSecret) {
		t.Errorf("the log holds a secret, or %v", err)
	}
}
