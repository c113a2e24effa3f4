package ship

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// waitingLane returns a lane of a tenant of its own.
func waitingLane() *lane { return &lane{stream: &stream{}, tenant: new(int64)} }

// records makes a batch of n records of size bytes each.
func records(n, size int) *batch {
	b := &batch{bytes: make([]byte, n*size)}
	for k := range n {
		b.records = append(b.records, entry{end: (k + 1) * size, id: fmt.Sprint(k)})
	}
	return b
}

func put(t *testing.T, w *buffer, l *lane, b *batch) {
	t.Helper()
	if err := w.put(t.Context(), l, b, false); err != nil {
		t.Fatal(err)
	}
}

func TestBufferHoldsItsBounds(t *testing.T) {
	for name, test := range map[string]struct {
		waiting  []int // bytes of the same tenant's batches that wait already
		others   int   // bytes of another tenant
		size     int
		backfill bool
		fits     bool
	}{
		"empty":                               {size: 100, fits: true},
		"larger than everything, but alone":   {size: 5000, fits: true},
		"larger than everything, not alone":   {others: 1, size: 5000, fits: false},
		"up to the limit":                     {others: 900, size: 100, fits: true},
		"past the limit":                      {others: 901, size: 100, fits: false},
		"backfill in the lower half":          {others: 400, size: 100, backfill: true, fits: true},
		"backfill in the upper half":          {others: 401, size: 100, backfill: true, fits: false},
		"a tenant's share":                    {waiting: []int{100, 100, 100}, size: 100, fits: true},
		"past a tenant's share":               {waiting: []int{100, 100, 100}, size: 101, fits: false},
		"other tenants do not count as share": {others: 400, size: 100, fits: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuffer(1000, 100)
			l, other := waitingLane(), waitingLane()
			for _, size := range test.waiting {
				put(t, w, l, records(1, size))
			}
			if test.others > 0 {
				put(t, w, other, records(1, test.others))
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			full := errors.New("no room")
			cancel(full)
			err := w.put(ctx, l, records(1, test.size), test.backfill)
			if fits := err == nil; fits != test.fits {
				t.Errorf("fits = %v, want %v", fits, test.fits)
			}
			if err != nil && !errors.Is(err, full) {
				t.Errorf("put gave up with %v, want the context's cause", err)
			}
		})
	}
}

func TestPutGoesOnWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBuffer(100, 100)
		l := waitingLane()
		put(t, w, l, records(1, 100))
		done := make(chan error, 1)
		go func() { done <- w.put(t.Context(), l, records(1, 60), false) }()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("put did not wait")
		default:
		}
		_, b := w.next()
		w.took(l, b)
		w.putBack(l)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := w.waiting; got != 60 {
			t.Errorf("%d bytes wait, want 60", got)
		}
	})
}

func TestTenantsTakeTurns(t *testing.T) {
	w := newBuffer(1<<20, 100)
	busy, quiet := waitingLane(), waitingLane()
	for range 4 {
		put(t, w, busy, records(1, 100))
	}
	put(t, w, quiet, records(1, 100))
	var order []string
	for {
		l, b := w.next()
		if l == nil {
			break
		}
		w.took(l, b)
		w.putBack(l)
		order = append(order, map[*lane]string{busy: "busy", quiet: "quiet"}[l])
	}
	if got, want := fmt.Sprint(order), "[busy quiet busy busy busy]"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}

// TestCheckpointNeverPassesAWaitingBatch takes the second batch while the first
// is refused: its checkpoint may only come with the first.
func TestCheckpointNeverPassesAWaitingBatch(t *testing.T) {
	w := newBuffer(1<<20, 100)
	l := waitingLane()
	first, second := records(2, 10), records(1, 10)
	put(t, w, l, first)
	put(t, w, l, second)
	through := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	if !w.mark(l, through, through.Add(-time.Hour), 0) {
		t.Fatal("mark found nothing waiting")
	}

	_, b := w.next()
	if b != first {
		t.Fatal("the oldest batch does not come first")
	}
	if got, _ := w.took(l, w.after(l)); !got.IsZero() {
		t.Errorf("the second batch gave a checkpoint %v while the first waits", got)
	}
	got, since := w.took(l, first)
	if !got.Equal(through) || !since.Equal(through.Add(-time.Hour)) {
		t.Errorf("checkpoint %v since %v, want %v since an hour before", got, since, through)
	}
	if w.mark(l, through.Add(1), through, 0) {
		t.Error("mark found something waiting in an empty lane")
	}
	if w.waiting != 0 || *l.tenant != 0 {
		t.Errorf("%d bytes wait, %d of the tenant, want none", w.waiting, *l.tenant)
	}
}

func TestRefusedBatchIsHalved(t *testing.T) {
	w := newBuffer(1<<20, 100)
	l := waitingLane()
	big := records(5, 10)
	big.through = time.Unix(99, 0)
	for k := range big.bytes {
		big.bytes[k] = byte(k / 10)
	}
	put(t, w, l, big)

	refuse := func(behindTaken bool) { w.refused(l, l.batches[0], behindTaken, nil) }
	for range evidenceToHalve {
		refuse(true)
	}
	if len(l.batches) != 2 {
		t.Fatalf("%d batches after %d refusals while the batch behind was taken, want 2", len(l.batches), evidenceToHalve)
	}
	a, b := l.batches[0], l.batches[1]
	if len(a.records) != 2 || len(b.records) != 3 || len(a.bytes) != 20 || len(b.bytes) != 30 {
		t.Errorf("halves have %d and %d records in %d and %d bytes", len(a.records), len(b.records), len(a.bytes), len(b.bytes))
	}
	if !a.through.IsZero() || !b.through.Equal(time.Unix(99, 0)) {
		t.Error("the checkpoint does not stay with the second half")
	}
	for k, e := range b.records {
		if e.end != (k+1)*10 || b.bytes[e.end-1] != byte(2+k) {
			t.Errorf("record %d of the second half ends at %d", k, e.end)
		}
	}

	for range refusalsToHalve - 1 {
		refuse(false)
	}
	if len(l.batches) != 2 {
		t.Errorf("cut after %d refusals that say nothing of the batch", refusalsToHalve-1)
	}
	refuse(false)
	if len(l.batches) != 3 {
		t.Errorf("not cut after %d refusals in a row", refusalsToHalve)
	}
}

func TestRefusedRecordIsReplacedOnlyOnEvidence(t *testing.T) {
	w := newBuffer(1<<20, 100)
	l, other := waitingLane(), waitingLane()
	put(t, w, l, records(1, 50))
	stand := func(e entry, size int) []byte { return fmt.Appendf(nil, "%s was %d bytes", e.id, size) }

	// A disk that is nearly full takes one tag's batches and refuses another's.
	for range 100 {
		put(t, w, other, records(1, 60))
		w.took(other, other.batches[0])
		w.refused(l, l.batches[0], false, stand)
	}
	if len(l.batches[0].bytes) != 50 {
		t.Fatal("replaced although only others were taken: an alert is lost")
	}
	for range evidenceToReplace {
		w.refused(l, l.batches[0], true, stand)
	}
	if got := string(l.batches[0].bytes); got != "0 was 50 bytes" {
		t.Fatalf("the record is %q, want its replacement", got)
	}
	if want := int64(len("0 was 50 bytes")); w.waiting != want || *l.tenant != want || l.batches[0].records[0].end != int(want) {
		t.Errorf("%d bytes wait, want %d", w.waiting, want)
	}
}
