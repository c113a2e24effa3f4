package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client asks a simulator as one tenant's app would, without a network.
type client struct {
	testing.TB
	sim    *Simulator
	tenant *Tenant
	access string
}

func newClient(t testing.TB, o Options) *client {
	t.Helper()
	sim := New(o)
	tenant, err := sim.AddTenant(TenantOptions{Name: "contoso"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return &client{TB: t, sim: sim, tenant: tenant}
}

func (c *client) do(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	c.sim.ServeHTTP(w, r)
	return w.Result()
}

// form posts to the token endpoint of a tenant.
func (c *client) form(tenant string, fields ...string) (int, map[string]any) {
	c.Helper()
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	r := httptest.NewRequest("POST", "/"+tenant+"/oauth2/v2.0/token", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response := c.do(r)
	var body map[string]any
	c.decode(response, &body)
	return response.StatusCode, body
}

func (c *client) decode(r *http.Response, into any) {
	c.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		c.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		c.Fatalf("%v in %q", err, raw)
	}
}

const graphScope = "https://graph.microsoft.com/.default offline_access"

// refresh redeems a refresh token of the tenant's first app.
func (c *client) refresh(token string) (int, map[string]any) {
	c.Helper()
	app := c.tenant.Apps()[0]
	return c.form(c.tenant.ID, "grant_type", "refresh_token", "client_id", app.ClientID, "client_secret", app.ClientSecret,
		"refresh_token", token, "scope", graphScope)
}

func (c *client) signIn() {
	c.Helper()
	status, body := c.refresh(c.tenant.Apps()[0].RefreshToken)
	if status != 200 {
		c.Fatalf("sign-in: %d %v", status, body)
	}
	c.access = body["access_token"].(string)
}

// get asks Graph; target is a URL or the query alone.
func (c *client) get(target string, headers ...string) *http.Response {
	c.Helper()
	if c.access == "" {
		c.signIn()
	}
	if !strings.HasPrefix(target, "http") {
		target = "http://graph.example/v1.0/security/alerts_v2?" + strings.ReplaceAll(target, " ", "+")
	}
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("Authorization", "Bearer "+c.access)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return c.do(r)
}

type page struct {
	Count    *int             `json:"@odata.count"`
	NextLink string           `json:"@odata.nextLink"`
	Value    []map[string]any `json:"value"`
}

func (p page) ids() []string {
	var ids []string
	for _, a := range p.Value {
		ids = append(ids, a["id"].(string))
	}
	return ids
}

// page is a successful page.
func (c *client) page(target string, headers ...string) page {
	c.Helper()
	response := c.get(target, headers...)
	if response.StatusCode != 200 {
		raw, _ := io.ReadAll(response.Body)
		c.Fatalf("%s: %d %s", target, response.StatusCode, raw)
	}
	var p page
	c.decode(response, &p)
	return p
}

// all follows every nextLink and calls between before each.
func (c *client) all(target string, between func()) (ids []string) {
	c.Helper()
	for {
		p := c.page(target)
		ids = append(ids, p.ids()...)
		if p.NextLink == "" {
			return ids
		}
		between()
		target = p.NextLink
	}
}

// failure is the status and error code of a refused Graph request.
func (c *client) failure(response *http.Response) (int, string, string) {
	c.Helper()
	var body graphFailure
	c.decode(response, &body)
	return response.StatusCode, body.Error.Code, body.Error.Message
}

// plainTokenRequest redeems a refresh token and leaves the answer as it is.
func plainTokenRequest(c *client, refreshToken string) *http.Response {
	app := c.tenant.Apps()[0]
	values := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret},
		"refresh_token": {refreshToken}, "scope": {graphScope}}
	r := httptest.NewRequest("POST", "/contoso/oauth2/v2.0/token", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.do(r)
}

func readAll(t testing.TB, r *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
