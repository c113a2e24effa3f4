package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Traffic describes alerts that come by themselves. The same Traffic with the
// same Seed on an equal tenant gives the same events in the same order.
type Traffic struct {
	// Total alerts are made in all; Initial of them are there from the start,
	// their stamps spread evenly over the last Spread (24 h when 0). The others
	// arrive at random moments within Over.
	Total, Initial int
	Spread, Over   time.Duration
	// UpdatedFraction of all alerts are updated once each within Over.
	UpdatedFraction float64
	// LateFraction of the arriving alerts and of the updates become visible
	// later than they are stamped, by up to LateUpTo (4 min when 0).
	LateFraction float64
	LateUpTo     time.Duration
	// TieBurst is how many alerts share one stamp wherever alerts tie; about a
	// quarter of all do. 0 or 1: none. Late alerts do not tie.
	TieBurst int
	Seed     uint64
}

func (f Traffic) check() error {
	var faults []error
	if f.Initial < 0 || f.Total < f.Initial {
		faults = append(faults, fmt.Errorf("%d alerts initially of %d in total", f.Initial, f.Total))
	}
	for name, fraction := range map[string]float64{"updated": f.UpdatedFraction, "late": f.LateFraction} {
		if !(fraction >= 0 && fraction <= 1) {
			faults = append(faults, fmt.Errorf("%s fraction %v is not in 0..1", name, fraction))
		}
	}
	if f.Spread < 0 || f.Over < 0 || f.LateUpTo < 0 || f.TieBurst < 0 {
		faults = append(faults, errors.New("negative durations or bursts"))
	}
	return errors.Join(faults...)
}

// event is one thing that happens to a tenant.
type event struct {
	at     time.Duration // after the start
	burst  int           // alerts to make with one stamp; 0: update one instead
	age    time.Duration // how old their stamp is
	late   time.Duration
	chosen float64 // for an update: which of the alerts made so far
}

// Player carries out a Traffic on a tenant.
type Player struct {
	tenant  *Tenant
	events  []event
	made    []string // ids of what this player made
	updated map[string]bool
}

// Play plans a traffic for the tenant and makes its initial alerts at once.
// The rest happens in Step or Run.
func (t *Tenant) Play(f Traffic) (*Player, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("traffic for tenant %s: %w", t.Name, err)
	}
	p := &Player{tenant: t, updated: map[string]bool{}}
	p.plan(f, rand.New(rand.NewPCG(f.Seed, 0x7aff1c)))
	p.Step(-1)
	return p, nil
}

func (p *Player) plan(f Traffic, random *rand.Rand) {
	within := func(d time.Duration) time.Duration { return time.Duration(random.Float64() * float64(d)) }
	spread, lateUpTo := or(f.Spread, 24*time.Hour), or(f.LateUpTo, 4*time.Minute)
	for left, place := f.Initial, 0; left > 0; {
		e := event{at: -1, burst: f.tie(random, left, place == 0)}
		e.age = spread - time.Duration(float64(spread)*(float64(f.Initial-left)+0.5)/float64(f.Initial))
		p.events = append(p.events, e)
		left, place = left-e.burst, place+1
	}
	for left, place := f.Total-f.Initial, 0; left > 0; {
		e := event{at: within(f.Over), burst: 1}
		if random.Float64() < f.LateFraction {
			e.late = within(lateUpTo)
		} else {
			e.burst = f.tie(random, left, place == 0)
		}
		p.events = append(p.events, e)
		left, place = left-e.burst, place+1
	}
	for range int(math.Round(float64(f.Total) * f.UpdatedFraction)) {
		e := event{at: within(f.Over), chosen: random.Float64()}
		if random.Float64() < f.LateFraction {
			e.late = within(lateUpTo)
		}
		p.events = append(p.events, e)
	}
	slices.SortStableFunc(p.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
}

// tie decides how many alerts share the next stamp. The first chance is
// taken, so that ties occur in every traffic large enough.
func (f Traffic) tie(random *rand.Rand, left int, first bool) int {
	if f.TieBurst < 2 || f.TieBurst > left {
		return 1
	}
	if first || random.Float64() < 0.25/float64(f.TieBurst) {
		return f.TieBurst
	}
	return 1
}

// Step lets everything happen that is due when elapsed has passed since the
// start, and says how many alerts were made or updated.
func (p *Player) Step(elapsed time.Duration) int {
	changed := 0
	for len(p.events) > 0 && p.events[0].at <= elapsed {
		e := p.events[0]
		p.events = p.events[1:]
		if e.burst == 0 {
			changed += p.update(e)
			continue
		}
		for _, v := range p.tenant.add(e.burst, e.age, e.late) {
			p.made = append(p.made, v.ID)
		}
		changed += e.burst
	}
	return changed
}

// update changes an alert that was not updated before, if there is one.
func (p *Player) update(e event) int {
	for i := range p.made {
		id := p.made[(int(e.chosen*float64(len(p.made)))+i)%len(p.made)]
		if p.updated[id] {
			continue
		}
		p.updated[id] = true
		if _, err := p.tenant.UpdateLate(id, e.late); err == nil {
			return 1
		}
	}
	return 0
}

// Left is the number of events still to come.
func (p *Player) Left() int { return len(p.events) }

// Next is when, after the start, the next event is due.
func (p *Player) Next() (at time.Duration, ok bool) {
	if len(p.events) == 0 {
		return 0, false
	}
	return p.events[0].at, true
}

// Run lets the events happen in real time, from now on, until all have or ctx
// ends; then it returns ctx's error. Late alerts may show after its return.
func (p *Player) Run(ctx context.Context) error {
	start := time.Now()
	for {
		at, ok := p.Next()
		if !ok {
			return nil
		}
		timer := time.NewTimer(at - time.Since(start))
		select {
		case <-timer.C:
			p.Step(time.Since(start))
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// Live makes alerts arrive at the tenant without end, perMinute of them on
// average (0: none), with f's fractions and bursts, until ctx ends; then it
// returns ctx's error. f's Total, Initial and Over do not matter.
func (t *Tenant) Live(ctx context.Context, perMinute float64, f Traffic) error {
	if !(perMinute > 0) {
		<-ctx.Done()
		return ctx.Err()
	}
	f.Initial, f.Total = 0, max(1, int(math.Ceil(perMinute)))
	f.Over = time.Duration(float64(f.Total) / perMinute * float64(time.Minute))
	for start := time.Now(); ; start = start.Add(f.Over) {
		p, err := t.Play(f)
		if err != nil {
			return err
		}
		if err := p.Run(ctx); err != nil {
			return err
		}
		timer := time.NewTimer(time.Until(start.Add(f.Over)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		f.Seed++
	}
}
