package ship

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"fluent-bit-defender/fetch"
)

// Each of these fails when the safeguard that it names is taken out.

func TestNothingIsHandedOverWhileCommitsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.service.set("contoso", "a", time.Minute)
		e.start()
		e.inst.commits.failing.Store(true)
		e.run(30)
		if len(e.got) != 0 {
			t.Errorf("%d records were handed over", len(e.got))
		}
		e.inst.commits.failing.Store(false)
		e.run(30)
		e.check(false)
		e.inst.Stop()
	})
}

func TestACallbackEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []string
		for n := range 50 {
			all = append(all, fmt.Sprint("t", n))
		}
		e := newEngine(t, all...)
		for _, name := range all {
			e.service.set(name, name, time.Minute)
		}
		e.start()
		e.answer = func(string, []byte) bool { return false }
		e.run(30) // all of it waits
		const each = 3 * time.Millisecond
		before := time.Now()
		e.inst.Collect(Direct, func(string, []byte) bool { time.Sleep(each); return true })
		if took := time.Since(before); took < callbackBudget || took >= 20*time.Millisecond {
			t.Errorf("a callback took %v with appends of %v, want it to end within 20 ms and not at once", took, each)
		}
		e.inst.Stop()
	})
}

func TestAWiderOverlapRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.service.set("contoso", "a", time.Hour)
		e.service.set("contoso", "b", 3*time.Hour)
		e.start()
		e.run(200)
		wider := *e.cfg
		wider.Tenants = append(wider.Tenants[:0:0], e.cfg.Tenants...)
		wider.Tenants[0].Overlap = 10 * time.Hour
		e.inst.apply(&wider)
		e.run(200)
		e.check(false)
		e.inst.Stop()
		e.cfg = &wider
		e.start()
		e.run(200)
		e.check(false)
		e.inst.Stop()
	})
}

func TestAnHourOfPartialAnswersIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.service.set("contoso", "a", time.Minute)
		var err error
		if e.inst, err = e.hub.start(e.cfg, Options{Name: "test", Log: slog.New(e.lines)}, partial{e.service}); err != nil {
			t.Fatal(err)
		}
		e.run(50 * 60)
		if n := e.logged("marked every answer as partial"); n != 0 {
			t.Errorf("%d lines within the hour", n)
		}
		e.run(15 * 60)
		if n := e.logged("marked every answer as partial"); n != 1 {
			t.Errorf("%d lines after an hour, want 1: %q", n, e.log)
		}
		e.check(false)
		if s := e.stream("contoso"); !s.watermark.IsZero() {
			t.Errorf("the watermark moved to %v", s.watermark)
		}
		e.inst.Stop()
	})
}

// partial marks every answer so.
type partial struct{ *service }

func (p partial) Read(ctx context.Context, w fetch.Window, t fetch.Tokens, emit func(fetch.Page) error) (fetch.Result, error) {
	_, err := p.service.Read(ctx, w, t, func(page fetch.Page) error {
		page.Partial, page.Through = true, time.Time{}
		return emit(page)
	})
	return fetch.Result{Partial: true}, err
}

func TestStopDoesNotWaitForWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		var err error
		if e.inst, err = e.hub.start(e.cfg, Options{Name: "test"}, deaf{}); err != nil {
			t.Fatal(err)
		}
		e.run(5)
		before := time.Now()
		e.inst.Stop()
		if took := time.Since(before); took > 2*time.Second {
			t.Errorf("stopping took %v", took)
		}
		time.Sleep(time.Minute) // the deaf one ends too
	})
}

// deaf answers after a minute, whatever its context says.
type deaf struct{}

func (deaf) Read(context.Context, fetch.Window, fetch.Tokens, func(fetch.Page) error) (fetch.Result, error) {
	time.Sleep(time.Minute)
	return fetch.Result{}, nil
}

func TestATenantThatIsOffIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso", "fabrikam")
		e.cfg.Tenants[0].Enabled = false
		e.start()
		e.run(200)
		if off, on := e.service.polls("contoso"), e.service.polls("fabrikam"); off != 0 || on == 0 {
			t.Errorf("%d polls of a tenant that is off, %d of one that is on", off, on)
		}
		e.inst.Stop()
	})
}

// TestFewCatchUpAtOnce: what waits for room in the buffer is in memory too.
func TestFewCatchUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []string
		for n := range 40 {
			all = append(all, fmt.Sprint("t", n))
		}
		e := newEngine(t, all...)
		slow := &counting{most: make(chan int, 1)}
		slow.most <- 0
		var err error
		if e.inst, err = e.hub.start(e.cfg, Options{Name: "test"}, slow); err != nil {
			t.Fatal(err)
		}
		e.run(30)
		if most := <-slow.most; most == 0 || most > backfillsAtOnce {
			t.Errorf("%d tenants were caught up at once, want at most %d", most, backfillsAtOnce)
		}
		slow.most <- 0
		e.inst.Stop()
	})
}

// counting knows how many read at the same time.
type counting struct {
	most chan int
	now  int
}

func (c *counting) Read(ctx context.Context, _ fetch.Window, _ fetch.Tokens, _ func(fetch.Page) error) (fetch.Result, error) {
	most := <-c.most
	c.now++
	c.most <- max(most, c.now)
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
	}
	most = <-c.most
	c.now--
	c.most <- most
	return fetch.Result{}, ctx.Err()
}
