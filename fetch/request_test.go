package fetch

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serve runs a real HTTP server and reads from it once.
func serve(t *testing.T, h http.HandlerFunc) (*got, *tokens, Result, error) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	w := window(noon.Add(-time.Hour), 0)
	w.BaseURL = server.URL
	all, source := &got{}, &tokens{}
	result, err := NewClient(server.Client(), Options{Version: "1.2.3", PageLimit: 1 << 20}).Read(t.Context(), w, source, all.emit)
	return all, source, result, err
}

func wantKind(t *testing.T, err error, kind Kind) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("got %v, want kind %s", err, kind)
	}
	if text := err.Error(); strings.Contains(text, "secret-token") || strings.ContainsAny(text, "\r\n\t\x00") || len(text) > 2000 {
		t.Errorf("not fit for a log: %q", text)
	}
	return e
}

func TestRequestHeaders(t *testing.T) {
	guid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	_, _, _, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{
			"Prefer":          "include-unknown-enum-members",
			"Accept":          "application/json",
			"Authorization":   "Bearer secret-token-1",
			"User-Agent":      "fluent-bit-defender/1.2.3",
			"Accept-Encoding": "gzip",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if id := r.Header.Get("client-request-id"); !guid.MatchString(id) {
			t.Errorf("client-request-id %q", id)
		}
		if r.URL.Path != "/v1.0/security/alerts_v2" || strings.Contains(r.URL.RawQuery, "+") {
			t.Errorf("asked %s", r.URL)
		}
		io.WriteString(w, `{"value":[]}`)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestGzip(t *testing.T) {
	body := sample(t, "graph-alerts_v2.json")
	all, _, result, err := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(body)
		z.Close()
	})
	if err != nil || all.rows != 1 || result.Bytes != int64(len(body)) {
		t.Fatalf("got %d rows, %+v, %v", all.rows, result, err)
	}
	if !all.seen["da637551227677560813_-961444813"][ticks(at("2021-05-02T14:19:01.3266667Z"))] {
		t.Errorf("got %v", all.seen)
	}
}

func TestBadAnswers(t *testing.T) {
	zipped := func(body string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, body)
		z.Close()
		return b.Bytes()
	}
	whole := zipped(`{"value":[` + strings.Repeat(`{"id":"a"},`, 500) + `{"id":"b"}]}`)
	for name, c := range map[string]struct {
		header [2]string
		body   []byte
		says   string
	}{
		"HTML":            {[2]string{"Content-Type", "text/html"}, []byte("<!DOCTYPE html><title>Sign in</title>"), "proxy or sign-in portal"},
		"HTML as JSON":    {[2]string{"Content-Type", "application/json"}, []byte("\n <html>"), "HTML or XML"},
		"empty":           {[2]string{}, nil, "body is empty"},
		"cut JSON":        {[2]string{}, []byte(`{"value":[{"id":"a"},{"id"`), "cut off"},
		"cut before rows": {[2]string{}, []byte(`{`), "cut off"},
		"junk behind":     {[2]string{}, []byte(`{"value":[]} {}`), "more after the end"},
		"raw control":     {[2]string{}, []byte("{\"value\":[\"a\nb\"]}"), "not valid JSON at byte"},
		"no value":        {[2]string{}, []byte(`{"error":{"code":"x"}}`), `no "value"`},
		"value no array":  {[2]string{}, []byte(`{"value":{}}`), "not an array"},
		"array":           {[2]string{}, []byte(`[]`), "not a JSON object"},
		"nextLink number": {[2]string{}, []byte(`{"value":[],"@odata.nextLink":5}`), "not a string"},
		"cut gzip":        {[2]string{"Content-Encoding", "gzip"}, whole[:len(whole)/2], "cut off"},
		"broken gzip":     {[2]string{"Content-Encoding", "gzip"}, []byte("this is not gzip at all"), "gzip"},
		"nested":          {[2]string{}, []byte(`{"value":[` + strings.Repeat("[", 300_000)), "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			all, _, _, err := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.header[0] != "" {
					w.Header().Set(c.header[0], c.header[1])
				}
				w.Header().Set("request-id", "11111111-2222-3333-4444-555555555555")
				w.Write(c.body)
			})
			e := wantKind(t, err, BadAnswer)
			if !strings.Contains(e.Error(), c.says) || !strings.Contains(e.Error(), "11111111-2222") {
				t.Errorf("says %q, want %q and the request-id", e, c.says)
			}
			if len(all.pages) != 0 {
				t.Errorf("emitted %+v", all.pages)
			}
		})
	}
}

