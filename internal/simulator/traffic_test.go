package simulator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestTrafficAddsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{})
		f := Traffic{Total: 1500, Initial: 750, Over: 10 * time.Minute, UpdatedFraction: 0.2, LateFraction: 0.15, TieBurst: 5, Seed: 3}
		player, err := c.tenant.Play(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.tenant.Len(); got != 750 {
			t.Fatalf("%d initially", got)
		}
		oldest := time.Now()
		for _, v := range c.tenant.Owed() {
			oldest = earliest(oldest, at(t, v.Version).Time())
		}
		if age := time.Since(oldest); age < 20*time.Hour || age > 24*time.Hour {
			t.Errorf("oldest is %v old", age)
		}
		start := time.Now()
		if err := player.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 9*time.Minute || took > 10*time.Minute {
			t.Errorf("took %v", took)
		}
		if c.tenant.Pending() == 0 {
			t.Error("nothing is late")
		}
		time.Sleep(4 * time.Minute)
		updated, late, versions := 0, 0, c.tenant.Versions()
		stamps := map[string]int{}
		for _, all := range versions {
			if len(all) > 1 {
				updated++
			}
			stamps[all[0].Version]++
			if last := all[len(all)-1]; last.Since.Sub(at(t, last.Version).Time()) > time.Second && last.Since.After(start) {
				late++
			}
		}
		if len(versions) != 1500 || c.tenant.Pending() != 0 {
			t.Errorf("%d alerts, %d pending", len(versions), c.tenant.Pending())
		}
		for _, a := range c.tenant.store.alerts {
			if len(a.recipe.edits) > 1 {
				t.Errorf("%s was updated %d times", a.id, len(a.recipe.edits))
			}
		}
		if updated < 250 || updated > 300 {
			t.Errorf("%d seen updated", updated)
		}
		if late < 80 || late > 250 {
			t.Errorf("%d late", late)
		}
		if most := slices.Max(slices.Collect(maps.Values(stamps))); most != 5 {
			t.Errorf("at most %d share a stamp", most)
		}
	})
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func TestTrafficRepeats(t *testing.T) {
	run := func() (all map[string][]Version) {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, Options{Seed: 9})
			player, err := c.tenant.Play(Traffic{Total: 60, Initial: 10, Over: time.Minute, UpdatedFraction: 0.5, LateFraction: 0.3, Seed: 4})
			if err != nil {
				t.Fatal(err)
			}
			if err := player.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute)
			all = c.tenant.Versions()
		})
		return all
	}
	first, second := run(), run()
	if len(first) != 60 || !maps.EqualFunc(first, second, slices.Equal) {
		t.Errorf("%d alerts, and the second run differs", len(first))
	}
}

func TestBurstLargerThanAPage(t *testing.T) {
	c := newClient(t, Options{})
	if _, err := c.tenant.Play(Traffic{Total: 1300, Initial: 1300, TieBurst: 1200}); err != nil {
		t.Fatal(err)
	}
	stamps := map[string]int{}
	for _, v := range c.tenant.Owed() {
		stamps[v.Version]++
	}
	if most := slices.Max(slices.Collect(maps.Values(stamps))); most != 1200 {
		t.Errorf("%d share a stamp", most)
	}
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{})
		for _, test := range []struct {
			rate float64
			want int
		}{{6, 60}, {0.5, 5}, {0, 0}} {
			before := c.tenant.Len()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute-time.Millisecond)
			if err := c.tenant.Live(ctx, test.rate, Traffic{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			cancel()
			if got := c.tenant.Len() - before; got != test.want {
				t.Errorf("%v a minute: %d in ten minutes", test.rate, got)
			}
		}
	})
}

func TestTrafficThatMakesNoSense(t *testing.T) {
	c := newClient(t, Options{})
	for _, f := range []Traffic{{Total: 1, Initial: 2}, {Initial: -1}, {UpdatedFraction: 1.1}, {LateFraction: -0.1}, {Over: -1}, {TieBurst: -1}} {
		if _, err := c.tenant.Play(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}
