package ship

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"
)

const (
	pollsAtOnce     = 32 // requests under way, all tenants of an instance
	backfillsAtOnce = 8
	// startSpread is how much time each stream is given in the first round, so
	// that a few tenants start at once and thousands do not.
	startSpread = 20 * time.Millisecond
	turnRetry   = time.Second // when buffer or backfill have no room
	afterPanic  = time.Second // until a loop goes on
)

// slots bound how much goes on at once.
type slots chan struct{}

func (s slots) tryAcquire() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) release() { <-s }

// phase is the place of the nth stream in the interval. The golden ratio spreads
// any number of streams evenly, and adding one moves no other.
func phase(n int, seed float64) float64 {
	_, fraction := math.Modf(seed + float64(n)*math.Phi)
	return fraction
}

// enlist gives s its first turn.
func (i *Instance) enlist(s *stream, interval time.Duration) {
	spread := min(interval, time.Duration(len(i.streams)+1)*startSpread)
	s.due = i.now().Add(time.Duration(s.phase * float64(spread)))
	heap.Push(&i.queue, s)
	i.wakeUp()
}

// next is the turn after one that ended at now: the stream's own place in the
// interval, at least half an interval away.
func (i *Instance) next(s *stream, now time.Time) time.Time {
	interval := s.settings.Load().tenant.PollInterval
	place := i.started.Add(time.Duration(s.phase * float64(interval)))
	earliest := now.Add(interval / 2)
	if behind := earliest.Sub(place); behind > 0 {
		place = place.Add(behind.Truncate(interval))
		if place.Before(earliest) {
			place = place.Add(interval)
		}
	}
	return place
}

// schedule starts polls when they are due, until ctx ends.
func (i *Instance) schedule(ctx context.Context) {
	for {
		s, wait := i.pop()
		if s == nil {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-i.wake:
				timer.Stop()
			case <-timer.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case i.polls <- struct{}{}:
		}
		i.work.Go(func() {
			defer i.polls.release()
			i.keep(ctx, func(ctx context.Context) { i.turn(ctx, s) })
		})
	}
}

// pop takes the stream that is due, or says how long until one is.
func (i *Instance) pop() (*stream, time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.queue) == 0 {
		return nil, time.Hour // enlist wakes us
	}
	if wait := i.queue[0].due.Sub(i.now()); wait > 0 {
		return nil, wait
	}
	s := heap.Pop(&i.queue).(*stream)
	s.polling = true
	return s, 0
}

// turn polls s once and puts it back into the schedule.
func (i *Instance) turn(ctx context.Context, s *stream) {
	polled := s.settings.Load()
	turn, cancel := context.WithCancel(ctx)
	defer cancel()
	i.mu.Lock()
	s.cancel = cancel
	i.mu.Unlock()
	err := guard(func() error { return i.read(turn, s) })
	now := i.now()
	var due time.Time
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		i.succeeded(s)
		due = i.next(s, now)
	case turn.Err() != nil:
		due = now // removed meanwhile, and perhaps back again
	case errors.Is(err, errTurn):
		due = now.Add(turnRetry)
	default:
		wait := i.failed(s, err)
		due = now.Add(wait + time.Duration(s.phase*float64(wait)/8)) // not all at once
	}

	i.mu.Lock()
	defer i.mu.Unlock()
	s.polling = false
	if s.removed {
		return
	}
	if s.settings.Load() != polled {
		due = now // the operator changed something meanwhile: try it
	}
	s.due = due
	heap.Push(&i.queue, s)
	i.wakeUp()
}

// read polls s, and sweeps it when that is due.
func (i *Instance) read(ctx context.Context, s *stream) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	if err := i.poll(ctx, s); err != nil {
		return err
	}
	if err := i.sweepIfDue(ctx, s); err != nil && ctx.Err() == nil {
		i.log(s).Warn("the sweep for late alerts did not get through; it is tried again, and the polls go on", "error", err)
	}
	return nil
}

// keep runs one of the instance's loops until ctx ends, also after a panic.
func (i *Instance) keep(ctx context.Context, loop func(context.Context)) {
	for ctx.Err() == nil {
		err := guard(func() error { loop(ctx); return nil })
		if err == nil {
			return
		}
		i.slog.Error(err.Error())
		select {
		case <-ctx.Done():
		case <-time.After(afterPanic):
		}
	}
}

// guard turns a panic into an error: no bad luck of ours may end Fluent Bit.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error, please report it: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}

func (i *Instance) wakeUp() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// streamQueue is a heap of streams by due time (container/heap).
type streamQueue []*stream

func (q streamQueue) Len() int           { return len(q) }
func (q streamQueue) Less(a, b int) bool { return q[a].due.Before(q[b].due) }
func (q streamQueue) Swap(a, b int) {
	q[a], q[b] = q[b], q[a]
	q[a].place, q[b].place = a, b
}

// Push adds a stream (heap.Interface).
func (q *streamQueue) Push(x any) {
	s := x.(*stream)
	s.place = len(*q)
	*q = append(*q, s)
}

// Pop removes the last stream (heap.Interface).
func (q *streamQueue) Pop() any {
	old := *q
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	s.place = -1
	return s
}