func TestBodyShorterThanAnnounced(t *testing.T) {
	_, _, _, err := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, `{"value":[]}`)
	})
	wantKind(t, err, BadAnswer)
}

// TestBomb: a small body that decompresses to more than the limit.
func TestBomb(t *testing.T) {
	_, _, result, err := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, `{"value":["`)
		z.Write(bytes.Repeat([]byte("0"), 2<<20))
		io.WriteString(z, `"]}`)
		z.Close()
	})
	if e := wantKind(t, err, TooLarge); !strings.Contains(e.Message, "1048576 bytes") || result.Requests > 6 {
		t.Errorf("got %v after %d requests", e, result.Requests)
	}
}

func TestUnauthorized(t *testing.T) {
	requests := 0
	_, source, _, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		_, header, _ := strings.Cut(string(sample(t, "graph-401-cae.http.txt")), "WWW-Authenticate: ")
		w.Header().Set("WWW-Authenticate", strings.TrimSpace(header))
		w.WriteHeader(401)
	})
	e := wantKind(t, err, Unauthorized)
	if requests != 2 || len(source.rejected) != 1 || source.rejected[0] != "secret-token-1" {
		t.Errorf("%d requests, rejected %v", requests, source.rejected)
	}
	if !strings.HasPrefix(e.Message, "insufficient_claims: Continuous access evaluation") {
		t.Errorf("says %q", e.Message)
	}
}

// TestExpiryMidRead: a token that dies between two pages is replaced.
func TestExpiryMidRead(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.spread(40, noon.Add(-time.Hour), noon)
	g.answer = func(n int, r *http.Request) *http.Response {
		if n >= 3 && r.Header.Get("Authorization") == "Bearer secret-token-1" {
			return g.reply(r, 401, "")
		}
		return nil
	}
	all, source := &got{}, &tokens{}
	result, err := g.client().Read(t.Context(), window(noon.Add(-time.Hour), 10), source, all.emit)
	if err != nil || !result.Complete || len(source.rejected) != 1 {
		t.Fatalf("%+v, %v, rejected %v", result, err, source.rejected)
	}
	everything(t, g, all)
}

func TestTokenErrorIsUnwrapped(t *testing.T) {
	dead := errors.New("AADSTS700082: the refresh token has expired")
	g := &fakeGraph{now: noon}
	_, err := g.client().Read(t.Context(), window(noon, 0), &tokens{err: dead}, func(Page) error { return nil })
	wantKind(t, err, Token)
	if !errors.Is(err, dead) || g.requests != 0 {
		t.Errorf("got %v after %d requests", err, g.requests)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		kind   Kind
		says   []string
	}{
		"missing roles":  {403, string(sample(t, "graph-403-missing-roles.json")), Forbidden, []string{"Forbidden", "application permission SecurityAlert.Read.All", "00000000-0000"}},
		"missing scopes": {403, `{"error":{"code":"Forbidden","message":"Missing application scopes. API required scopes: SecurityAlert.Read.All"}}`, Forbidden, []string{"delegated permission SecurityAlert.Read.All"}},
		"claims":         {403, `{"error":{"code":"insufficient_claims"}}`, Forbidden, []string{"Conditional Access"}},
		"no body":        {403, ``, Forbidden, []string{"Forbidden", "Security Reader"}},
		"throttled":      {429, string(sample(t, "graph-429.json")), Throttled, []string{"TooManyRequests", "Too many requests."}},
		"bandwidth":      {509, ``, Throttled, nil},
		"bad request":    {400, `{"error":{"code":"","message":"Invalid filter clause","innererror":{"request-id":"abc"}}}`, BadRequest, []string{"Invalid filter clause", "[request-id abc]"}},
		"not found":      {404, `<html>`, NotFound, []string{"Not Found", "Graph_Url"}},
		"server":         {501, ``, Server, nil},
		"no content":     {204, ``, BadAnswer, []string{"No Content"}},
		"dirty":          {400, "{\"error\":{\"code\":\"x\",\"message\":\"a\\nb\\u0000\\u001b[31m\\u202e " + strings.Repeat("long ", 500) + "\"}}", BadRequest, []string{"a b [31m long"}},
		"echo":           {400, `{"error":{"message":"Authorization: Bearer secret-token-1"}}`, BadRequest, []string{"Bearer [token]"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			e := wantKind(t, err, c.kind)
			for _, s := range append(c.says, "reading feed alerts") {
				if !strings.Contains(e.Error(), s) {
					t.Errorf("%q does not say %q", e, s)
				}
			}
		})
	}
}

