package ship

import (
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fluent-bit-defender/state"
)

// memory is a checkpoint store that can fail.
type memory struct {
	mu      sync.Mutex
	fail    error
	damaged state.Key
	calls   [][]state.Commit
	kept    map[state.Key]state.Checkpoint
}

func (m *memory) Load(k state.Key) (state.Checkpoint, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cp, found := m.kept[k]
	return cp, found, nil
}

func (m *memory) Commit(cs []state.Commit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, cs)
	for _, c := range cs {
		if c.Key == m.damaged {
			return &state.CorruptError{Path: "state.db", Key: &c.Key, What: "checksum"}
		}
	}
	if m.fail != nil {
		return m.fail
	}
	if m.kept == nil {
		m.kept = map[state.Key]state.Checkpoint{}
	}
	for _, c := range cs {
		cp := m.kept[c.Key]
		if !c.Watermark.IsZero() {
			cp.Watermark, cp.Since = c.Watermark, c.Since
		}
		cp.Seen = append(cp.Seen, c.Add...)
		m.kept[c.Key] = cp
	}
	return nil
}

func (m *memory) Ledger(state.Key) (state.Ledger, error) { return state.Ledger{}, nil }

func (m *memory) setFail(err error) {
	m.mu.Lock()
	m.fail = err
	m.mu.Unlock()
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.calls)
}

func (m *memory) watermark(k state.Key) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[k].Watermark
}

// committing runs test with a committer at work on fake time.
func committing(t *testing.T, delayed bool, test func(t *testing.T, c *committer, m *memory)) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		c := newCommitter(m, 10*time.Second, &pauses{now: time.Now}, slog.New(slog.DiscardHandler), time.Now)
		c.delayed.Store(delayed)
		done := make(chan struct{})
		go func() { c.run(t.Context()); close(done) }()
		t.Cleanup(func() { <-done })
		test(t, c, m)
	})
}

func TestADamagedCheckpointStopsNobodyElse(t *testing.T) {
	committing(t, false, func(t *testing.T, c *committer, m *memory) {
		bad := state.Key{TenantID: "fabrikam", Feed: "alerts"}
		m.damaged = bad
		c.add(mark(bad, 1), false)
		c.add(mark(contoso, 1), false)
		time.Sleep(3 * commitEvery)
		synctest.Wait()
		if m.watermark(contoso) != time.Unix(1, 0) || c.failing.Load() {
			t.Error("one damaged checkpoint kept another tenant's from being saved")
		}
	})
}

var contoso = state.Key{TenantID: "contoso", Feed: "alerts"}

func mark(k state.Key, second int64) state.Commit {
	return state.Commit{Key: k, Watermark: time.Unix(second, 0), Since: time.Unix(second-900, 0), Add: []state.Seen{{Stamp: time.Unix(second, 0)}}}
}

func TestCommitsOfManyTenantsShareATransaction(t *testing.T) {
	committing(t, false, func(t *testing.T, c *committer, m *memory) {
		c.add(mark(contoso, 1), false)
		synctest.Wait()
		if m.count() != 1 {
			t.Fatalf("%d transactions at once, want 1", m.count())
		}
		for n := range 1000 {
			c.add(mark(state.Key{TenantID: string(rune('a' + n%7))}, int64(n)), false)
		}
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		if m.count() != 2 {
			t.Fatalf("%d transactions, want 2: the second within a second of the first must wait", m.count())
		}
		if got := len(m.calls[1]); got != 7 {
			t.Errorf("%d commits in it, want one for each of 7 tenants", got)
		}
		if len(m.kept[state.Key{TenantID: "a"}].Seen) != 143 {
			t.Errorf("merging lost seen alerts: %d", len(m.kept[state.Key{TenantID: "a"}].Seen))
		}
	})
}

func TestLazyCommitsWaitForCompany(t *testing.T) {
	committing(t, false, func(t *testing.T, c *committer, m *memory) {
		c.add(mark(contoso, 1), true)
		time.Sleep(lazyCommitAfter - time.Second)
		synctest.Wait()
		if m.count() != 0 {
			t.Fatal("a lazy commit did not wait")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if m.count() != 1 {
			t.Fatal("a lazy commit waited too long")
		}
		c.add(mark(contoso, 2), true)
		c.add(mark(state.Key{TenantID: "b"}, 2), false)
		time.Sleep(commitEvery)
		synctest.Wait()
		if got := m.watermark(contoso); got != time.Unix(2, 0) {
			t.Error("a lazy commit did not go along with another")
		}
	})
}

func TestDelayedEvidenceIsOldEnough(t *testing.T) {
	committing(t, true, func(t *testing.T, c *committer, m *memory) {
		c.add(mark(contoso, 1), false)
		time.Sleep(6 * time.Second)
		c.pauses.pause()
		time.Sleep(time.Minute)
		synctest.Wait()
		if m.count() != 0 {
			t.Fatal("committed while paused: the ring buffer is not drained then")
		}
		c.pauses.resume()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if m.count() != 0 {
			t.Fatal("committed before the delay had passed unpaused")
		}
		c.add(mark(contoso, 2), true)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := m.watermark(contoso); got != time.Unix(1, 0) {
			t.Fatalf("watermark %v, want the first commit alone", got)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := m.watermark(contoso); got != time.Unix(2, 0) {
			t.Fatalf("watermark %v, want the second commit", got)
		}
	})
}

func TestAFailingStoreStopsHandOvers(t *testing.T) {
	committing(t, false, func(t *testing.T, c *committer, m *memory) {
		m.setFail(errors.New("disk full"))
		c.add(mark(contoso, 1), false)
		synctest.Wait()
		if !c.failing.Load() {
			t.Fatal("a failed commit does not stop hand-overs")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := m.count(); n < 60 || n > 200 {
			t.Errorf("%d tries in an hour, want about two a minute", n)
		}
		m.setFail(nil)
		time.Sleep(2 * commitRetryMax)
		synctest.Wait()
		if c.failing.Load() || m.watermark(contoso) != time.Unix(1, 0) {
			t.Error("the commit was not made good after the store worked again")
		}
	})
}
