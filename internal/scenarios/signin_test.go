package scenarios

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"fluent-bit-defender/internal/simulator"
)

// row is one tenant in a tenants file; more are lines `key: value`.
func row(t *simulator.Tenant, more ...string) string {
	app := t.Apps()[0]
	lines := append([]string{
		"- name: " + t.Name,
		"tenant_id: " + t.ID,
		"client_id: " + app.ClientID,
		"client_secret: " + app.ClientSecret,
	}, more...)
	if app.RefreshToken != "" && !strings.Contains(strings.Join(more, "\n"), "refresh_token:") {
		lines = append(lines, "refresh_token: "+app.RefreshToken)
	}
	return strings.Join(lines, "\n  ")
}

// tenantsFile replaces the tenants file, as an editor does, and returns its path.
func (w *world) tenantsFile(rows ...string) string {
	w.Helper()
	path := filepath.Join(w.options.Dir, "tenants.yaml")
	content := "tenants:\n" + strings.Join(rows, "\n") + "\n"
	check(w.T, os.WriteFile(path+".new", []byte(content), 0o600))
	check(w.T, os.Rename(path+".new", path))
	return path
}

// deadToken: a customer's refresh tokens are revoked. The others go on, the log
// says so now and then, and a new token in the tenants file repairs it without
// a restart and without a hole.
func deadToken(w *world) {
	w.customers("contoso", "fabrikam", "adatum")
	for _, t := range w.tenants {
		t.AddBurst(20, time.Hour)
	}
	contoso, fabrikam, adatum := w.tenants[0], w.tenants[1], w.tenants[2]
	file := w.tenantsFile(row(contoso), row(fabrikam), row(adatum))
	w.start(w.input("Alias dead", "Tenants_File "+file))
	w.settle(nil, w.tenants...)

	fabrikam.RevokeRefresh(50173)
	fabrikam.RevokeAccess()
	w.says("AADSTS50173")
	for range 5 {
		for _, t := range w.tenants {
			t.Update(t.Add().ID)
			t.AddLate(time.Second)
		}
		w.polled(2, contoso, adatum)
	}
	w.settle(nil, contoso, adatum)
	told := w.lines("fabrikam", "[error]")
	if len(told) == 0 || len(told) > 2 {
		w.Errorf("%d lines about fabrikam in at least 10 polls:\n%s", len(told), strings.Join(told, "\n"))
	}
	for _, line := range told {
		for _, want := range []string{"[input:defender:dead] fabrikam/alerts: ", "AADSTS50173", "sign in"} {
			if !strings.Contains(line, want) {
				w.Errorf("the line does not say %q: %s", want, line)
			}
		}
	}
	if others := append(w.lines("contoso", "[error]"), w.lines("adatum", "[error]")...); len(others) > 0 {
		w.Errorf("lines about tenants that are well:\n%s", strings.Join(others, "\n"))
	}
	w.Logf("lines about fabrikam: %q", told)

	const renewed = "0.FakeRefreshTokenOf-fabrikam-1"
	check(w.T, w.service.sim.Grant(fabrikam, fabrikam.Apps()[0].ClientID, renewed))
	w.tenantsFile(row(contoso), row(fabrikam, "refresh_token: "+renewed), row(adatum))
	w.settle(nil, w.tenants...)
	w.says("is read again")
	w.stop()
	w.Log(w.once(w.tenants...))
}

