package auth

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fluent-bit-defender/internal/secret"
)

// over serves handler on a real connection and returns a Source that asks it.
func over(t *testing.T, a Account, handler http.Handler) *Source {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	a.LoginURL = server.URL
	s := NewSource(a, Options{HTTP: server.Client()})
	t.Cleanup(s.Close)
	return s
}

func TestRequests(t *testing.T) {
	public := contoso()
	public.ClientSecret = secret.Text{}
	app := contoso()
	app.RefreshToken = secret.Text{}
	for name, test := range map[string]struct {
		account Account
		form    url.Values
	}{
		"refresh token": {contoso(), url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {"seed-1"}, "client_secret": {"client~secret+1"},
			"scope": {graph + " offline_access"}, "client_id": {"00001111-aaaa-2222-bbbb-3333cccc4444"},
		}},
		"refresh token of a public client": {public, url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {"seed-1"},
			"scope": {graph + " offline_access"}, "client_id": {"00001111-aaaa-2222-bbbb-3333cccc4444"},
		}},
		"client credentials": {app, url.Values{
			"grant_type": {"client_credentials"}, "client_secret": {"client~secret+1"},
			"scope": {graph}, "client_id": {"00001111-aaaa-2222-bbbb-3333cccc4444"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra()
			var method, path, query, kind string
			e.before = func(r *http.Request) {
				method, path, query, kind = r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type")
			}
			mustToken(t, over(t, test.account, e), graph)
			if got, want := e.forms[0].Encode(), test.form.Encode(); got != want {
				t.Errorf("form %s, want %s", got, want)
			}
			if method != "POST" || path != "/"+loginID+"/oauth2/v2.0/token" || query != "" || kind != "application/x-www-form-urlencoded" {
				t.Errorf("%s %s?%s as %s", method, path, query, kind)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s followed the redirect", r.Method)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := over(t, contoso(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		}))
		if d := mustFail(t, s, graph); d.Status != status || d.Retry != Slow || !strings.Contains(d.Action, "Login_Url") {
			t.Errorf("%d: %v", status, d)
		}
	}
}

func TestAnswersNotFromEntra(t *testing.T) {
	token := `{"access_token":"access-of-contoso","token_type":"Bearer","expires_in":3599}`
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		retry  Retry
		says   string
	}{
		"a portal's page":   {say(200, "text/html", "<html>Please sign in</html>"), Soon, "web page, not JSON (HTTP 200, text/html)"},
		"nothing":           {say(200, "", ""), Soon, "the answer is empty"},
		"cut JSON":          {say(200, "application/json", token[:40]), Soon, "cut JSON"},
		"a cut body":        {cut(token), Soon, "unexpected EOF"},
		"too much":          {say(200, "application/json", strings.Repeat(" ", answerLimit)+token), Soon, "larger than 1 MiB"},
		"token under 201":   {say(201, "application/json", token), Slow, "HTTP 201"},
		"token under 500":   {say(500, "application/json", token), Soon, "HTTP 500"},
		"a gateway's 502":   {say(502, "text/html", "<html>Bad Gateway</html>"), Soon, "passing fault"},
		"not found":         {say(404, "text/html", "<html>"), Slow, "check Login_Url"},
		"proxy's sign-in":   {say(407, "text/plain", "who are you"), Slow, "proxy"},
		"time-out":          {say(408, "text/plain", ""), Soon, "passing fault"},
		"plain 429":         {say(429, "text/plain", "Too Many Requests"), Soon, "throttling"},
		"not HTTP":          {garbage, Soon, "could not be reached"},
		"connection closed": {hangUp, Soon, "could not be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustFail(t, over(t, contoso(), test.answer), graph)
			if d.Retry != test.retry || !strings.Contains(d.Error(), test.says) {
				t.Errorf("retry %v: %v", d.Retry, d)
			}
			if strings.Contains(d.Error(), "access-of") {
				t.Errorf("the body shows: %v", d)
			}
		})
	}
}

func say(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func cut(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		fmt.Fprint(w, body[:len(body)/2])
	}
}

// garbage answers with the refresh token and the secret where a status line is due.
func garbage(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	conn, _, _ := w.(http.Hijacker).Hijack()
	fmt.Fprintf(conn, "seed-1 client~secret+1\r\n\r\n")
	_ = conn.Close()
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, _ := w.(http.Hijacker).Hijack()
	_ = conn.Close()
}

