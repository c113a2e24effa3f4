package fetch

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// owed returns an alert that p.Through promises and that was not emitted.
//
// It is owed when its newest version is before Through and appeared before
// the request that its part of the window was last asked with; where readings
// were compared, before the first of the two that agreed.
func owed(g *fakeGraph, all *got, through time.Time) (fakeAlert, bool) {
	for _, f := range g.alerts {
		if !f.version.Before(through) || all.has(f) {
			continue
		}
		var covering []asked
		for _, a := range g.log {
			if a.covers(f.version) {
				covering = append(covering, a)
			}
		}
		if len(covering) == 0 {
			continue
		}
		decisive := covering[len(covering)-1]
		if n := len(covering); n > 1 && covering[n-2].from.Equal(decisive.from) && covering[n-2].to.Equal(decisive.to) {
			decisive = covering[n-2]
		}
		if f.since < decisive.number {
			return f, true
		}
	}
	return fakeAlert{}, false
}

// TestReadLosesNothing: whatever arrives, is updated or ties between two
// requests, and in whatever order and lengths pages come, what Through says
// is true.
func TestReadLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := noon.Add(-10 * time.Second)
		g := &fakeGraph{
			now:       noon,
			order:     rapid.SampledFrom([]string{"", "", "desc", "reject"}).Draw(t, "order"),
			cap:       rapid.SampledFrom([]int{0, 0, 2, 3}).Draw(t, "cap"),
			emptyHead: rapid.IntRange(0, 9).Draw(t, "head") == 9,
			tail:      rapid.IntRange(0, 9).Draw(t, "tail") == 9,
		}
		if g.cap > 0 && g.emptyHead {
			g.cap = 0
		}
		// few distinct instants, so that ties are common
		instants := rapid.SliceOfN(rapid.Int64Range(0, 100_000_000), 1, 6).Draw(t, "instants")
		pick := func(label string) time.Time {
			return from.Add(time.Duration(rapid.SampledFrom(instants).Draw(t, label)) * tick)
		}
		for i := range rapid.IntRange(0, 40).Draw(t, "alerts") {
			g.alerts = append(g.alerts, fakeAlert{id: fmt.Sprintf("a%02d", i), version: pick("version")})
		}
		pace := time.Duration(rapid.IntRange(0, 700).Draw(t, "pace")) * time.Millisecond
		changes := rapid.IntRange(0, 60).Draw(t, "changes")
		g.before = func(n int) {
			if n > 5000 {
				t.Fatalf("no end: %d requests", n)
			}
			g.now = g.now.Add(pace)
			for ; changes > 0 && rapid.IntRange(0, 2).Draw(t, "change") > 0; changes-- {
				id := fmt.Sprintf("a%02d", rapid.IntRange(0, 50).Draw(t, "which"))
				switch rapid.IntRange(0, 2).Draw(t, "how") {
				case 0, 1: // arrives or is updated now
					g.put(id, g.now)
				case 2: // arrives late
					if at := pick("late"); !exists(g, id) {
						g.put(id, at)
					}
				}
			}
		}
		all := &got{}
		result, err := g.client().Read(t.Context(), window(from, rapid.IntRange(2, 12).Draw(t, "size")), &tokens{}, func(p Page) error {
			_ = all.emit(p)
			if p.Through.IsZero() {
				return nil
			}
			if p.Through.After(g.now) {
				t.Fatalf("through %s is after the service's clock %s", p.Through, g.now)
			}
			if f, missing := owed(g, all, p.Through); missing {
				t.Fatalf("through %s, but %s at %s (there since request %d) was never emitted", p.Through, f.id, f.version, f.since)
			}
			return nil
		})
		if e, ok := err.(*Error); ok && e.Kind == Unsettled {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !result.Complete {
			t.Fatal("neither error nor complete")
		}
		if changes == 0 || len(g.alerts) == 0 {
			if all.through.IsZero() {
				all.through = from
			}
			if age := g.now.Sub(all.through); age > fresh+time.Minute {
				t.Fatalf("complete, but only through %s at %s", all.through, g.now)
			}
		}
	})
}

func exists(g *fakeGraph, id string) bool {
	for _, f := range g.alerts {
		if f.id == id {
			return true
		}
	}
	return false
}

// TestReadSurvivesFaults: requests fail at random; progress made before is
// true, and going on from it reads everything in the end.
func TestReadSurvivesFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &fakeGraph{now: noon}
		g.spread(rapid.IntRange(0, 80).Draw(t, "alerts"), noon.Add(-time.Hour), noon)
		faults := rapid.IntRange(0, 10).Draw(t, "faults")
		g.answer = func(_ int, r *http.Request) *http.Response {
			if faults == 0 || rapid.IntRange(0, 2).Draw(t, "fault") > 0 {
				return nil
			}
			faults--
			status := rapid.SampledFrom([]int{401, 429, 500, 503, 504, 206, 400}).Draw(t, "status")
			if status == 206 {
				return g.reply(r, 206, `{"value":[]}`)
			}
			return g.reply(r, status, `{"error":{"code":"x","message":"y"}}`)
		}
		all, from := &got{}, noon.Add(-time.Hour)
		for range 40 {
			result, err := g.client().Read(t.Context(), window(from, 7), &tokens{}, func(p Page) error {
				_ = all.emit(p)
				if f, missing := owed(g, all, p.Through); missing {
					t.Fatalf("through %s without %s", p.Through, f.id)
				}
				return nil
			})
			if all.through.After(from) {
				from = all.through
			}
			if err == nil && result.Complete {
				for _, f := range g.alerts {
					if !all.has(f) {
						t.Fatalf("%s is missing", f.id)
					}
				}
				return
			}
		}
		t.Fatal("never complete")
	})
}
