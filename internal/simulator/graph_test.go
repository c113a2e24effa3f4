package simulator

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGraphRefusesTokens(t *testing.T) {
	c := newClient(t, Options{})
	c.signIn()
	good := c.access
	app := c.tenant.Apps()[0]
	_, body := c.form(c.tenant.ID, "grant_type", "refresh_token", "client_id", app.ClientID, "client_secret", app.ClientSecret,
		"refresh_token", app.RefreshToken, "scope", "https://api.securitycenter.microsoft.com/.default")
	foreign := body["access_token"].(string)
	for _, test := range []struct{ name, header, want string }{
		{"none", "", "Access token is empty."},
		{"basic", "Basic Zm9vOmJhcg==", "Access token is empty."},
		{"junk", "Bearer junk", "JWT is not well formed"},
		{"forged", "Bearer " + good[:len(good)-4] + "AAAA", "signature is not valid"},
		{"for another API", "Bearer " + foreign, "Invalid audience"},
	} {
		r := httptest.NewRequest("GET", "/v1.0/security/alerts_v2", nil)
		r.Header.Set("Authorization", test.header)
		response := c.do(r)
		status, code, message := c.failure(response)
		if status != 401 || code != "InvalidAuthenticationToken" || !strings.Contains(message, test.want) {
			t.Errorf("%s: %d %s %q", test.name, status, code, message)
		}
		if !strings.HasPrefix(response.Header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: no challenge", test.name)
		}
	}
	c.sim.SetClock(59 * time.Minute)
	c.page("")
	c.sim.SetClock(61 * time.Minute)
	if status, _, message := c.failure(c.get("")); status != 401 || !strings.Contains(message, "expired") {
		t.Errorf("after an hour: %d %q", status, message)
	}
	c.signIn()
	c.page("")
	c.tenant.RevokeAccess()
	if status, _, _ := c.failure(c.get("")); status != 401 {
		t.Errorf("revoked: %d", status)
	}
	c.signIn()
	c.page("")
}

func TestForbiddenWithoutPermission(t *testing.T) {
	c := newClient(t, Options{})
	for _, app := range []App{
		{ClientID: "bare", ClientSecret: "s", Permissions: []string{}},
		{ClientID: "incidents", ClientSecret: "s", Permissions: []string{"SecurityIncident.Read.All"}},
	} {
		if err := c.tenant.SetApp(app); err != nil {
			t.Fatal(err)
		}
		_, body := c.form(c.tenant.ID, "grant_type", "client_credentials", "client_id", app.ClientID, "client_secret", "s", "scope", "https://graph.microsoft.com/.default")
		c.access = body["access_token"].(string)
		response := c.get("")
		if app.ClientID == "incidents" {
			if response.StatusCode != 200 {
				t.Errorf("incident permissions open alerts too: %d", response.StatusCode)
			}
			continue
		}
		want := "Missing application roles. API required roles: SecurityAlert.Read.All,SecurityAlert.ReadWrite.All,SecurityIncident.Read.All,SecurityIncident.ReadWrite.All, application roles: ."
		if status, code, message := c.failure(response); status != 403 || code != "Forbidden" || message != want {
			t.Errorf("%d %s %q", status, code, message)
		}
	}
}

func TestThrottle(t *testing.T) {
	for _, form := range []RetryAfter{RetrySeconds, RetryDate, RetryAbsent, RetryAbsurd} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, Options{Behaviour: Behaviour{RetryAfter: form}})
			for range DefaultLimit {
				c.page("")
			}
			time.Sleep(15*time.Second + time.Millisecond)
			response := c.get("")
			if status, code, message := c.failure(response); status != 429 || code != "TooManyRequests" || message != "Too many requests." {
				t.Fatalf("%d %s %q", status, code, message)
			}
			want := map[RetryAfter]string{
				RetrySeconds: "45", RetryAbsent: "", RetryAbsurd: "31536000",
				RetryDate: time.Now().UTC().Add(45 * time.Second).Format(http.TimeFormat),
			}[form]
			if got := response.Header.Get("Retry-After"); got != want {
				t.Errorf("Retry-After %q, want %q", got, want)
			}
			time.Sleep(45 * time.Second)
			c.page("")
			if got := c.sim.Counts("contoso").Statuses[429]; got != 1 {
				t.Errorf("%d throttled", got)
			}
		})
	}
}