// TestRedirect: no token goes where an answer points.
func TestRedirect(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	defer other.Close()
	_, _, _, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/login", http.StatusFound)
	})
	if e := wantKind(t, err, BadAnswer); e.Status != 302 || !strings.Contains(e.Message, other.URL) {
		t.Errorf("got %v", e)
	}
}

// TestNextLinks: only the same scheme and host, and no circle.
func TestNextLinks(t *testing.T) {
	for name, c := range map[string]struct{ link, says string }{
		"other host":        {"https://evil.example/v1.0/security/alerts_v2?$skip=1", "another host, https://evil.example"},
		"other scheme":      {"http://graph.microsoft.com/v1.0/security/alerts_v2", "another host, http://"},
		"other port":        {"https://graph.microsoft.com:8443/", "another host"},
		"userinfo":          {"https://graph.microsoft.com@evil.example/", "another host"},
		"user, same host":   {"https://user:pass@graph.microsoft.com/", "another host"},
		"scheme, same port": {"http://graph.microsoft.com:443/", "another host"},
		"no scheme":         {"//evil.example/v1.0", "another host"},
		"no URL":            {"https://[", "no URL"},
		"circle":            {"https://GRAPH.microsoft.com:443/v1.0/security/alerts_v2?again", "circle"},
		"relative":          {"alerts_v2?again", "circle"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &fakeGraph{now: noon}
			g.answer = func(_ int, r *http.Request) *http.Response {
				if r.URL.Hostname() != "graph.microsoft.com" && r.URL.Hostname() != "GRAPH.microsoft.com" || r.URL.Path != "/v1.0/security/alerts_v2" {
					t.Errorf("asked %s", r.URL)
				}
				return g.reply(r, 200, `{"value":[],"@odata.nextLink":"`+c.link+`"}`)
			}
			all, e := readError(t, g, window(noon.Add(-time.Hour), 0), BadAnswer)
			if !strings.Contains(e.Message, c.says) || g.requests > 5 {
				t.Errorf("%d requests, says %q", g.requests, e)
			}
			if !all.through.IsZero() {
				t.Errorf("through %s", all.through)
			}
		})
	}
}

func TestTimeoutShrinksThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGraph{now: noon}
		g.spread(5, noon.Add(-time.Hour), noon)
		c := NewClient(&http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			if at0(r.URL.Query().Get("$top")) > 100 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return g.RoundTrip(r)
		})}, Options{})
		all, start := &got{}, time.Now()
		result, err := c.Read(t.Context(), window(noon.Add(-time.Hour), 0), &tokens{}, all.emit)
		if err != nil || result.Requests != 4 { // 1000, 500, 125, then 15
			t.Fatalf("%+v, %v", result, err)
		}
		if took := time.Since(start); took != 3*time.Minute {
			t.Errorf("three timeouts took %s", took)
		}
		everything(t, g, all)
	})
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	w := window(noon, 0)
	w.BaseURL = server.URL
	result, err := NewClient(nil, Options{}).Read(t.Context(), w, &tokens{}, func(Page) error { return nil })
	if e := wantKind(t, err, Network); result.Requests != 1 || strings.Contains(e.Message, "filter") {
		t.Errorf("%+v, %v", result, e)
	}
}
