package ship

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fluent-bit-defender/fetch"
	"fluent-bit-defender/state"
)

// errSwept ends the reading of a sweep where the polls' part of the window begins.
var errSwept = errors.New("the sweep has read its window")

// sweep is one reading of what polls no longer look at: for alerts that became
// visible later than the overlap, and for those that the operator wants again.
type sweep struct {
	poll
	to       time.Time         // where the reading may end
	polled   time.Time         // from here on polls look themselves
	known    map[[16]byte]bool // delivered, or on its way
	wanted   map[[16]byte]bool // whether it is delivered already or not
	complete time.Time         // known knows everything from here on

	oldest time.Time // of what came late
	late   int
	again  int
}

// sweepIfDue sweeps s after a poll, when it is time. A sweep that fails is tried
// again sooner than the next one would be due.
func (i *Instance) sweepIfDue(ctx context.Context, s *stream) error {
	interval := s.settings.Load().tenant.SweepInterval
	now := i.now()
	i.mu.Lock()
	if s.sweepAt.IsZero() && interval > 0 {
		s.sweepAt = now.Add(time.Duration(s.phase * float64(interval)))
	}
	due := s.redeliver || !s.sweepAt.IsZero() && interval > 0 && !now.Before(s.sweepAt)
	i.mu.Unlock()
	if !due || s.watermark.IsZero() {
		return nil
	}
	err := i.sweep(ctx, s)
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case errors.Is(err, errTurn):
		return nil // its turn comes with the next poll
	case err != nil:
		s.sweepAt = now.Add(max(interval/8, time.Minute))
		return err
	}
	s.sweepAt, s.redeliver = now.Add(interval), false
	return nil
}

// sweep reads the sweep's window of s and queues what was never delivered.
func (i *Instance) sweep(ctx context.Context, s *stream) error {
	set := s.settings.Load()
	polled := s.from(set.tenant.Overlap, 0, i.clock.now())
	w := &sweep{poll: poll{Instance: i, stream: s, settings: set, ctx: ctx}, to: polled, polled: polled}
	defer w.endBackfill()
	defer w.forgetUnsealed()
	if !w.beginBackfill() {
		return errTurn // enough others read far back
	}
	asked, err := w.prepare()
	if err != nil || !w.from.Before(w.to) {
		return err
	}
	if _, err := i.reader.Read(ctx, w.window(), set, w.emitLate); err != nil && !errors.Is(err, errSwept) {
		return err
	}
	if w.late > 0 {
		i.log(s).Warn(fmt.Sprintf("%d alerts became visible later than Overlap (%s) after their time: delivered now by the sweep; if this goes on, widen Overlap", w.late, set.tenant.Overlap), "oldest", w.oldest.Format(time.RFC3339))
	}
	if len(asked) > 0 {
		i.log(s).Info(fmt.Sprintf("%d of %d alerts that were asked for are delivered again, under their record_id", w.again, len(asked)))
	}
	// Those that did not come have changed meanwhile: their newer version is a record of its own.
	var gone []state.Seen
	for _, one := range asked {
		if w.wanted[one.Hash] {
			gone = append(gone, one)
		}
	}
	return i.store.Withdraw(s.key, gone)
}

// prepare finds out what was delivered, what is asked for, and where to begin.
func (w *sweep) prepare() (asked []state.Seen, err error) {
	var since time.Time
	if w.known, since, err = w.Instance.known(w.stream); err != nil {
		return nil, err
	}
	if asked, err = w.store.Redeliveries(w.key); err != nil {
		return nil, err
	}
	w.wanted = map[[16]byte]bool{}
	w.complete = maxTime(since, w.to.Add(-w.tenant.SweepWindow))
	w.from = w.complete
	for _, one := range asked {
		w.wanted[one.Hash] = true
		if one.Stamp.Before(w.from) {
			w.from = one.Stamp
		}
		if !one.Stamp.Before(w.to) {
			w.to = one.Stamp.Add(time.Second)
		}
	}
	return asked, nil
}

// known returns the ids of what was delivered (true) or is on its way (false),
// and since when they are kept.
func (i *Instance) known(s *stream) (all map[[16]byte]bool, since time.Time, err error) {
	// In the order in which they move, so that none slips through.
	onTheirWay := append(i.buffer.queued(&s.lane), i.commits.queued(s.key)...)
	checkpoint, _, err := i.store.Load(s.key)
	if err != nil {
		return nil, since, err
	}
	all = make(map[[16]byte]bool, len(checkpoint.Seen)+len(onTheirWay))
	for _, seen := range onTheirWay {
		all[seen.Hash] = false
	}
	for _, seen := range checkpoint.Seen {
		all[seen.Hash] = true
	}
	return all, checkpoint.Since, nil
}

func (w *sweep) emitLate(page fetch.Page) error {
	w.directory = w.source.Directory()
	for _, alert := range page.Alerts {
		if alert.Version.Before(w.from) || !alert.Version.Before(w.to) {
			continue
		}
		hash, stamp := w.identify(alert, page.Date)
		wanted := w.wanted[hash]
		if _, known := w.known[hash]; !wanted && (known || alert.Version.Before(w.complete) || !alert.Version.Before(w.polled)) {
			continue
		}
		delete(w.wanted, hash)
		w.sums.read++
		w.encode(alert, entry{seen: state.Seen{Hash: hash, Stamp: stamp}, late: !wanted})
		w.known[hash] = false
		if wanted {
			w.again++
		} else if w.late++; w.oldest.IsZero() || alert.Version.Before(w.oldest) {
			w.oldest = alert.Version
		}
		if int64(len(w.scratch)) >= w.buffer.batchLimit {
			if err := w.seal(true); err != nil {
				return err
			}
		}
	}
	if err := w.seal(true); err != nil {
		return err
	}
	if !page.Through.Before(w.to) {
		return errSwept
	}
	return nil
}
