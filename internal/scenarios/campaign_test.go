package scenarios

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

// The campaigns' size. Microsoft's clock runs compression times as fast as ours,
// so that alerts that are four minutes late, against the default overlap of a
// quarter of an hour, take seconds. SCENARIOS=long does not compress.
const (
	alertsEach = 1500
	lateUpTo   = 4 * time.Minute
)

// compression is bounded by the half minute of Microsoft's time by which its
// answers may disagree on the time.
func compression() int64 {
	if long {
		return 1
	}
	return 12
}

// campaignOf is Microsoft's time in which the second half of the alerts arrives.
func campaignOf() time.Duration {
	if long {
		return 4 * time.Minute
	}
	return 2 * time.Minute
}

// clockOf is Microsoft's clock in a scenario.
func clockOf(name string) func() time.Time {
	if name != "campaign" && name != "kills" {
		return nil
	}
	start := time.Now()
	return func() time.Time { return start.Add(time.Duration(compression()) * time.Since(start)) }
}

// traffic begins on three tenants that are as awkward as they are documented to
// be, each in another way. It returns a wait for its end.
func (w *world) traffic() (ended func()) {
	w.Helper()
	contoso := w.tenant(simulator.TenantOptions{Name: "contoso", Behaviour: &simulator.Behaviour{Limit: -1, NoGzip: true}})
	fabrikam := w.tenant(simulator.TenantOptions{Name: "fabrikam", Behaviour: &simulator.Behaviour{Limit: -1, NoGzip: true, OrderBy: simulator.OrderIgnore}})
	adatum := w.tenant(simulator.TenantOptions{Name: "adatum", Behaviour: &simulator.Behaviour{Limit: -1, NoGzip: true, RetryAfter: simulator.RetryAbsent}})
	for _, fault := range []simulator.Fault{
		// Small pages: every poll takes many, and they shift while it reads.
		{Tenant: contoso.Name, Endpoint: simulator.Alerts, Kind: simulator.Status, Status: 400, Match: "$top=1000",
			Body: `{"error":{"code":"","message":"The query specified in the URI is not valid. The limit of '200' for Top query has been exceeded. The value from the incoming request is '1000'."}}`},
		{Tenant: fabrikam.Name, Endpoint: simulator.Alerts, Kind: simulator.EmptyPage, After: 1, Count: 3},
		{Tenant: adatum.Name, Endpoint: simulator.Alerts, Kind: simulator.Partial206, After: 2, Count: 2},
		{Tenant: adatum.Name, Endpoint: simulator.Alerts, Kind: simulator.Abort, After: 4, Count: 1},
	} {
		check(w.T, w.service.sim.Fault(fault))
	}
	var players []*simulator.Player
	for i, t := range w.tenants {
		players = append(players, must[*simulator.Player](w.T)(t.Play(simulator.Traffic{
			Total: alertsEach, Initial: alertsEach / 2, Spread: 20 * time.Hour, Over: campaignOf(), UpdatedFraction: 0.2,
			LateFraction: 0.15, LateUpTo: lateUpTo, TieBurst: 25, Seed: seed + uint64(i),
		})))
	}
	ctx := w.patience()
	var playing sync.WaitGroup
	for i, p := range players {
		playing.Go(func() { run(ctx, p, w.tenants[i]) })
	}
	w.Cleanup(playing.Wait)
	return func() {
		playing.Wait()
		check(w.T, ctx.Err())
	}
}

// run lets a player's events happen by Microsoft's clock, until all is visible.
func run(ctx context.Context, p *simulator.Player, t *simulator.Tenant) {
	start := time.Now()
	elapsed := func() time.Duration { return time.Duration(compression()) * time.Since(start) }
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.Left() > 0 || t.Pending() > 0 {
		select {
		case <-tick.C:
			p.Step(elapsed())
		case <-ctx.Done():
			return
		}
	}
}

// campaign: alerts arrive, are updated, tie, come late, and shift while they are
// paged, over two restarts and a hot reload. All newest versions arrive, once.
func campaign(w *world) {
	ended := w.traffic()
	w.start(w.inputOf(w.tenants, "Alias campaign", "Poll_Interval 4s", "Batch_Limit 200k"))
	w.arrives(1000)
	w.stop()
	w.start()
	w.arrives(2800)
	w.reload()
	w.arrives(3600)
	w.stop()
	w.start()
	ended()
	w.settle(nil, w.tenants...)
	w.stop()
	w.start() // what is committed is not read again
	w.polled(2, w.tenants...)
	w.stop()
	w.Log(w.once(w.tenants...))
}

// kills: the same with ten SIGKILLs. Nothing is missing, and what comes twice
// does so under the same record_id.
func kills(w *world) {
	random := rand.New(rand.NewPCG(seed, 10))
	ended := w.traffic()
	w.start(w.inputOf(w.tenants, "Alias kills", "Poll_Interval 4s", "Batch_Limit 200k"))
	for n := range 10 {
		w.killAtRandom(random, n)
		w.start()
	}
	ended()
	w.settle(nil, w.tenants...)
	w.stop()
	w.Logf("seed %d: %v", seed, w.audit(w.sink.Records(), w.tenants...))
}

// killAtRandom ends the engine by SIGKILL: at a random time, every other time one
// shortly after records arrived, and in the stand-in also right after an append
// or a collect, if one comes in that time.
func (w *world) killAtRandom(random *rand.Rand, n int) {
	w.Helper()
	how, span := "at a random time", 2*time.Second
	if long {
		span = 40 * time.Second
	}
	_, isHost := w.engine.(flbhost.Host)
	switch before := len(w.sink.Records()); {
	case isHost && n%3 > 0:
		how = []string{"kill after append 2", "kill after callback 9"}[n%3-1]
		w.command(how)
	case n%2 == 0:
		how, span = "after records", span/5
		ctx, cancel := context.WithTimeout(w.process.While(w.Context()), 5*time.Second)
		_ = w.sink.Wait(ctx, func(r []flbhost.Record) bool { return len(r) > before }) // none came: all the same
		cancel()
	}
	moment := time.NewTimer(100*time.Millisecond + time.Duration(random.Int64N(int64(span))))
	defer moment.Stop()
	began := time.Now()
	select {
	case <-moment.C:
	case <-w.process.Ended():
	}
	w.kill()
	w.Logf("SIGKILL %d (%s) after %v, with %d records here", n+1, how, time.Since(began).Round(time.Millisecond), len(w.sink.Records()))
}
