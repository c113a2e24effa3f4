package simulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// wired is a client of a listening simulator.
type wired struct {
	*client
	server *Server
	http   *http.Client
}

func newWired(t *testing.T, withTLS bool) *wired {
	t.Helper()
	c := newClient(t, Options{Behaviour: Behaviour{Limit: -1}})
	server, err := c.sim.Listen("127.0.0.1:0", withTLS)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // else it repeats a GET that was reset
	if withTLS {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(server.Certificate)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	c.signIn()
	c.tenant.AddBurst(10, time.Minute)
	return &wired{c, server, &http.Client{Transport: transport}}
}

// fetch reads a page over the wire.
func (w *wired) fetch(ctx context.Context, query string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", w.server.URL+"/v1.0/security/alerts_v2?"+query, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Authorization", "Bearer "+w.access)
	response, err := w.http.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

func TestFaultsOnTheWire(t *testing.T) {
	w := newWired(t, false)
	for _, test := range []struct {
		fault Fault
		check func(t *testing.T, r *http.Response, body string, err error)
	}{
		{Fault{Kind: Status, Status: 503, RetryAfter: "17"}, func(t *testing.T, r *http.Response, body string, err error) {
			if err != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") != "17" || !strings.Contains(body, "ServiceUnavailable") {
				t.Errorf("%v %s %v", r, body, err)
			}
		}},
		{Fault{Kind: HTML}, func(t *testing.T, r *http.Response, body string, err error) {
			if err != nil || r.StatusCode != 200 || !strings.HasPrefix(body, "<!DOCTYPE html>") {
				t.Errorf("%v %s %v", r, body, err)
			}
		}},
		{Fault{Kind: Reset}, func(t *testing.T, _ *http.Response, _ string, err error) {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}},
		{Fault{Kind: Abort}, func(t *testing.T, r *http.Response, body string, err error) {
			if !errors.Is(err, io.ErrUnexpectedEOF) || r.StatusCode != 200 {
				t.Errorf("%v, %d bytes", err, len(body))
			}
		}},
		{Fault{Kind: Cut}, func(t *testing.T, r *http.Response, body string, err error) {
			if err != nil || r.StatusCode != 200 || json.Valid([]byte(body)) || len(body) < 100 {
				t.Errorf("%v, %d bytes", err, len(body))
			}
		}},
		{Fault{Kind: Cut, Bytes: 11}, func(t *testing.T, _ *http.Response, body string, err error) {
			if err != nil || len(body) != 11 {
				t.Errorf("%v, %q", err, body)
			}
		}},
		{Fault{Kind: Big, Bytes: 1 << 20}, func(t *testing.T, r *http.Response, body string, err error) {
			if err != nil || len(body) != 1<<20 || !json.Valid([]byte(body)) || !r.Uncompressed {
				t.Errorf("%v, %d bytes", err, len(body))
			}
		}},
		{Fault{Kind: Slow, Delay: Duration(100 * time.Millisecond)}, func(t *testing.T, _ *http.Response, body string, err error) {
			if err != nil || !json.Valid([]byte(body)) {
				t.Errorf("%v, %d bytes", err, len(body))
			}
		}},
		{Fault{Kind: Partial206}, func(t *testing.T, r *http.Response, body string, err error) {
			if err != nil || r.StatusCode != 206 || !strings.HasPrefix(r.Header.Get("Warning"), "199 - ") || strings.Count(body, `"providerAlertId"`) != 5 {
				t.Errorf("%v %v", r, err)
			}
		}},
		{Fault{Kind: Warning199}, func(t *testing.T, r *http.Response, _ string, err error) {
			if err != nil || r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Warning"), "199 - ") {
				t.Errorf("%v %v", r, err)
			}
		}},
		{Fault{Kind: NoDate}, func(t *testing.T, r *http.Response, _ string, err error) {
			if err != nil || len(r.Header.Values("Date")) != 0 {
				t.Errorf("%v %v", r, err)
			}
		}},
		{Fault{Kind: ForeignAlert}, func(t *testing.T, _ *http.Response, body string, err error) {
			id, _ := w.sim.stranger(w.tenant)
			if err != nil || strings.Count(body, `"tenantId":"`+id+`"`) != 10 {
				t.Errorf("%v %.500s", err, body)
			}
		}},
	} {
		t.Run(string(test.fault.Kind), func(t *testing.T) {
			test.fault.Endpoint, test.fault.Count = Alerts, 1
			if err := w.sim.Fault(test.fault); err != nil {
				t.Fatal(err)
			}
			r, body, err := w.fetch(t.Context(), "")
			test.check(t, r, body, err)
			if r, body, err := w.fetch(t.Context(), ""); err != nil || r.StatusCode != 200 || strings.Count(body, `"providerAlertId"`) != 10 {
				t.Errorf("afterwards: %v %v", r, err)
			}
			if left := w.sim.Faults(); len(left) != 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

func TestHangEndsWithTheClientOrTheSimulator(t *testing.T) {
	w := newWired(t, false)
	if err := w.sim.Fault(Fault{Kind: Hang, Endpoint: Alerts}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := w.fetch(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("client's end: %v", err)
	}
	ended := make(chan error, 1)
	go func() { _, _, err := w.fetch(t.Context(), ""); ended <- err }()
	w.sim.Close()
	if err := <-ended; err == nil {
		t.Error("an answer came")
	}
}

func TestPageFaults(t *testing.T) {
	c := newClient(t, Options{Behaviour: Behaviour{Limit: -1}})
	c.tenant.AddBurst(10, time.Minute)
	set := func(f Fault) {
		t.Helper()
		f.Endpoint, f.Tenant = Alerts, "contoso"
		if err := c.sim.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	set(Fault{Kind: EmptyPage, Count: 3})
	empty := 0
	var got []string
	for target := "$top=4"; target != ""; {
		p := c.page(target)
		if len(p.Value) == 0 {
			empty++
		}
		got, target = append(got, p.ids()...), p.NextLink
	}
	if empty != 3 || len(got) != 10 {
		t.Errorf("%d empty pages, %d rows", empty, len(got))
	}
	set(Fault{Kind: LinkHost, Count: 1})
	if p := c.page("$top=4"); !strings.HasPrefix(p.NextLink, "https://graph.example.net/") {
		t.Errorf("%q", p.NextLink)
	}
	set(Fault{Kind: LinkLoop, Count: 2})
	if p := c.page("$top=4"); len(p.Value) != 4 || c.page(p.NextLink).NextLink != p.NextLink {
		t.Errorf("%q does not lead to itself", p.NextLink)
	}
	set(Fault{Kind: Status, Status: 400, Match: "$skiptoken"})
	p := c.page("$top=4")
	if r := c.get(p.NextLink); r.StatusCode != 400 {
		t.Errorf("expired nextLink: %d", r.StatusCode)
	}
	c.sim.ClearFaults()
	c.page(p.NextLink)
}

func TestFaultsWaitAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Behaviour: Behaviour{Limit: -1}})
		other, err := c.sim.AddTenant(TenantOptions{Name: "fabrikam"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.sim.Fault(Fault{Tenant: other.Domain, Endpoint: Alerts, Kind: Status}); err != nil {
			t.Fatal(err)
		}
		if err := c.sim.Fault(Fault{Endpoint: Alerts, Kind: Status, Status: 500, After: 2, For: Duration(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		var got []int
		for range 4 {
			got = append(got, c.get("").StatusCode)
		}
		time.Sleep(time.Minute + time.Second)
		got = append(got, c.get("").StatusCode)
		want := []int{200, 200, 500, 500, 200}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%v, want %v", got, want)
			}
		}
		if last := c.sim.Requests()[len(c.sim.Requests())-2]; last.Fault != Status || last.Status != 500 || last.Tenant != "contoso" {
			t.Errorf("logged %+v", last)
		}
	})
}

func TestTokenFaults(t *testing.T) {
	c := newClient(t, Options{})
	seed := c.tenant.Apps()[0].RefreshToken
	for _, text := range []string{"aadsts:53003@contoso", "status:429@contoso/token", "status:503@*/token", "html@contoso/token"} {
		f, err := ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		f.Count = 1
		if err := c.sim.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	if status, body := c.refresh(seed); status != 400 || body["error_codes"].([]any)[0] != 53003.0 {
		t.Errorf("%d %v", status, body)
	}
	w := plainTokenRequest(c, seed)
	if w.StatusCode != 429 || readAll(t, w) != "Too Many Requests" {
		t.Errorf("%d: Entra's 429 is plain text", w.StatusCode)
	}
	if status, body := c.refresh(seed); status != 503 || body["error"] != "temporarily_unavailable" {
		t.Errorf("%d %v", status, body)
	}
	if w := plainTokenRequest(c, seed); w.StatusCode != 200 || !strings.Contains(readAll(t, w), "<html>") {
		t.Errorf("%d: want a page with status 200", w.StatusCode)
	}
	c.signIn()
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	c := newClient(t, Options{})
	for _, f := range []Fault{
		{}, {Kind: Hang}, {Endpoint: Token, Kind: Partial206}, {Endpoint: Alerts, Kind: AADSTS}, {Endpoint: Alerts, Kind: Hang, Tenant: "nobody"},
		{Endpoint: Alerts, Kind: Status, Status: 7}, {Endpoint: Alerts, Kind: Raw, File: "testdata/none"}, {Endpoint: Alerts, Kind: Raw, Body: "HTTP/1.1 huh\n\n"},
	} {
		if err := c.sim.Fault(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	for _, text := range []string{"status:many", "aadsts", "hang:soon", "reset:1"} {
		if f, err := ParseFault(text); err == nil {
			t.Errorf("%q is %+v", text, f)
		}
	}
}

// Documented answers go out byte for byte, with their status and headers.
func TestDocumentedAnswersVerbatim(t *testing.T) {
	for _, test := range []struct {
		file   string
		at     Endpoint
		status int
		header [2]string
	}{
		{"graph-alerts_v2.json", Alerts, 200, [2]string{}},
		{"graph-429.json", Alerts, 429, [2]string{"Retry-After", "30"}},
		{"graph-403-missing-roles.json", Alerts, 403, [2]string{}},
		{"graph-401-cae.http.txt", Alerts, 401, [2]string{"Www-Authenticate", `error="insufficient_claims"`}},
		{"graph-401-missing-token.http.txt", Alerts, 401, [2]string{"Www-Authenticate", `error_description="The access token is missing.",`}},
		{"token-v2-refresh-success.json", Token, 200, [2]string{}},
		{"token-v2-client-credentials-success.json", Token, 200, [2]string{}},
		{"token-v2-error.json", Token, 400, [2]string{}},
	} {
		c := newClient(t, Options{})
		c.signIn()
		f := Fault{Kind: Raw, Endpoint: test.at, File: "testdata/" + test.file, Status: test.status}
		if test.header[0] == "Retry-After" {
			f.RetryAfter = test.header[1]
		}
		if err := c.sim.Fault(f); err != nil {
			t.Fatal(err)
		}
		response := plainTokenRequest(c, "any")
		if test.at == Alerts {
			response = c.get("")
		}
		want, err := os.ReadFile("testdata/" + test.file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(want), "HTTP/1.1") {
			want = nil
		}
		if got := readAll(t, response); response.StatusCode != test.status || got != string(want) {
			t.Errorf("%s: %d %.100q", test.file, response.StatusCode, got)
		}
		if test.header[0] != "" && !strings.Contains(response.Header.Get(test.header[0]), test.header[1]) {
			t.Errorf("%s: %v", test.file, response.Header)
		}
	}
}

func TestTLS(t *testing.T) {
	w := newWired(t, true)
	r, body, err := w.fetch(t.Context(), "$top=3")
	if err != nil || r.StatusCode != 200 {
		t.Fatalf("%v %v", r, err)
	}
	if !strings.Contains(body, `"@odata.nextLink":"`+w.server.URL+"/") {
		t.Errorf("nextLink is not on %s: %.200s", w.server.URL, body)
	}
	if err := w.sim.Fault(Fault{Endpoint: Alerts, Kind: Reset, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.fetch(t.Context(), ""); err == nil {
		t.Error("no reset")
	}
}
