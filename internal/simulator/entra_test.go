package simulator

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTokenRefusals(t *testing.T) {
	c := newClient(t, Options{})
	app := c.tenant.Apps()[0]
	for _, more := range []App{
		{ClientID: "public", RefreshToken: "public-refresh"},
		{ClientID: "expired", ClientSecret: "s", SecretExpired: true},
	} {
		if err := c.tenant.SetApp(more); err != nil {
			t.Fatal(err)
		}
	}
	other, err := c.sim.AddTenant(TenantOptions{Name: "fabrikam"})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.SetApp(app); err != nil { // the same app and its token there too
		t.Fatal(err)
	}
	elsewhere, err := c.sim.AddTenant(TenantOptions{Name: "adatum", Apps: []App{{ClientID: app.ClientID, ClientSecret: app.ClientSecret}}})
	if err != nil {
		t.Fatal(err)
	}
	good := []string{"grant_type", "refresh_token", "client_id", app.ClientID, "client_secret", app.ClientSecret, "refresh_token", app.RefreshToken, "scope", graphScope}
	with := func(changes ...string) []string { return append(slices.Clone(good), changes...) }
	for _, test := range []struct {
		name, tenant string
		form         []string
		status       int
		oauth        string
		code         float64
	}{
		{"right", c.tenant.ID, good, 200, "", 0},
		{"tenant by domain", "CONTOSO.onmicrosoft.com", good, 200, "", 0},
		{"at another tenant where it was registered", other.ID, good, 200, "", 0},
		{"at another tenant", elsewhere.ID, good, 400, "invalid_grant", 700005},
		{"unknown tenant", "litware.com", good, 400, "invalid_request", 90002},
		{"unknown client", c.tenant.ID, with("client_id", "nobody"), 400, "unauthorized_client", 700016},
		{"wrong secret", c.tenant.ID, with("client_secret", "wrong"), 401, "invalid_client", 7000215},
		{"no secret", c.tenant.ID, with("client_secret", ""), 401, "invalid_client", 7000218},
		{"expired secret", c.tenant.ID, with("client_id", "expired", "client_secret", "s"), 401, "invalid_client", 7000222},
		{"public client with a secret", c.tenant.ID, with("client_id", "public"), 401, "invalid_client", 700025},
		{"public client", c.tenant.ID, with("client_id", "public", "client_secret", "", "refresh_token", "public-refresh"), 200, "", 0},
		{"public client alone", c.tenant.ID, with("client_id", "public", "client_secret", "", "grant_type", "client_credentials"), 401, "invalid_client", 7000218},
		{"another client's token", c.tenant.ID, with("refresh_token", "public-refresh"), 400, "invalid_grant", 700007},
		{"no such token", c.tenant.ID, with("refresh_token", "junk"), 400, "invalid_grant", 9002313},
		{"no token", c.tenant.ID, with("refresh_token", ""), 400, "invalid_request", 900144},
		{"no grant", c.tenant.ID, with("grant_type", ""), 400, "invalid_request", 900144},
		{"password grant", c.tenant.ID, with("grant_type", "password"), 400, "unsupported_grant_type", 70003},
		{"v1 parameter", c.tenant.ID, with("resource", "https://graph.windows.net"), 400, "invalid_request", 901002},
		{"scope without consent", c.tenant.ID, with("scope", "https://graph.microsoft.com/Mail.Read"), 400, "invalid_grant", 65001},
		{"consented scope", c.tenant.ID, with("scope", "SecurityAlert.Read.All"), 200, "", 0},
		{"unknown resource", c.tenant.ID, with("scope", "https://api.example/.default"), 400, "invalid_resource", 500011},
		{"app only", c.tenant.ID, with("grant_type", "client_credentials", "scope", "https://graph.microsoft.com/.default"), 200, "", 0},
		{"app only, named scope", c.tenant.ID, with("grant_type", "client_credentials", "scope", "SecurityAlert.Read.All"), 400, "invalid_scope", 70011},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := c.form(test.tenant, test.form...)
			if status != test.status {
				t.Fatalf("status %d, want %d: %v", status, test.status, body)
			}
			if status == 200 {
				if body["token_type"] != "Bearer" || body["expires_in"] != 3599.0 {
					t.Errorf("%v", body)
				}
				return
			}
			if body["error"] != test.oauth || body["error_codes"].([]any)[0] != test.code {
				t.Errorf("%v %v, want %s %v", body["error"], body["error_codes"], test.oauth, test.code)
			}
		})
	}
}

