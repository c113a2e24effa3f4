package ship

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-defender/auth"
	"fluent-bit-defender/config"
	"fluent-bit-defender/fetch"
	"fluent-bit-defender/record"
	"fluent-bit-defender/state"
)

// stream is one feed of one tenant: what is read, how far, and what waits.
type stream struct {
	feed *fetch.Feed
	key  state.Key
	lane lane

	// settings are replaced whole when the configuration changes.
	settings atomic.Pointer[settings]

	// How far it is read: ahead of what is committed. Only who reads the stream
	// touches these, one at a time, holding reading.
	reading    sync.Mutex
	watermark  time.Time
	since      time.Time          // the committed seen set is complete from here on
	remembered time.Time          // and the one in memory, which polls need, from here on
	seen       map[[16]byte]int64 // id + version of what was read, to its stamp in Unix seconds
	backfill   bool               // the last window did not fit one page
	partial    time.Time          // since when answers are partial
	trouble    trouble

	// Schedule; guarded by Instance.mu.
	due     time.Time
	phase   float64 // its place in the interval, 0 to 1
	place   int     // in the schedule's heap, −1 when not in it
	polling bool
	cancel  context.CancelFunc // of the turn that runs, or ran last
	// When it is swept next, and whether alerts are asked for again.
	sweepAt   time.Time
	redeliver bool
	removed   bool // no longer configured; its token source was given back

	sums sums
}

// sums account for every alert since the start: read = fresh + before, and what
// is fresh is either waiting or taken.
type sums struct {
	read, before int64 // by the poll
	fresh        int64 // by the poll
	taken        atomic.Int64
	unbalanced   bool // it was said that they do not add up
}

// settings are what the configuration says of a stream.
type settings struct {
	tenant    config.Tenant
	tag       string
	encoder   *record.Flat
	source    *auth.Source
	sourceKey sourceKey
	scope     string
	retention time.Duration // how long ids of delivered alerts are kept
}

// retention is how long the ids of what was delivered may be asked for.
func retention(t config.Tenant) time.Duration {
	if t.SweepInterval > 0 {
		return max(t.AuditWindow, t.SweepWindow)
	}
	return t.AuditWindow
}

// Token returns an access token for the feed's API (fetch.Tokens).
func (s *settings) Token(ctx context.Context) (string, error) {
	token, err := s.source.Token(ctx, s.scope)
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

// Reject drops an access token that the API refused (fetch.Tokens).
func (s *settings) Reject(access string) { s.source.Reject(s.scope, access) }

// restore puts the stream where its checkpoint was committed.
func (s *stream) restore(cp state.Checkpoint, overlap time.Duration) {
	s.watermark, s.since = cp.Watermark, cp.Since
	s.remembered = maxTime(cp.Since, cp.Watermark.Add(-overlap))
	for _, seen := range cp.Seen {
		if seen.Stamp.Before(s.remembered) {
			continue
		}
		if s.seen == nil {
			s.seen = make(map[[16]byte]int64)
		}
		s.seen[seen.Hash] = seen.Stamp.Unix()
	}
}

// from is where the next poll begins.
func (s *stream) from(overlap, lookback time.Duration, now time.Time) time.Time {
	if s.watermark.IsZero() {
		return now.Add(-lookback)
	}
	// Not further back than is remembered, or a wider Overlap would deliver again
	// what was forgotten.
	return maxTime(s.watermark.Add(-overlap), s.remembered)
}

// advance moves the watermark to through and forgets what no poll can meet
// again, and what neither sweep nor audit will ask for. It reports whether the
// watermark moved.
func (s *stream) advance(through time.Time, overlap, keep time.Duration) bool {
	if !through.After(s.watermark) {
		return false
	}
	s.watermark = through
	s.since = maxTime(s.since, through.Add(-max(overlap, keep)))
	if limit := through.Add(-overlap); limit.After(s.remembered) {
		s.remembered = limit
		s.forget()
	}
	return true
}

func (s *stream) forget() {
	limit := s.remembered.Unix()
	for hash, stamp := range s.seen {
		if stamp < limit {
			delete(s.seen, hash)
		}
	}
	if len(s.seen) == 0 {
		s.seen = nil // a map keeps its size for ever
	}
}