func TestNetworkErrorsShowNoSecret(t *testing.T) {
	d := mustFail(t, over(t, contoso(), http.HandlerFunc(garbage)), graph)
	for _, text := range []string{d.Error(), d.Err.Error(), fmt.Sprintf("%+v", d)} {
		if strings.Contains(text, "seed-1") || strings.Contains(text, "client~secret") {
			t.Errorf("a secret shows: %s", text)
		}
	}
}

func TestBadAddress(t *testing.T) {
	a := contoso()
	a.LoginURL = "https://exa mple"
	s := NewSource(a, Options{})
	defer s.Close()
	if d := mustFail(t, s, graph); d.Retry != Never || !strings.Contains(d.Action, "Login_Url") {
		t.Errorf("got %v", d)
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Mon, 23 Nov 2026 20:00:00 GMT"
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // a host clock years off
	for _, test := range []struct {
		date, after string
		want        time.Duration
	}{
		{date, "60", time.Minute},
		{date, " 60 ", time.Minute},
		{date, "0", 0},
		{date, "", 0},
		{date, "-5", 0},
		{date, "tomorrow", 0},
		{date, "99999", longestWait},
		{date, "99999999999999999999", 0},
		{date, "Mon, 23 Nov 2026 20:02:00 GMT", 2 * time.Minute},
		{date, "Mon, 23 Nov 2026 19:02:00 GMT", 0},
		{date, "Mon, 23 Nov 2099 19:02:00 GMT", longestWait},
		{"", "Wed, 01 Jan 2020 00:00:30 GMT", 30 * time.Second},
	} {
		resp := &http.Response{Header: http.Header{"Date": {test.date}, "Retry-After": {test.after}}}
		if got := retryAfter(resp, now); got != test.want {
			t.Errorf("Retry-After %q at %q: %v, want %v", test.after, test.date, got, test.want)
		}
	}
}

func TestClientCredentialsTouchNoStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := contoso()
		a.RefreshToken = secret.Text{}
		d := newDisk()
		s := NewSource(a, Options{HTTP: newEntra().client(), Store: d})
		defer s.Close()
		mustToken(t, s, graph)
		if d.saves != 0 || len(d.values) != 0 {
			t.Error("the Store was written")
		}
	})
}

// TestRequestHasTheDocumentedFields holds the form to the sample in
// v2-oauth2-auth-code-flow.md, "Refresh the access token".
func TestRequestHasTheDocumentedFields(t *testing.T) {
	_, rest, _ := strings.Cut(string(sample(t, "token-requests.http.txt")), "# v2 refresh")
	_, body, _ := strings.Cut(rest, "\n\n")
	body, _, _ = strings.Cut(body, "    //")
	documented, err := url.ParseQuery(strings.ReplaceAll(body, "\n", ""))
	if err != nil || len(documented) != 5 {
		t.Fatalf("%d fields in the sample: %v", len(documented), err)
	}
	e := newEntra()
	mustToken(t, over(t, contoso(), e), graph)
	equal(t, "fields", slices.Sorted(maps.Keys(e.forms[0])), slices.Sorted(maps.Keys(documented)))
}

// TestDocumentedAnswersServed sends Microsoft's samples as they stand.
func TestDocumentedAnswersServed(t *testing.T) {
	serve := func(name string, status int) *Source {
		return over(t, contoso(), say(status, "application/json; charset=utf-8", string(sample(t, name))))
	}
	if got := mustToken(t, serve("token-v2-refresh-success.json", 200), graph); !strings.HasPrefix(got, "eyJ0eX") {
		t.Errorf("access token %q", got)
	}
	d := mustFail(t, serve("token-v1-error-invalid_grant.json", 400), graph)
	want := `tenant Contoso: refreshing the token for https://graph.microsoft.com/.default failed: ` +
		`the refresh token expired because it was not used for too long (AADSTS70008, invalid_grant); ` +
		`to be done by the person who signed in: sign in again with this account and app, and put the new refresh token into this tenant's Refresh_Token; ` +
		`answer: "AADSTS70002: Error validating credentials. AADSTS70008: The provided authorization code or refresh token is expired. Send a new interactive authorization request for this user and resource."; ` +
		`trace id 3939d04c-d7ba-42bf-9cb7-1e5854cdce9e; correlation id a8125194-2dc8-4078-90ba-7b6592a7f231`
	if d.Error() != want || d.Retry != Never {
		t.Errorf("got  %v\nwant %v", d, want)
	}
	if d := mustFail(t, serve("token-v2-error.json", 400), graph); d.Code != 70011 || d.OAuthError != "invalid_scope" {
		t.Errorf("got %v", d)
	}
}