func TestLimitIsPerAppAndTenant(t *testing.T) {
	c := newClient(t, Options{Behaviour: Behaviour{Limit: 1}})
	c.page("")
	if err := c.tenant.SetApp(App{ClientID: "second", RefreshToken: "second-refresh"}); err != nil {
		t.Fatal(err)
	}
	first := c.access
	_, body := c.form(c.tenant.ID, "grant_type", "refresh_token", "client_id", "second", "refresh_token", "second-refresh", "scope", graphScope)
	c.access = body["access_token"].(string)
	c.page("")
	c.access = first
	if response := c.get(""); response.StatusCode != 429 {
		t.Errorf("first app's second request: %d", response.StatusCode)
	}
	c.tenant.SetBehaviour(&Behaviour{Limit: -1})
	for range 500 {
		c.page("$top=1")
	}
}

func TestQueryOptions(t *testing.T) {
	c := newClient(t, Options{Behaviour: Behaviour{Limit: -1}})
	var ids []string
	for i := range 7 {
		ids = append(ids, c.tenant.AddAged(time.Duration(7-i)*time.Minute).ID)
	}
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	for _, test := range []struct {
		query string
		want  []string
	}{
		{"", newest},
		{"$top=2", newest[:2]},
		{"$top=2&$skip=3", newest[3:5]},
		{"$skip=9", nil},
		{"$orderby=lastUpdateDateTime asc", ids},
		{"$orderby=lastUpdateDateTime", ids},
		{"$orderby=createdDateTime desc&$top=1", newest[:1]},
		{"%24top=1", newest[:1]},
	} {
		if got := c.page(test.query).ids(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.query, got, test.want)
		}
	}
	if p := c.page("$count=true&$top=2"); p.Count == nil || *p.Count != 7 {
		t.Errorf("count %v", p.Count)
	}
	if p := c.page("$count=true&$filter=severity ne 'low' or severity eq 'low'"); *p.Count != 7 {
		t.Errorf("count %v with a filter", *p.Count)
	}
	for _, refused := range []string{"$skip=501", "$skip=-1", "$top=0", "$top=x", "$select=id", "$count=maybe", "$orderby=title", "$skiptoken=!!", "$top=1&$top=2",
		"$filter=investigationState eq 'running'", "$orderby=lastUpdateDateTime up"} {
		if status, code, message := c.failure(c.get(refused)); status != 400 || code != "BadRequest" || message == "" {
			t.Errorf("%s: %d %s %q", refused, status, code, message)
		}
	}
	c.tenant.SetBehaviour(&Behaviour{OrderBy: OrderReject})
	if response := c.get("$orderby=lastUpdateDateTime asc"); response.StatusCode != 400 {
		t.Errorf("rejected $orderby: %d", response.StatusCode)
	}
	c.tenant.SetBehaviour(&Behaviour{OrderBy: OrderIgnore})
	if got := c.page("$orderby=lastUpdateDateTime asc").ids(); !slices.Equal(got, newest) {
		t.Errorf("ignored $orderby: %v", got)
	}
}

func TestTopIsClamped(t *testing.T) {
	c := newClient(t, Options{})
	c.tenant.AddBurst(1001, time.Minute)
	for _, query := range []string{"", "$top=5000"} {
		if p := c.page(query); len(p.Value) != 1000 || p.NextLink == "" {
			t.Errorf("%q: %d rows, nextLink %q", query, len(p.Value), p.NextLink)
		}
	}
}

// A burst with one stamp spans pages, and while nothing changes every row
// comes exactly once.
func TestTiesStraddlePages(t *testing.T) {
	for _, behaviour := range []Behaviour{{Limit: -1}, {Limit: -1, Keyset: true}} {
		c := newClient(t, Options{Behaviour: behaviour})
		c.tenant.AddBurst(25, time.Minute)
		for _, order := range []string{"", "&$orderby=lastUpdateDateTime asc"} {
			ids := c.all("$top=10"+order, func() {})
			slices.Sort(ids)
			if len(ids) != 25 || len(slices.Compact(ids)) != 25 {
				t.Errorf("%+v %s: %d rows", behaviour, order, len(ids))
			}
		}
		stamps := map[any]bool{}
		for _, a := range c.page("").Value {
			stamps[a["lastUpdateDateTime"]] = true
		}
		if len(stamps) != 1 {
			t.Errorf("stamps %v", stamps)
		}
	}
}

