package fetch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

// read runs one reading and fails the test on error.
func read(t *testing.T, g *fakeGraph, w Window) (*got, Result) {
	t.Helper()
	all := &got{}
	result, err := g.client().Read(t.Context(), w, &tokens{}, all.emit)
	if err != nil {
		t.Fatal(err)
	}
	return all, result
}

// readError runs one reading that must end in an error of that kind.
func readError(t *testing.T, g *fakeGraph, w Window, kind Kind) (*got, *Error) {
	t.Helper()
	all := &got{}
	result, err := g.client().Read(t.Context(), w, &tokens{}, all.emit)
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("got error %v, want kind %s", err, kind)
	}
	if result.Complete {
		t.Error("complete in spite of an error")
	}
	return all, e
}

func everything(t *testing.T, g *fakeGraph, all *got) {
	t.Helper()
	missing := 0
	for _, f := range g.alerts {
		if !all.has(f) {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d alerts were never emitted", missing, len(g.alerts))
	}
}

func TestPollOfOnePage(t *testing.T) {
	g := &fakeGraph{now: noon.Add(400 * time.Millisecond)}
	g.spread(5, noon.Add(-time.Hour), noon)
	all, result := read(t, g, window(noon.Add(-time.Hour), 0))
	everything(t, g, all)
	if result.Requests != 1 || !result.Complete || result.Rows != 5 || !result.DateKnown || result.Bytes == 0 {
		t.Errorf("got %+v", result)
	}
	if p := all.pages[0]; !p.Through.Equal(noon) || !p.Date.Equal(noon) || p.Backfill || p.Partial {
		t.Errorf("got %+v", p)
	}
}

func TestEmptyPollMovesOn(t *testing.T) {
	all, result := read(t, &fakeGraph{now: noon}, window(noon.Add(-time.Hour), 0))
	if len(all.pages) != 1 || !all.through.Equal(noon) || !result.Complete {
		t.Errorf("got %+v, through %s", result, all.through)
	}
}

func TestAlertStampedInTheFuture(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.spread(30, noon.Add(time.Hour), noon.Add(24*time.Hour))
	all, _ := read(t, g, window(noon.Add(-time.Hour), 7))
	everything(t, g, all)
	if all.through.After(noon) {
		t.Errorf("through %s, after Microsoft's clock %s", all.through, noon)
	}
}

// TestNothingFallsBetweenReadings: alerts arrive at every request, some rows
// are stamped far ahead; what one reading did not emit, a later one does, which
// begins where the one before said it had come to.
func TestNothingFallsBetweenReadings(t *testing.T) {
	for _, ahead := range []int{0, 30} {
		g := &fakeGraph{now: noon}
		g.spread(20, noon.Add(-time.Hour), noon)
		for i := range ahead {
			g.add(fmt.Sprintf("ahead%d", i), noon.Add(2*time.Second+time.Duration(i)*time.Minute))
		}
		g.before = func(n int) {
			g.now = g.now.Add(time.Second)
			if n < 50 {
				g.put(fmt.Sprintf("new%d", n), g.now.Add(-time.Millisecond))
			}
		}
		w, all := window(noon.Add(-time.Hour), 7), &got{}
		for range 3 {
			if _, err := g.client().Read(t.Context(), w, &tokens{}, all.emit); err != nil {
				t.Fatal(err)
			}
			w.From = all.through
		}
		g.before = nil // nothing arrives any more
		if _, err := g.client().Read(t.Context(), w, &tokens{}, all.emit); err != nil {
			t.Fatal(err)
		}
		everything(t, g, all)
	}
}

// TestBackfillCost: a backfill costs little more requests than the pages it
// fills, through days and nights, bursts and empty weekends.
func TestBackfillCost(t *testing.T) {
	for order, most := range map[string]float64{"": 1.55, "desc": 2.1} {
		t.Run("order "+order, func(t *testing.T) {
			const size = 100
			g := &fakeGraph{now: noon, order: order}
			from, random := noon.AddDate(0, 0, -14), rand.New(rand.NewPCG(1, 2))
			for at := from; at.Before(noon); {
				perHour := 20 + 180*math.Abs(math.Sin(math.Pi*float64(at.Hour())/24))
				if at.Weekday() == time.Sunday {
					perHour = 0.2
				}
				if len(g.alerts)%5000 > 4700 {
					perHour *= 50
				}
				at = at.Add(time.Duration(random.ExpFloat64() * float64(time.Hour) / perHour))
				g.add(fmt.Sprintf("a%06d", len(g.alerts)), at)
			}
			all, result := read(t, g, window(from, size))
			everything(t, g, all)
			least := len(g.alerts)/size + 1
			t.Logf("%d requests for %d pages", result.Requests, least)
			if float64(result.Requests) > most*float64(least) || g.links > 0 {
				t.Errorf("%d requests for %d pages, %d nextLinks", result.Requests, least, g.links)
			}
		})
	}
}

// TestBackfillOfEvenDensity: where alerts come evenly, slices come back nearly full.
func TestBackfillOfEvenDensity(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.spread(100_000, noon.AddDate(0, 0, -30), noon)
	all, result := read(t, g, window(noon.AddDate(0, 0, -30), 0))
	everything(t, g, all)
	if result.Requests > 125 {
		t.Errorf("%d requests for 100 pages", result.Requests)
	}
}

// TestUpdateBetweenPages: an alert of the first page is updated before the
// second is asked for, every later row moves up by one, and the row at the
// edge must be shown all the same.
func TestUpdateBetweenPages(t *testing.T) {
	for _, order := range []string{"", "desc"} {
		g := &fakeGraph{now: noon, order: order}
		g.spread(25, noon.Add(-24*time.Hour), noon)
		g.before = func(n int) {
			g.now = g.now.Add(time.Second)
			if n > 1 && n < 12 {
				g.put(fmt.Sprintf("a%07d", n), g.now)
			}
		}
		all, result := read(t, g, window(noon.Add(-24*time.Hour), 10))
		everything(t, g, all)
		if !result.Complete {
			t.Errorf("order %q: not complete", order)
		}
	}
}

// TestProgressSliceBySlice: Through rises during a backfill, and what was
// reached before an error stands.
func TestProgressSliceBySlice(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.spread(100, noon.Add(-24*time.Hour), noon)
	g.answer = func(n int, r *http.Request) *http.Response {
		if n < 8 {
			return nil
		}
		a := g.reply(r, 429, "{}")
		a.Header.Set("Retry-After", "7")
		return a
	}
	all, e := readError(t, g, window(noon.Add(-24*time.Hour), 10), Throttled)
	if e.RetryAfter != 7*time.Second {
		t.Errorf("retry after %s", e.RetryAfter)
	}
	if !all.through.After(noon.Add(-24*time.Hour)) || !all.through.Before(noon) {
		t.Errorf("through %s", all.through)
	}
	rises, last := 0, time.Time{}
	for _, p := range all.pages {
		if !p.Through.IsZero() {
			if !p.Through.After(last) {
				t.Error("Through fell")
			}
			rises, last = rises+1, p.Through
		}
		if !p.Backfill {
			t.Error("a page of a backfill does not say so")
		}
	}
	if rises < 3 {
		t.Errorf("progress only %d times", rises)
	}
}

// TestTiesAtThePageEdge: more alerts on one tick than are left of the page.
func TestTiesAtThePageEdge(t *testing.T) {
	for _, order := range []string{"", "desc"} {
		g := &fakeGraph{now: noon, order: order}
		g.spread(8, noon.Add(-time.Hour), noon.Add(-30*time.Minute))
		for i := range 9 {
			g.put(fmt.Sprintf("tie%d", i), noon.Add(-30*time.Minute))
		}
		g.spread(8, noon.Add(-29*time.Minute), noon)
		all, result := read(t, g, window(noon.Add(-time.Hour), 10))
		everything(t, g, all)
		if !all.through.Equal(noon) || g.links != 0 {
			t.Errorf("order %q: through %s, %d links, %+v", order, all.through, g.links, result)
		}
	}
}

// TestFiftyThousandOnOneTick: one instant that no page holds is paged through,
// twice, and counts as read when both agree.
func TestFiftyThousandOnOneTick(t *testing.T) {
	g := &fakeGraph{now: noon}
	for i := range 50_000 {
		g.add(fmt.Sprintf("t%05d", i), noon.Add(-time.Hour).Add(tick))
	}
	g.put("after", noon.Add(-time.Minute))
	all, result := read(t, g, window(noon.Add(-2*time.Hour), 0))
	everything(t, g, all)
	if !all.through.Equal(noon) || !result.Complete {
		t.Errorf("through %s", all.through)
	}
	if result.Requests < 100 || result.Requests > 125 {
		t.Errorf("%d requests", result.Requests)
	}
}

// TestTickThatNeverSettles: when every reading sees another set, the slice is
// not read and the error says so.
func TestTickThatNeverSettles(t *testing.T) {
	g := &fakeGraph{now: noon}
	for i := range 40 {
		g.add(fmt.Sprintf("t%02d", i), noon.Add(-time.Hour))
	}
	g.before = func(n int) {
		if n < 40 {
			g.put(fmt.Sprintf("t%02d", n), noon.Add(time.Duration(n)*time.Second))
		}
	}
	all, e := readError(t, g, window(noon.Add(-2*time.Hour), 3), Unsettled)
	if all.through.After(noon.Add(-time.Hour)) {
		t.Errorf("through %s in spite of %v", all.through, e)
	}
}

// TestBothReadingsSkipTheSameRow: two readings in a row bring nothing new and
// yet a row is missing from both; only "nothing gone" finds it.
func TestBothReadingsSkipTheSameRow(t *testing.T) {
	g := &fakeGraph{now: noon}
	tie := noon.Add(-time.Hour)
	for i := range 9 {
		g.add(fmt.Sprintf("t%d", i), tie)
	}
	// In readings 1 and 2 a shown row leaves before the second page, so that
	// t3 (then t4's neighbour) slides over the edge unseen both times.
	leave := []string{"t0", "t1"}
	seconds := 0
	g.answer = func(_ int, r *http.Request) *http.Response {
		if r.URL.Query().Get("$skip") == "3" {
			if seconds < len(leave) {
				g.put(leave[seconds], noon.Add(-time.Second))
			}
			seconds++
		}
		return nil
	}
	all, _ := read(t, g, window(noon.Add(-2*time.Hour), 3))
	everything(t, g, all)
	if seconds < 4 {
		t.Errorf("settled after %d readings, while rows left", seconds)
	}
}

// TestEmptyPagesWithNextLink and short ones: what a page says of more is
// followed, and nothing is taken for the end that is not.
func TestEmptyPagesWithNextLink(t *testing.T) {
	for name, g := range map[string]*fakeGraph{
		"empty head": {now: noon, emptyHead: true},
		"empty tail": {now: noon, tail: true},
		"short page": {now: noon, cap: 4},
		"all of it":  {now: noon, emptyHead: true, tail: true, order: "desc"},
	} {
		t.Run(name, func(t *testing.T) {
			g.spread(23, noon.Add(-time.Hour), noon)
			all, result := read(t, g, window(noon.Add(-time.Hour), 10))
			everything(t, g, all)
			if all.through.Before(noon.Add(-fresh)) || !result.Complete {
				t.Errorf("through %s, %+v", all.through, result)
			}
			if result.Requests > 60 {
				t.Errorf("%d requests", result.Requests)
			}
		})
	}
}

// TestTicksAreComparedAsTime: as text 59.25Z sorts before 59.2Z and 59Z last.
func TestTicksAreComparedAsTime(t *testing.T) {
	g := &fakeGraph{now: noon}
	stamps := []string{"59Z", "59.0000001Z", "59.2Z", "59.25Z", "59.2500001Z", "59.3266667Z"}
	for i, s := range stamps {
		g.add(fmt.Sprintf("a%d", i), at("2026-11-23T11:00:"+s))
	}
	all, _ := read(t, g, window(noon.Add(-2*time.Hour), 2))
	everything(t, g, all)
	if g.links != 0 {
		t.Errorf("%d nextLinks followed: cuts did not fall between ticks", g.links)
	}
	for _, a := range g.log {
		if !a.to.IsZero() && !a.to.After(a.from) {
			t.Errorf("slice from %s to %s", a.from, a.to)
		}
	}
}

// TestPartial: records of a partial answer go out, Through stays zero for the
// rest of the reading, and the later slices are read all the same.
func TestPartial(t *testing.T) {
	for name, mark := range map[string]func(*http.Response){
		"206":         func(a *http.Response) { a.StatusCode = 206 },
		"Warning 199": func(a *http.Response) { a.Header.Set("Warning", `199 - "Microsoft/MCAS/504/10000"`) },
		"second of two": func(a *http.Response) {
			a.Header.Set("Warning", `214 - "x", 199 - "Microsoft/MCAS/504/10000"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := &fakeGraph{now: noon}
			g.spread(40, noon.Add(-time.Hour), noon)
			var inner http.RoundTripper = g
			n := 0
			c := NewClient(&http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
				a, err := inner.RoundTrip(r)
				if n++; n == 3 {
					mark(a)
				}
				return a, err
			})}, Options{})
			all := &got{}
			result, err := c.Read(t.Context(), window(noon.Add(-time.Hour), 10), &tokens{}, all.emit)
			if err != nil {
				t.Fatal(err)
			}
			everything(t, g, all)
			if result.Complete || !result.Partial {
				t.Errorf("got %+v", result)
			}
			if all.through.IsZero() || !all.through.Before(noon.Add(-20*time.Minute)) {
				t.Errorf("through %s, beyond the partial slice", all.through)
			}
			if !all.pages[2].Partial || !all.pages[2].Through.IsZero() {
				t.Errorf("got %+v", all.pages[2])
			}
		})
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestNoDateHeader: the host's clock, a year ahead here, moves nothing.
func TestNoDateHeader(t *testing.T) {
	for _, size := range []int{0, 10} {
		g := &fakeGraph{now: noon, noDate: true}
		g.spread(50, noon.Add(-time.Hour), noon)
		all, result := read(t, g, window(noon.Add(-2*time.Hour), size))
		everything(t, g, all)
		newest := g.alerts[len(g.alerts)-1].version
		if all.through.After(newest.Add(tick)) || all.through.Before(newest) {
			t.Errorf("page size %d: through %s, newest alert %s", size, all.through, newest)
		}
		if result.DateKnown || all.pages[0].DateKnown {
			t.Error("a date is called known that is the host's")
		}
	}
}

// TestOrderByRefused: the undocumented $orderby is left out where it is refused.
func TestOrderByRefused(t *testing.T) {
	g := &fakeGraph{now: noon, order: "reject"}
	g.spread(30, noon.Add(-time.Hour), noon)
	all, result := read(t, g, window(noon.Add(-time.Hour), 10))
	everything(t, g, all)
	if !result.Complete {
		t.Error("not complete")
	}
}

// TestTopLimitNamed: the answer that names a smaller limit is obeyed.
func TestTopLimitNamed(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.spread(120, noon.Add(-time.Hour), noon)
	g.answer = func(_ int, r *http.Request) *http.Response {
		if r.URL.Query().Get("$top") != "50" {
			return g.reply(r, 400, string(sample(t, "graph-400-incidents-top-limit.json")))
		}
		return nil
	}
	all, _ := read(t, g, window(noon.Add(-time.Hour), 100))
	everything(t, g, all)
	if len(g.log) == 0 || g.log[0].top != 50 {
		t.Errorf("asked for %v", g.tops)
	}
}

// TestHeavyPagesShrink: $top falls while pages fail and recovers afterwards.
func TestHeavyPagesShrink(t *testing.T) {
	for name, fail := range map[string]func(*fakeGraph, *http.Request) *http.Response{
		"500": func(g *fakeGraph, r *http.Request) *http.Response { return g.reply(r, 500, "") },
		"503": func(g *fakeGraph, r *http.Request) *http.Response { return g.reply(r, 503, "") },
		"504": func(g *fakeGraph, r *http.Request) *http.Response { return g.reply(r, 504, "") },
		"too large": func(g *fakeGraph, r *http.Request) *http.Response {
			return g.reply(r, 200, `{"value":["`+strings.Repeat("x", 70_000)+`"]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := &fakeGraph{now: noon}
			g.spread(1000, noon.Add(-time.Hour), noon)
			heavy := true
			g.answer = func(_ int, r *http.Request) *http.Response {
				top := at0(r.URL.Query().Get("$top"))
				if heavy && top > 30 {
					return fail(g, r)
				}
				heavy = false
				return nil
			}
			c := NewClient(&http.Client{Transport: g}, Options{PageLimit: 60_000})
			all := &got{}
			if _, err := c.Read(t.Context(), window(noon.Add(-time.Hour), 200), &tokens{}, all.emit); err != nil {
				t.Fatal(err)
			}
			everything(t, g, all)
			if first, last := g.tops[0], g.tops[len(g.tops)-1]; first > 30 || last <= first {
				t.Errorf("$top went %v", g.tops)
			}
		})
	}
}

func at0(s string) int {
	var n int
	_, _ = fmt.Sscan(s, &n)
	return n
}

// TestHeavyToTheEnd: a service that always fails is asked a handful of times.
func TestHeavyToTheEnd(t *testing.T) {
	g := &fakeGraph{now: noon}
	var tops []string
	g.answer = func(_ int, r *http.Request) *http.Response {
		tops = append(tops, r.URL.Query().Get("$top"))
		return g.reply(r, 502, "<html>Bad gateway</html>")
	}
	_, e := readError(t, g, window(noon.Add(-time.Hour), 0), Server)
	if e.Status != 502 || len(tops) > 6 || tops[len(tops)-1] != "1" {
		t.Errorf("asked for %v, got %v", tops, e)
	}
}

func TestThrottledIsNotRetried(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.answer = func(_ int, r *http.Request) *http.Response {
		a := g.reply(r, 503, "")
		a.Header.Set("Retry-After", "120")
		return a
	}
	_, e := readError(t, g, window(noon.Add(-time.Hour), 0), Throttled)
	if g.requests != 1 || e.RetryAfter != 2*time.Minute {
		t.Errorf("%d requests, %v", g.requests, e)
	}
}

func TestEmitErrorEndsTheReading(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.spread(30, noon.Add(-time.Hour), noon)
	stop := errors.New("stop")
	_, err := g.client().Read(t.Context(), window(noon.Add(-time.Hour), 10), &tokens{}, func(Page) error { return stop })
	if err != stop || g.requests != 1 {
		t.Errorf("got %v after %d requests", err, g.requests)
	}
}

func TestCancelled(t *testing.T) {
	g := &fakeGraph{now: noon}
	ctx, cancel := context.WithCancel(t.Context())
	g.before = func(int) { cancel() }
	g.answer = func(_ int, r *http.Request) *http.Response { return g.reply(r, 500, "") }
	_, err := g.client().Read(ctx, window(noon.Add(-time.Hour), 0), &tokens{}, func(Page) error { return nil })
	if err == nil || g.requests != 1 {
		t.Errorf("got %v after %d requests", err, g.requests)
	}
}

func TestPeek(t *testing.T) {
	g := &fakeGraph{now: noon}
	g.spread(3, noon.Add(-time.Hour), noon)
	p, err := g.client().Peek(t.Context(), window(noon.Add(-time.Hour), 0), &tokens{})
	if err != nil || len(p.Alerts) != 1 || len(g.tops) != 1 || g.tops[0] != 1 || !p.Date.Equal(noon) || !p.DateKnown {
		t.Errorf("got %+v, %v, $top %v", p, err, g.tops)
	}
	if !strings.Contains(string(p.Alerts[0].Raw), p.Alerts[0].ID) {
		t.Errorf("raw %q", p.Alerts[0].Raw)
	}
}
