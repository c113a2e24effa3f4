package ship

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-defender/state"
)

const (
	commitEvery     = time.Second      // at most one transaction in this time
	lazyCommitAfter = 10 * time.Second // how long a checkpoint with nothing new may wait for company
	commitRetryMax  = 30 * time.Second
	commitReminder  = time.Minute // between two lines about the same failure
)

// checkpoints is the store that ship needs; state.Store is one.
type checkpoints interface {
	Load(state.Key) (state.Checkpoint, bool, error)
	Commit([]state.Commit) error
	Ledger(state.Key) (state.Ledger, error)
}

// committer makes checkpoints durable, off the callback's thread, in the order
// in which they were queued: many tenants in one transaction, and with Delayed
// evidence only after delay has passed unpaused.
type committer struct {
	store checkpoints
	delay time.Duration
	log   *slog.Logger
	now   func() time.Time

	failing atomic.Bool // the last transaction failed: nothing more may be handed over
	delayed atomic.Bool // an append's answer covers only a buffer in memory
	pauses  *pauses

	flushing sync.Mutex // one transaction at a time

	mu         sync.Mutex
	queue      []queuedCommit     // oldest first
	unbalanced map[state.Key]bool // it was said
	wake       chan struct{}
}

// pauses is what Fluent Bit says of pausing: set by its thread, read by ours.
type pauses struct {
	now     func() time.Time
	paused  atomic.Bool
	resumed atomic.Pointer[time.Time] // when the last pause ended
}

func (p *pauses) pause() { p.paused.Store(true) }

func (p *pauses) resume() {
	now := p.now()
	p.resumed.Store(&now)
	p.paused.Store(false)
}

// since is the later of at and the end of the last pause: a paused engine does
// not drain its buffers.
func (p *pauses) since(at time.Time) time.Time {
	if resumed := p.resumed.Load(); resumed != nil && resumed.After(at) {
		return *resumed
	}
	return at
}

type queuedCommit struct {
	state.Commit
	at   time.Time
	lazy bool
}

func newCommitter(store checkpoints, delay time.Duration, p *pauses, log *slog.Logger, now func() time.Time) *committer {
	return &committer{store: store, delay: delay, pauses: p, log: log, now: now, wake: make(chan struct{}, 1), unbalanced: map[state.Key]bool{}}
}

// add queues c and returns at once. A lazy commit says nothing new was
// delivered: losing it costs only a repeated read.
func (c *committer) add(commit state.Commit, lazy bool) {
	c.mu.Lock()
	first := len(c.queue) == 0
	c.queue = append(c.queue, queuedCommit{commit, c.now(), lazy})
	c.mu.Unlock()
	if first || !lazy { // else what is queued already says when
		c.poke()
	}
}

func (c *committer) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// queued lists what was taken of key and is not durable yet.
func (c *committer) queued(key state.Key) (all []state.Seen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queue {
		if q.Key == key {
			all = append(all, q.Add...)
		}
	}
	return all
}

// run commits until ctx ends.
func (c *committer) run(ctx context.Context) {
	var notBefore, reported time.Time
	var failures int
	for {
		timer := time.NewTimer(c.wait(notBefore))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.wake: // something changed: look again how long to wait
			timer.Stop()
			continue
		case <-timer.C:
		}

		err := c.flush()
		notBefore = c.now().Add(commitEvery)
		switch {
		case err != nil:
			notBefore = c.now().Add(min(commitEvery<<min(failures, 5), commitRetryMax))
			failures++
			if c.now().Sub(reported) >= commitReminder {
				reported = c.now()
				c.log.Error("could not save checkpoints; nothing more is handed to Fluent Bit until this works again: free space or repair the permissions of State_Path", "error", err)
			}
		case failures > 0:
			failures, reported = 0, time.Time{}
			c.log.Info("checkpoints are saved again")
		}
	}
}

// wait is how long the next transaction has time, at least until notBefore.
func (c *committer) wait(notBefore time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	soonest := 24 * time.Hour
	for _, q := range c.queue {
		at := q.at
		if q.lazy {
			at = at.Add(lazyCommitAfter)
		}
		at = maxTime(at, notBefore)
		if c.delayed.Load() {
			if c.pauses.paused.Load() {
				return commitEvery // look again
			}
			at = maxTime(at, c.pauses.since(q.at).Add(c.delay))
		}
		soonest = min(soonest, at.Sub(now))
		if !q.lazy {
			break // the rest is not due earlier
		}
	}
	return max(soonest, 0)
}

// flush commits what is due; lazy commits that are in the queue go along.
func (c *committer) flush() error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	due := c.due()
	if len(due) == 0 {
		return nil
	}
	commits := make([]state.Commit, 0, len(due))
	index := make(map[state.Key]int, len(due))
	for _, q := range due {
		i, known := index[q.Key]
		if !known {
			index[q.Key] = len(commits)
			commits = append(commits, q.Commit)
			continue
		}
		merged := &commits[i]
		merged.Add = append(merged.Add[:len(merged.Add):len(merged.Add)], q.Add...)
		merged.Again = append(merged.Again[:len(merged.Again):len(merged.Again)], q.Again...)
		merged.Ledger = merged.Ledger.Plus(q.Ledger)
		if q.Watermark.After(merged.Watermark) {
			merged.Watermark, merged.Since = q.Watermark, q.Since
		}
	}
	if err := c.commit(commits); err != nil {
		c.failing.Store(true)
		return err
	}
	c.failing.Store(false)
	c.balance(commits)
	c.mu.Lock()
	c.queue = c.queue[len(due):]
	if len(c.queue) == 0 {
		c.queue = nil
	}
	c.mu.Unlock()
	return nil
}

// balance holds the ledgers that commits wrote against themselves.
func (c *committer) balance(commits []state.Commit) {
	for _, commit := range commits {
		if len(commit.Add) == 0 {
			continue
		}
		l, err := c.store.Ledger(commit.Key)
		if err != nil || l.Balanced() {
			continue
		}
		c.mu.Lock()
		said := c.unbalanced[commit.Key]
		c.unbalanced[commit.Key] = true
		c.mu.Unlock()
		if !said {
			c.log.Error("the ledger does not balance, please report it", "of", commit.Key.String(),
				"fetched", l.Fetched, "new", l.New, "before", l.Before, "unreadable", l.Unreadable, "appended", l.Appended, "committed", l.Committed)
		}
	}
}

// commit writes commits, leaving out those whose checkpoint is damaged in the
// store: one tenant's damage does not stop the others.
func (c *committer) commit(commits []state.Commit) error {
	err := c.store.Commit(commits)
	for {
		var corrupt *state.CorruptError
		if !errors.As(err, &corrupt) || corrupt.Key == nil {
			return err
		}
		c.log.Error("the checkpoint of one tenant is damaged and cannot be saved: its alerts go on, but it will be left out after a restart", "error", err)
		damaged := *corrupt.Key
		rest := slices.DeleteFunc(commits, func(commit state.Commit) bool { return commit.Key == damaged })
		if len(rest) == len(commits) {
			return err
		}
		if commits = rest; len(commits) == 0 {
			return nil
		}
		err = c.store.Commit(commits)
	}
}

// due is the part of the queue whose evidence is old enough. It stays queued
// until it is durable.
func (c *committer) due() []queuedCommit {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.delayed.Load() {
		return c.queue
	}
	if c.pauses.paused.Load() {
		return nil
	}
	now := c.now()
	for i, q := range c.queue {
		if now.Before(c.pauses.since(q.at).Add(c.delay)) {
			return c.queue[:i]
		}
	}
	return c.queue
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