// samples: Microsoft's documented answers, served as they stand, come out as
// records or as the right diagnosis; what can pass by itself does, the rest
// goes on when the operator has changed something.
func samples(w *world) {
	sim := w.service.sim
	documented := w.tenant(simulator.TenantOptions{Name: "Contoso", ID: "b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c"})
	w.tenant(simulator.TenantOptions{Name: "adatum", Apps: []simulator.App{
		{ClientID: "00001111-aaaa-2222-bbbb-3333cccc4444", ClientSecret: "fake-secret-of-adatum"}}})
	names := []string{"scope", "claims", "missing", "roles", "throttled", "limit"}
	w.customers(names...)
	troubled := map[string]*simulator.Tenant{}
	for i, name := range names {
		troubled[name] = w.tenants[2+i]
		troubled[name].AddBurst(120, time.Hour)
	}
	raw := func(tenant string, endpoint simulator.Endpoint, match string, status, count int, file string) {
		check(w.T, sim.Fault(simulator.Fault{Tenant: tenant, Endpoint: endpoint, Kind: simulator.Raw, Match: match, Status: status, Count: count, File: file}))
	}
	raw("Contoso", simulator.Token, "", 200, 0, sample(w.T, "auth", "token-v2-refresh-success.json"))
	raw("adatum", simulator.Token, "", 200, 0, sample(w.T, "auth", "token-v2-client-credentials-success.json"))
	// The documented access tokens tell the simulator nothing of their tenants:
	// the requests are known by their filter.
	const fromEndpoint = "microsoftDefenderForEndpoint"
	raw("", simulator.Alerts, fromEndpoint, 200, 0, sample(w.T, "record", "graph-alerts_v2.json"))
	raw("scope", simulator.Token, "", 400, 1, sample(w.T, "auth", "token-v2-error.json"))
	raw("claims", simulator.Alerts, "", 0, 1, sample(w.T, "fetch", "graph-401-cae.http.txt"))
	raw("missing", simulator.Alerts, "", 0, 2, sample(w.T, "fetch", "graph-401-missing-token.http.txt"))
	raw("roles", simulator.Alerts, "", 403, 1, sample(w.T, "fetch", "graph-403-missing-roles.json"))
	raw("throttled", simulator.Alerts, "", 429, 1, sample(w.T, "fetch", "graph-429.json"))
	raw("limit", simulator.Alerts, "$top=1000", 400, 0, sample(w.T, "fetch", "graph-400-incidents-top-limit.json"))

	rows := func(more ...string) (all []string) {
		for i, t := range w.tenants {
			if i < 2 {
				more := append([]string{"service_sources: " + fromEndpoint}, more...)
				all = append(all, row(t, more...))
				continue
			}
			all = append(all, row(t, more...))
		}
		return all
	}
	w.start(w.input("Alias samples", "Tenants_File "+w.tenantsFile(rows()...)))
	for _, want := range [][]string{
		{"AADSTS70011", "scope/alerts: ", "the scope https://graph.microsoft.com/.default is not valid"},
		{"HTTP 401", "missing/alerts: ", "The access token is missing"},
		{"HTTP 403", "roles/alerts: ", "an admin of the customer's tenant must grant the app the application permission SecurityAlert.Read.All"},
	} {
		line := w.says(want[1])
		for _, text := range append(want, "[error]") {
			if !strings.Contains(line, text) {
				w.Errorf("the line does not say %q: %s", text, line)
			}
		}
	}
	w.settle(nil, troubled["claims"], troubled["limit"]) // these pass at once
	w.settle(nil, troubled["throttled"])                 // this after half a minute: the sample does not say how long
	w.tenantsFile(rows("poll_interval: 2s")...)          // any change makes it ask again what an admin may have mended
	w.settle(nil, troubled["missing"], troubled["roles"])
	w.stop()
	w.start() // and a restart also what only the configuration can mend
	w.settle(nil, w.tenants[2:]...)
	asked := w.service.requests(fromEndpoint)
	check(w.T, w.service.until(w.process.While(w.patience()), func() bool { return w.service.requests(fromEndpoint) >= asked+6 }))
	w.stop()
	for _, name := range []string{"claims", "throttled", "limit"} {
		if lines := w.lines(name+"/alerts: ", "[error]"); len(lines) > 0 {
			w.Errorf("a line about what passes by itself: %s", lines[0])
		}
	}

	var golden []any
	check(w.T, json.Unmarshal(must[[]byte](w.T)(os.ReadFile(sample(w.T, "record", "graph-alerts_v2.golden.json"))), &golden))
	want := golden[1].(map[string]any)
	came := map[string]int{}
	for _, r := range w.sink.Records() {
		came[text(r, "tenant_id")+text(r, "foreign_tenant_id")+" "+text(r, "tenant_name")]++
		if text(r, "tenant_id") != documented.ID {
			continue
		}
		for key := range merged(want, r.Fields) {
			if got := normal(r.Fields[key]); !reflect.DeepEqual(got, want[key]) {
				w.Errorf("%s of the documented alert is %v, not %v", key, got, want[key])
			}
		}
		if stamp := golden[0].(string); r.Time.Format(time.RFC3339Nano) != stamp {
			w.Errorf("the documented alert has the time %v, not %s", r.Time, stamp)
		}
	}
	// The same page is of another tenant when adatum gets it, and must not bear adatum's name.
	if own, foreign := came[documented.ID+" Contoso"], came[documented.ID+" "]; own != 1 || foreign != 1 {
		w.Errorf("the documented page, answered to every poll, came %d times to its tenant and %d times to another, not once", own, foreign)
	}
	if lines := w.lines("adatum/alerts: ", "foreign_tenant_id="+documented.ID); len(lines) != 1 {
		w.Errorf("%d lines about the foreign alert", len(lines))
	}
	w.Log(came)
}

func merged(a, b map[string]any) map[string]bool {
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	return keys
}

// normal is a value as JSON would bring it.
func normal(value any) any {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		return fmt.Sprint(err)
	}
	return out
}
