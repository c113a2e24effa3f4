package ship

import (
	"context"
	"sync"
	"time"

	"fluent-bit-defender/state"
)

// tenantShare is how many batches' worth of the waiting bytes one tenant may hold.
const tenantShare = 4

// batch is the MessagePack of some records of one stream, on its way to Fluent
// Bit, with what may be committed once Fluent Bit has taken it.
type batch struct {
	bytes   []byte
	records []entry
	// through and since are the checkpoint that is reached when this batch and
	// all before it are taken; zero when a slice of the window goes on after it.
	through, since time.Time
	before         uint64 // rows that came along and were seen before

	refusals int // times refused since it was last changed
	evidence int // of these, how often the batch behind it was taken
}

// entry is one record of a batch.
type entry struct {
	end     int // where it ends in batch.bytes
	seen    state.Seen
	id      string
	version time.Time

	unreadable bool
	late       bool // it came later than the overlap
}

// lane is where one stream's batches wait, oldest first.
type lane struct {
	stream  *stream
	tenant  *int64 // bytes that wait for all feeds of the tenant
	batches []*batch
	queued  bool // it stands in buffer.turns
}

// buffer holds the batches that wait for Fluent Bit: bounded, tenants in turn.
// Its lock is held for a few pointer moves only, never across an append.
type buffer struct {
	limit      int64 // bytes, all tenants together
	batchLimit int64 // bytes of one append

	mu      sync.Mutex
	waiting int64
	turns   []*lane // lanes with waiting batches, the next one first
	room    chan struct{}
}

func newBuffer(limit, batchLimit int64) *buffer {
	return &buffer{limit: limit, batchLimit: batchLimit, room: make(chan struct{})}
}

// put waits until there is room for b and queues it. Backfill finds room only
// in the lower half of the buffer, so that fresh alerts of others pass it.
func (w *buffer) put(ctx context.Context, l *lane, b *batch, backfill bool) error {
	size := int64(len(b.bytes))
	for {
		w.mu.Lock()
		if w.fits(l, size, backfill) {
			w.waiting += size
			*l.tenant += size
			l.batches = append(l.batches, b)
			if !l.queued {
				l.queued = true
				w.turns = append(w.turns, l)
			}
			w.mu.Unlock()
			return nil
		}
		room := w.room
		w.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fits reports whether size more bytes of l may wait. What is larger than its
// bound may wait alone: a bound must never become a deadlock.
func (w *buffer) fits(l *lane, size int64, backfill bool) bool {
	limit := w.limit
	if backfill {
		limit /= 2
	}
	return (w.waiting == 0 || w.waiting+size <= limit) &&
		(*l.tenant == 0 || *l.tenant+size <= tenantShare*w.batchLimit)
}

// mark records that everything before through was read. It travels with the
// stream's last waiting batch, and is false when nothing waits: then it may be
// committed at once.
func (w *buffer) mark(l *lane, through, since time.Time, before uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(l.batches) == 0 {
		return false
	}
	last := l.batches[len(l.batches)-1]
	last.through, last.since = through, since
	last.before += before
	return true
}

// full reports whether a poll should wait: the buffer, or its lower half for
// backfill, has no room worth filling.
func (w *buffer) full(backfill bool) bool {
	limit := w.limit - w.limit/8
	if backfill {
		limit = w.limit / 2
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting > 0 && w.waiting+w.batchLimit > limit
}

// waits reports whether a batch of l waits.
func (w *buffer) waits(l *lane) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(l.batches) > 0
}

// queued lists what of l waits.
func (w *buffer) queued(l *lane) (all []state.Seen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range l.batches {
		for _, e := range b.records {
			all = append(all, e.seen)
		}
	}
	return all
}

// next takes the lane whose turn it is out of the round, or nil. Only Collect
// calls it, on one thread, and gives the lane back with took or refused.
func (w *buffer) next() (*lane, *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.turns) == 0 {
		return nil, nil
	}
	l := w.turns[0]
	w.turns[0] = nil
	w.turns = w.turns[1:]
	return l, l.batches[0]
}

// after is the batch behind the first one of l, or nil.
func (w *buffer) after(l *lane) *batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(l.batches) < 2 {
		return nil
	}
	return l.batches[1]
}

// took removes b, which Fluent Bit has taken, and says what may be committed.
// When b was taken ahead of a refused one, its checkpoint waits for that one.
func (w *buffer) took(l *lane, b *batch) (through, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := int64(len(b.bytes))
	w.waiting -= size
	*l.tenant -= size
	close(w.room)
	w.room = make(chan struct{})

	if l.batches[0] == b {
		l.batches[0] = nil
		l.batches = l.batches[1:]
		return b.through, b.since
	}
	l.batches = append(l.batches[:1], l.batches[2:]...)
	if !b.through.IsZero() {
		// Nothing may be committed past a batch that still waits.
		l.batches[0].through, l.batches[0].since = b.through, b.since
	}
	return time.Time{}, time.Time{}
}

// putBack ends the lane's turn: it goes to the end of the round if it has more.
func (w *buffer) putBack(l *lane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.queued = len(l.batches) > 0
	if l.queued {
		w.turns = append(w.turns, l)
	}
}

// How a batch that is refused is treated: time and again, it is cut in half. A
// single record is given up only on the evidence that the batch behind it, of the
// same stream and under the same tag, was taken in the same callback: what is
// taken of others says nothing, for a full disk takes one tag and refuses another.
const (
	refusalsToHalve   = 10
	evidenceToHalve   = 3
	evidenceToReplace = 10
)

// refused counts a refusal of l's first batch b and cuts it when the batch, not
// Fluent Bit's state, looks like the reason. replace makes the record that goes
// in place of one that is refused time and again.
func (w *buffer) refused(l *lane, b *batch, behindTaken bool, replace func(entry, int) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.refusals++
	if behindTaken {
		b.evidence++
	}

	switch {
	case len(b.records) > 1 && (b.evidence >= evidenceToHalve || b.refusals >= refusalsToHalve):
		first, second := b.halve()
		l.batches = append([]*batch{first, second}, l.batches[1:]...)
	case len(b.records) == 1 && b.evidence >= evidenceToReplace:
		stand := replace(b.records[0], len(b.bytes))
		delta := int64(len(stand) - len(b.bytes))
		w.waiting += delta
		*l.tenant += delta
		b.bytes, b.refusals, b.evidence = stand, 0, 0
		b.records[0].end = len(stand)
	}
}

// ledger is what b adds to the sums once it is taken.
func (b *batch) ledger() state.Ledger {
	n := uint64(len(b.records))
	l := state.Ledger{Fetched: n + b.before, Before: b.before, New: n, Appended: n}
	for _, e := range b.records {
		if e.unreadable {
			l.New--
			l.Unreadable++
		} else if e.late {
			l.Late++
		}
	}
	return l
}

// halve cuts b between two records. The checkpoint stays with the second half.
func (b *batch) halve() (*batch, *batch) {
	middle := len(b.records) / 2
	cut := b.records[middle-1].end
	first := &batch{bytes: b.bytes[:cut:cut], records: b.records[:middle:middle]}
	second := &batch{bytes: b.bytes[cut:], through: b.through, since: b.since, before: b.before}
	for _, e := range b.records[middle:] {
		e.end -= cut
		second.records = append(second.records, e)
	}
	return first, second
}