// An update between two pages shifts the rows, so that one at the page's edge
// is never shown; in either order, and not in keyset mode.
func TestShiftingPagesSkipARow(t *testing.T) {
	const window = "$filter=lastUpdateDateTime lt 2100-01-01T00:00:00Z&$top=5"
	for _, test := range []struct {
		name, query string
		keyset      bool
		touched     int // which row is updated while the first page is being read
		bounded     bool
		missing     int
	}{
		{"ascending", window + "&$orderby=lastUpdateDateTime asc", false, 0, false, 1},
		{"ascending, keyset", window + "&$orderby=lastUpdateDateTime asc", true, 0, false, 0},
		{"newest first, bounded above", "$top=5", false, 9, true, 1},
		{"newest first, bounded above, keyset", "$top=5", true, 9, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, Options{Behaviour: Behaviour{Keyset: test.keyset}})
			var ids []string
			for i := range 10 {
				ids = append(ids, c.tenant.AddAged(time.Duration(60-i)*time.Minute).ID)
			}
			query := test.query
			if test.bounded {
				query += "&$filter=lastUpdateDateTime lt " + time.Now().Add(-time.Minute).UTC().Format("2006-01-02T15:04:05Z")
			}
			touched := ids[test.touched]
			got := c.all(query, func() {
				if _, err := c.tenant.Update(touched); err != nil {
					t.Fatal(err)
				}
			})
			missing := 0
			for _, id := range ids {
				if !slices.Contains(got, id) && id != touched {
					missing++
				}
			}
			if missing != test.missing {
				t.Errorf("%d rows never shown, want %d: %v", missing, test.missing, got)
			}
		})
	}
}

func TestPreferBringsOutNewerMembers(t *testing.T) {
	c := newClient(t, Options{})
	c.tenant.AddBurst(200, time.Minute)
	count := func(p page, source string) (n int) {
		for _, a := range p.Value {
			if a["serviceSource"] == source {
				n++
			}
		}
		return n
	}
	all := c.page("", "Prefer", "odata.maxpagesize=10, include-unknown-enum-members")
	plain := c.page("")
	sentinel, cloud := count(all, "microsoftSentinel"), count(all, "microsoftDefenderForCloud")
	if sentinel == 0 || cloud == 0 || count(all, "unknownFutureValue") != 0 {
		t.Errorf("with Prefer: %d and %d", sentinel, cloud)
	}
	if got := count(plain, "unknownFutureValue"); got != sentinel+cloud || count(plain, "microsoftSentinel") != 0 {
		t.Errorf("without: %d unknownFutureValue, want %d", got, sentinel+cloud)
	}
	if response := c.get("", "Prefer", "include-unknown-enum-members"); response.Header.Get("Preference-Applied") == "" {
		t.Error("no Preference-Applied")
	}
}

func TestGzipAndHeaders(t *testing.T) {
	c := newClient(t, Options{})
	c.tenant.AddBurst(50, time.Minute)
	c.sim.SetClock(-26 * time.Hour)
	response := c.get("", "Accept-Encoding", "br, gzip;q=0.8", "client-request-id", "11111111-2222-4333-8444-555555555555")
	if response.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v", response.Header)
	}
	zipped, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(zipped)
	if err != nil || !json.Valid(raw) {
		t.Fatalf("%v: %.80s", err, raw)
	}
	if got := response.Header.Get("Client-Request-Id"); got != "11111111-2222-4333-8444-555555555555" || response.Header.Get("Request-Id") == "" {
		t.Errorf("request ids: %v", response.Header)
	}
	date, err := http.ParseTime(response.Header.Get("Date"))
	if behind := time.Since(date); err != nil || behind < 25*time.Hour || behind > 27*time.Hour {
		t.Errorf("Date %v (%v), want a day ago", date, err)
	}
	for _, refuses := range []string{"", "br", "gzip;q=0"} {
		if plain := c.get("", "Accept-Encoding", refuses); plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding %q got %s", refuses, plain.Header.Get("Content-Encoding"))
		}
	}
}

func TestUnknownPath(t *testing.T) {
	c := newClient(t, Options{})
	if status, code, _ := c.failure(c.do(httptest.NewRequest("GET", "/v1.0/security/nonsense", nil))); status != 404 || code != "ResourceNotFound" {
		t.Errorf("%d %s", status, code)
	}
}

func ExampleSimulator() {
	sim := New(Options{Seed: 7})
	contoso, _ := sim.AddTenant(TenantOptions{Name: "contoso"})
	made := contoso.Add()
	_, owed := contoso.Owed()[made.ID]
	fmt.Println(owed, len(contoso.Owed()))
	// Output: true 1
}
