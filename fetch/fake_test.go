package fetch

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"context"
)

// fakeAlert is one alert as the service holds it now.
type fakeAlert struct {
	id      string
	version time.Time
	since   int // number of the request before which this version appeared
}

// asked is one first-page request that the fake answered.
type asked struct {
	number   int
	from, to time.Time
	top      int
}

func (a asked) covers(t time.Time) bool {
	return !t.Before(a.from) && (a.to.IsZero() || t.Before(a.to))
}

// fakeGraph answers like alerts_v2, as an http.RoundTripper: offset-based
// nextLinks over rows that may change between requests.
type fakeGraph struct {
	mu       sync.Mutex
	now      time.Time
	alerts   []fakeAlert
	sorted   []fakeAlert // alerts by version, nil after a change
	requests int
	log      []asked
	tops     []int
	links    int // nextLinks followed

	order     string // "" as asked, "desc", "reject", "random"
	cap       int    // pages are cut to this, 0 = as asked
	emptyHead bool   // the first page is empty and has a nextLink
	tail      bool   // the last page has a nextLink to an empty one
	noDate    bool

	// before runs before each request, with its number from 1.
	before func(n int)
	// answer may take a request over.
	answer func(n int, r *http.Request) *http.Response
	// padding is added to each row.
	padding string
}

var bounds = regexp.MustCompile(`^lastUpdateDateTime ge (\S+)(?: and lastUpdateDateTime lt (\S+))?`)

func (g *fakeGraph) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	g.requests++
	if g.before != nil {
		g.before(g.requests)
	}
	if g.answer != nil {
		if a := g.answer(g.requests, r); a != nil {
			return a, nil
		}
	}
	q := r.URL.Query()
	if g.order == "reject" && q.Get("$orderby") != "" {
		return g.reply(r, 400, `{"error":{"code":"BadRequest","message":"orderby is not supported"}}`), nil
	}
	m := bounds.FindStringSubmatch(q.Get("$filter"))
	if m == nil {
		return g.reply(r, 400, `{"error":{"code":"BadRequest","message":"filter"}}`), nil
	}
	a := asked{number: g.requests, from: at(m[1])}
	if m[2] != "" {
		a.to = at(m[2])
	}
	a.top, _ = strconv.Atoi(q.Get("$top"))
	g.tops = append(g.tops, a.top)
	skip, linked := 0, q.Has("$skip")
	if linked {
		skip, _ = strconv.Atoi(q.Get("$skip"))
		g.links++
	} else {
		g.log = append(g.log, a)
	}
	return g.reply(r, 200, g.page(a, skip, linked, r.URL, q.Get("$orderby") != "")), nil
}

func (g *fakeGraph) page(a asked, skip int, linked bool, u *url.URL, ordered bool) string {
	if g.sorted == nil {
		g.sorted = slices.SortedFunc(slices.Values(g.alerts), func(x, y fakeAlert) int {
			return cmp.Or(x.version.Compare(y.version), cmp.Compare(x.id, y.id))
		})
	}
	find := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(g.sorted, t, func(f fakeAlert, t time.Time) int { return f.version.Compare(t) })
		return i
	}
	rows := g.sorted[find(a.from):]
	if !a.to.IsZero() {
		rows = g.sorted[find(a.from):max(find(a.from), find(a.to))]
	}
	if g.order != "" || !ordered {
		rows = slices.Clone(rows)
		slices.Reverse(rows)
	}
	size := a.top
	if g.cap > 0 {
		size = min(size, g.cap)
	}
	if g.emptyHead && !linked {
		size = 0
	}
	end := min(skip+size, len(rows))
	part := rows[min(skip, len(rows)):end]
	var b strings.Builder
	b.WriteString(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#security/alerts_v2","value":[`)
	for i, f := range part {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%q,%s"lastUpdateDateTime":%q}`, f.id, g.padding, f.version.Format(time.RFC3339Nano))
	}
	b.WriteByte(']')
	last := end == len(rows) && !(g.emptyHead && !linked)
	if !last || g.tail && len(part) > 0 {
		next := *u
		query, _, _ := strings.Cut(next.RawQuery, "&$skip=")
		next.RawQuery = query + "&$skip=" + strconv.Itoa(end)
		fmt.Fprintf(&b, `,"@odata.nextLink":%q`, next.String())
	}
	b.WriteByte('}')
	return b.String()
}

func (g *fakeGraph) reply(r *http.Request, status int, body string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}, "Request-Id": {"f1d2d2f9-24e9-86ac-9d3d-0c8d2a1b3c4d"}}
	if !g.noDate {
		h.Set("Date", g.now.UTC().Format(http.TimeFormat))
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader([]byte(body))),
		ContentLength: int64(len(body)), Request: r, ProtoMajor: 1, ProtoMinor: 1}
}

// put makes an alert exist, or moves it to a new version.
func (g *fakeGraph) put(id string, version time.Time) {
	version, g.sorted = version.Truncate(tick), nil
	for i := range g.alerts {
		if g.alerts[i].id == id {
			g.alerts[i].version, g.alerts[i].since = version, g.requests
			return
		}
	}
	g.alerts = append(g.alerts, fakeAlert{id, version, g.requests})
}

// add makes a new alert exist, without looking whether the id is taken.
func (g *fakeGraph) add(id string, version time.Time) {
	g.alerts, g.sorted = append(g.alerts, fakeAlert{id, version.Truncate(tick), 0}), nil
}

// spread puts n alerts evenly over [from, to).
func (g *fakeGraph) spread(n int, from, to time.Time) {
	for i := range n {
		version := from.Add(time.Duration(float64(to.Sub(from)) * float64(i) / float64(n))).Truncate(tick)
		g.add(fmt.Sprintf("a%07d", i), version)
	}
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// noon is when the tests' clock starts.
var noon = at("2026-11-23T12:00:00Z")

// tokens hands out t1, t2, … and moves on when one is rejected.
type tokens struct {
	n        int
	rejected []string
	err      error
}

func (t *tokens) Token(context.Context) (string, error) {
	return fmt.Sprintf("secret-token-%d", t.n+1), t.err
}

func (t *tokens) Reject(access string) {
	t.rejected = append(t.rejected, access)
	t.n++
}

// got is what a reading emitted.
type got struct {
	pages   []Page
	seen    map[string]map[int64]bool // id → versions in ticks since year 1
	through time.Time
	rows    int
}

func ticks(t time.Time) int64 { return t.Unix()*1e7 + int64(t.Nanosecond())/100 }

func (g *got) emit(p Page) error {
	if g.seen == nil {
		g.seen = map[string]map[int64]bool{}
	}
	for _, a := range p.Alerts {
		if g.seen[a.ID] == nil {
			g.seen[a.ID] = map[int64]bool{}
		}
		g.seen[a.ID][ticks(a.Version)] = true
		g.rows++
	}
	if !p.Through.IsZero() {
		g.through = p.Through
	}
	p.Alerts = nil
	g.pages = append(g.pages, p)
	return nil
}

func (g *got) has(f fakeAlert) bool { return g.seen[f.id][ticks(f.version)] }

// window asks the fake from a time on, with small pages when size > 0.
func window(from time.Time, size int) Window {
	feed, _ := Lookup("alerts")
	if size > 0 {
		feed.PageSize = size
	}
	return Window{Feed: feed, BaseURL: "https://graph.microsoft.com", From: from}
}

func (g *fakeGraph) client() *Client {
	return NewClient(&http.Client{Transport: g}, Options{Now: func() time.Time { return noon.AddDate(1, 0, 0) }})
}
