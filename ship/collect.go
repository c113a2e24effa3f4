package ship

import (
	"time"

	"fluent-bit-defender/state"
)

// Evidence is what it proves that an append was taken.
type Evidence int

const (
	// Direct: the callback runs on the engine's own thread, and the append
	// returns after the chunk holds the batch.
	Direct Evidence = iota
	// Delayed: the append returns after a buffer in memory holds the batch; it
	// is committed Commit_Delay later.
	Delayed
)

const (
	// callbackBudget is how long one Collect may go on beginning appends: the
	// engine's thread is not ours. With the append that was begun last it stays
	// below 20 ms.
	callbackBudget = 12 * time.Millisecond
	// refusalsARound end a round: Fluent Bit is full or paused, not one batch at fault.
	refusalsARound = 8
)

// Collect hands waiting batches to append, tenants in turn, until nothing waits,
// append says no to all, or the time budget is used up. append reports whether
// Fluent Bit took the batch; tag "" stands for the instance's own. Call it from
// one thread only; append may call Pause.
func (i *Instance) Collect(e Evidence, append func(tag string, batch []byte) bool) {
	i.commits.delayed.Store(e == Delayed)
	if e == Direct {
		// Fluent Bit says that something is paused, not what: that this callback
		// comes shows that it is another instance.
		i.pauses.paused.Store(false)
	}
	start := time.Now()
	refused := 0
	for i.open() && refused < refusalsARound && time.Since(start) < callbackBudget {
		l, b := i.buffer.next()
		if l == nil {
			return
		}
		tag := l.stream.settings.Load().tag
		switch {
		case append(tag, b.bytes):
			i.taken(l, b)
		case i.pauses.paused.Load():
			i.buffer.putBack(l)
			return
		default:
			refused++
			// Perhaps it is this one batch: the one behind it tells.
			behind := i.buffer.after(l)
			taken := behind != nil && append(tag, behind.bytes)
			if taken {
				i.taken(l, behind)
			}
			i.buffer.refused(l, b, taken, l.replacement)
		}
		i.buffer.putBack(l)
	}
}

// CollectBytes returns the next bytes to hand to Fluent Bit under the instance's
// own tag, or nil: for engines whose append cannot be called. They count as
// handed over when it returns, and are committed Commit_Delay later.
func (i *Instance) CollectBytes() []byte {
	i.commits.delayed.Store(true)
	var all []byte
	for i.open() {
		l, b := i.buffer.next()
		if l == nil {
			break
		}
		fits := len(all) == 0 || int64(len(all)+len(b.bytes)) <= i.buffer.batchLimit
		if fits {
			all = append(all, b.bytes...)
			i.taken(l, b)
		}
		i.buffer.putBack(l)
		if !fits {
			break
		}
	}
	return all
}

// open reports whether anything may be handed over.
func (i *Instance) open() bool {
	return !i.stopped.Load() && !i.pauses.paused.Load() && !i.commits.failing.Load()
}

// taken queues the commit of b, which Fluent Bit has taken.
func (i *Instance) taken(l *lane, b *batch) {
	s := l.stream
	s.sums.taken.Add(int64(len(b.records))) // first: balance looks once nothing waits
	through, since := i.buffer.took(l, b)
	seen := make([]state.Seen, len(b.records))
	for n, e := range b.records {
		seen[n] = e.seen
	}
	i.commits.add(state.Commit{Key: s.key, Watermark: through, Since: since, Add: seen, Ledger: b.ledger()}, false)
}

// replacement is the record that goes in place of one that is refused time and again.
func (l *lane) replacement(e entry, size int) []byte {
	return l.stream.settings.Load().encoder.AppendRefused(nil, e.id, e.version,
		"Fluent Bit refused this record time and again while it took others", size)
}