func TestErrorBodyIsEntras(t *testing.T) {
	c := newClient(t, Options{})
	c.tenant.RevokeRefresh(70008)
	status, body := c.refresh(c.tenant.Apps()[0].RefreshToken)
	if status != 400 || body["error"] != "invalid_grant" {
		t.Fatalf("%d %v", status, body)
	}
	if codes := body["error_codes"].([]any); len(codes) != 2 || codes[0] != 70002.0 || codes[1] != 70008.0 {
		t.Errorf("codes %v: the decisive one comes second", codes)
	}
	want := regexp.MustCompile(`^AADSTS70002: .*AADSTS70008: .*\r\nTrace ID: [0-9a-f-]{36}\r\nCorrelation ID: [0-9a-f-]{36}\r\nTimestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$`)
	if !want.MatchString(body["error_description"].(string)) {
		t.Errorf("%q", body["error_description"])
	}
	if _, err := time.Parse("2006-01-02 15:04:05Z", body["timestamp"].(string)); err != nil {
		t.Error(err)
	}
}

func TestEveryCodeCanBeAskedFor(t *testing.T) {
	c := newClient(t, Options{})
	for _, code := range append(Codes(), 123456) {
		c.tenant.RefuseTokens(code)
		status, body := c.refresh(c.tenant.Apps()[0].RefreshToken)
		codes, _ := body["error_codes"].([]any)
		if status < 400 || len(codes) == 0 || codes[len(codes)-1] != float64(code) || body["error"] == "" {
			t.Errorf("%d: %d %v", code, status, body)
		}
		if strings.ContainsAny(body["error_description"].(string), "{}") {
			t.Errorf("%d: a placeholder is left in %q", code, body["error_description"])
		}
	}
	c.tenant.RefuseTokens(0)
	c.signIn()
}

func TestRotation(t *testing.T) {
	for _, test := range []struct {
		rotation Rotation
		again    int // status of the old token's second use
		next     bool
	}{{RotateKeep, 200, true}, {RotateRevoke, 400, true}, {RotateOmit, 200, false}} {
		c := newClient(t, Options{Behaviour: Behaviour{Rotation: test.rotation}})
		seed := c.tenant.Apps()[0].RefreshToken
		_, first := c.refresh(seed)
		next, has := first["refresh_token"].(string)
		if has != test.next || next == seed {
			t.Errorf("%q: new token %q", test.rotation, next)
		}
		if status, _ := c.refresh(seed); status != test.again {
			t.Errorf("%q: old token's second use: %d, want %d", test.rotation, status, test.again)
		}
		if !has {
			continue
		}
		if status, body := c.refresh(next); status != 200 || body["refresh_token"] == next {
			t.Errorf("%q: new token: %d %v", test.rotation, status, body["refresh_token"])
		}
	}
}

func TestNoNewTokenWithoutOfflineAccess(t *testing.T) {
	c := newClient(t, Options{})
	app := c.tenant.Apps()[0]
	_, body := c.form(c.tenant.ID, "grant_type", "refresh_token", "client_id", app.ClientID, "client_secret", app.ClientSecret,
		"refresh_token", app.RefreshToken, "scope", "https://graph.microsoft.com/.default")
	if _, has := body["refresh_token"]; has {
		t.Error("a refresh token that was not asked for")
	}
}

func TestRefreshTokenDiesUnused(t *testing.T) {
	c := newClient(t, Options{})
	seed := c.tenant.Apps()[0].RefreshToken
	_, body := c.refresh(seed)
	next := body["refresh_token"].(string)
	c.sim.SetClock(91 * 24 * time.Hour)
	if _, body := c.refresh(next); body["error_codes"].([]any)[0] != 700082.0 {
		t.Errorf("after 91 days: %v", body)
	}
	if err := c.sim.Grant(c.tenant, c.tenant.Apps()[0].ClientID, "fresh"); err != nil {
		t.Fatal(err)
	}
	if status, body := c.refresh("fresh"); status != 200 {
		t.Errorf("after a new sign-in: %v", body)
	}
	if err := c.sim.Grant(c.tenant, "other-app", "fresh"); !errors.Is(err, ErrTaken) {
		t.Errorf("the same token for another app: %v", err)
	}
}

func TestSecretInBasicAuth(t *testing.T) {
	c := newClient(t, Options{})
	if err := c.tenant.SetApp(App{ClientID: "basic", ClientSecret: "p+ss:w%rd"}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/contoso/oauth2/v2.0/token", strings.NewReader("grant_type=client_credentials&scope=https://graph.microsoft.com/.default"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("basic", url.QueryEscape("p+ss:w%rd"))
	if response := c.do(r); response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestAccessTokenLooksLikeOne(t *testing.T) {
	c := newClient(t, Options{Behaviour: Behaviour{TokenLifetime: Duration(5 * time.Minute)}})
	c.signIn()
	parts := strings.Split(c.access, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var got claims
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.Audience != "https://graph.microsoft.com" || got.TenantID != c.tenant.ID || got.Scopes != DefaultPermission ||
		got.Kind != "user" || got.Expires-got.IssuedAt != 300 {
		t.Errorf("%+v", got)
	}
}
