package fetch

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// parsed parses a body as the alerts feed does.
func parsed(t testing.TB, body string) *page {
	t.Helper()
	feed, _ := Lookup("alerts")
	p := &page{body: []byte(body)}
	if err := p.parse(feed); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRowsThatCannotBeRead(t *testing.T) {
	p := parsed(t, `{"value":[
		{"id":"a","lastUpdateDateTime":"2026-11-23T10:00:00.1234567Z"},
		{"lastUpdateDateTime":"2026-11-23T10:00:00Z"},
		{"id":"no time"}, {"id":"bad","lastUpdateDateTime":"yesterday"}, {"id":7,"lastUpdateDateTime":7},
		{"id":"never","lastUpdateDateTime":"0001-01-01T00:00:00Z"},
		{"id":"beyond","lastUpdateDateTime":"9999-12-31T23:59:59-01:00"},
		{"id":"\u0061\"","id":"second","lastUpdateDateTime":"2026-11-23T12:00:00+02:00"},
		{"\u0069d":"escaped name"}, {},
		null, "text", 12, [1], "`+"\xff"+`"], "value":[{"id":"duplicate"}], "@odata.nextLink": null}`)
	want := []struct{ id, at string }{
		{"a", "2026-11-23T10:00:00.1234567Z"}, {"", "2026-11-23T10:00:00Z"}, {"no time", ""}, {"bad", ""}, {"", ""},
		{"never", ""}, {"beyond", ""}, {`a"`, "2026-11-23T10:00:00Z"}, {"escaped name", ""}, {"", ""},
		{"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""},
	}
	if len(p.alerts) != len(want) || p.next != "" {
		t.Fatalf("%d rows, want %d; next %q", len(p.alerts), len(want), p.next)
	}
	for i, w := range want {
		var version time.Time
		if w.at != "" {
			version = at(w.at)
		}
		if a := p.alerts[i]; a.ID != w.id || !a.Version.Equal(version) {
			t.Errorf("row %d: got %q at %s, want %q at %s: %s", i, a.ID, a.Version, w.id, version, a.Raw)
		}
	}
	if got := string(p.alerts[10].Raw); got != "null" {
		t.Errorf("raw %q", got)
	}
}

func TestExtent(t *testing.T) {
	row := func(s string) string { return `{"lastUpdateDateTime":"2026-11-23T10:00:` + s + `"}` }
	for name, c := range map[string]struct {
		rows      []string
		ascending bool
	}{
		"rising with ties":   {[]string{row("01.2Z"), row("01.2Z"), row("01.25Z")}, true},
		"as text, not time":  {[]string{row("59Z"), row("59.2Z"), row("59.25Z"), row("59.2500001Z")}, true},
		"falling":            {[]string{row("02Z"), row("01Z")}, false},
		"unreadable between": {[]string{row("01Z"), "{}", row("02Z")}, true},
	} {
		p := parsed(t, `{"value":[`+strings.Join(c.rows, ",")+`]}`)
		if p.extent.ascending != c.ascending || p.extent.rows != len(c.rows) || p.extent.newest.Before(p.extent.oldest) {
			t.Errorf("%s: got %+v", name, p.extent)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "10": 10 * time.Second, " 10 ": 10 * time.Second, "0": 0, "-5": 0, "1.2": 2 * time.Second,
		"NaN": 0, "Inf": time.Hour, "1e999": time.Hour, "99999999999999999999": time.Hour, "7200": time.Hour,
		"Mon, 23 Nov 2026 12:01:30 GMT": 90 * time.Second, "Monday, 23-Nov-26 12:01:30 GMT": 90 * time.Second,
		"Mon, 23 Nov 2026 11:00:00 GMT": 0, "Fri, 31 Dec 9999 23:59:59 GMT": time.Hour, "soon": 0,
	} {
		if got := retryAfter(value, noon); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

// TestRetryAfterDate counts from the Date of the same answer, not from the host's clock.
func TestRetryAfterDate(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.answer = func(_ int, r *http.Request) *http.Response {
		a := g.reply(r, 429, string(sample(t, "graph-429.json")))
		a.Header.Set("Retry-After", "Mon, 23 Nov 2026 12:00:42 GMT")
		return a
	}
	if _, e := readError(t, g, window(noon, 0), Throttled); e.RetryAfter != 42*time.Second {
		t.Errorf("got %s", e.RetryAfter)
	}
}

func TestChallenge(t *testing.T) {
	_, header, _ := strings.Cut(string(sample(t, "graph-401-missing-token.http.txt")), "WWW-Authenticate: ")
	for value, want := range map[string]string{
		strings.TrimSpace(header):                        "invalid_token: The access token is missing.",
		`Bearer realm=""`:                                "",
		`Bearer error="insufficient_claims", claims="e"`: "insufficient_claims",
		`Negotiate`:                                      "",
	} {
		if got := challenge(http.Header{"Www-Authenticate": {value}}); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

func TestQuery(t *testing.T) {
	w := window(time.Time{}, 0)
	from, to := at("2026-11-23T10:00:00.12345678Z"), at("2026-11-23T11:00:00Z")
	for _, c := range []struct {
		severity string
		sources  []string
		s        slice
		want     string
	}{
		{"", nil, slice{from: from}, "lastUpdateDateTime ge 2026-11-23T10:00:00.1234567Z"},
		{"informational", nil, slice{from, to}, "lastUpdateDateTime ge 2026-11-23T10:00:00.1234567Z and lastUpdateDateTime lt 2026-11-23T11:00:00.0000000Z"},
		{"Medium", nil, slice{from: to}, "lastUpdateDateTime ge 2026-11-23T11:00:00.0000000Z and severity ne 'informational' and severity ne 'low'"},
		{"", []string{"microsoftDefenderForEndpoint", "o'x&y"}, slice{from: to}, "lastUpdateDateTime ge 2026-11-23T11:00:00.0000000Z and (serviceSource eq 'microsoftDefenderForEndpoint' or serviceSource eq 'o''x&y')"},
	} {
		w.MinSeverity, w.ServiceSources, w.BaseURL = c.severity, c.sources, "https://graph.microsoft.com/"
		r, err := http.NewRequest("GET", w.query(c.s, 1000, true), nil)
		if err != nil {
			t.Fatal(err)
		}
		q := r.URL.Query()
		if got := q.Get("$filter"); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if q.Get("$top") != "1000" || q.Get("$orderby") != "lastUpdateDateTime asc" || r.URL.Path != "/v1.0/security/alerts_v2" || len(q) != 3 {
			t.Errorf("got %s", r.URL)
		}
	}
}

func TestLookupAndScope(t *testing.T) {
	if _, ok := Lookup("incident"); ok {
		t.Error("a feed that does not exist")
	}
	one, _ := Lookup("alerts")
	one.PageSize = 1
	if two, ok := Lookup("alerts"); !ok || two.PageSize != 1000 {
		t.Error("callers share a Feed")
	}
	for graph, want := range map[string]string{
		"https://graph.microsoft.com":          "https://graph.microsoft.com/.default",
		"https://GRAPH.microsoft.us:443/":      "https://graph.microsoft.us/.default",
		"https://dod-graph.microsoft.us":       "https://dod-graph.microsoft.us/.default",
		"http://127.0.0.1:8080":                "https://graph.microsoft.com/.default",
		"https://graph.microsoft.us.contoso.c": "https://graph.microsoft.com/.default",
		"%":                                    "https://graph.microsoft.com/.default",
	} {
		if got := Scope(graph); got != want {
			t.Errorf("%s: got %s, want %s", graph, got, want)
		}
	}
}

// FuzzPageTakesOnlyWholeJSON: what parse takes is JSON with every row in its
// place; what it refuses gives an error and never a panic.
func FuzzPageTakesOnlyWholeJSON(f *testing.F) {
	f.Add(string(sample(f, "graph-alerts_v2.json")))
	f.Add(string(sample(f, "graph-429.json")))
	f.Add(`{"value":[{"id":"a","lastUpdateDateTime":"2026-11-23T10:00:00Z"},1,null],"@odata.nextLink":"x"}`)
	f.Add(`{"value":[{"id":"a"`)
	f.Add(`<html>`)
	feed, _ := Lookup("alerts")
	f.Fuzz(func(t *testing.T, body string) {
		p := &page{body: []byte(body)}
		if err := p.parse(feed); err != nil {
			if err.Error() == "" {
				t.Error("an error that says nothing")
			}
			return
		}
		if utf8.ValidString(body) && !json.Valid([]byte(body)) {
			t.Fatalf("took invalid JSON %q", body)
		}
		if len(p.alerts) != p.extent.rows {
			t.Error("rows are not counted")
		}
		for _, a := range p.alerts {
			if utf8.Valid(a.Raw) && !json.Valid(a.Raw) {
				t.Errorf("row %q", a.Raw)
			}
		}
	})
}

// FuzzTimeSurvivesTheFilter: a version that was read can be asked for, and
// means the same tick.
func FuzzTimeSurvivesTheFilter(f *testing.F) {
	for _, s := range []string{"2021-05-02T14:19:01.3266667Z", "2026-11-23T10:00:59.2Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "2026-02-30T00:00:00Z", "2026-11-23T24:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := readTime(s)
		if v.IsZero() {
			return
		}
		if back := readTime(v.Format(stamp)); !back.Equal(v.Truncate(tick)) {
			t.Errorf("%q became %s", s, back)
		}
	})
}

// FuzzRetryAfterIsBounded: whatever the header says, the wait is sane.
func FuzzRetryAfterIsBounded(f *testing.F) {
	for _, s := range []string{"1", "-1", "1e400", "0x10", "Mon, 23 Nov 2026 12:01:30 GMT", "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(s, noon); d < 0 || d > longestWait {
			t.Errorf("%q: %s", s, d)
		}
	})
}

// FuzzOneLine: a text of Microsoft's becomes one bounded, printable line.
func FuzzOneLine(f *testing.F) {
	f.Add("a\r\nb\x00\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		line := oneLine(s, 20)
		if n := utf8.RuneCountInString(line); n > 41 { // a gap may precede each
			t.Errorf("%d runes", n)
		}
		for _, r := range line {
			if !unicode.IsPrint(r) {
				t.Errorf("%q in %q", r, line)
			}
		}
	})
}
