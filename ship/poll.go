package ship

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"fluent-bit-defender/fetch"
	"fluent-bit-defender/record"
	"fluent-bit-defender/state"
)

// reader reads one window of a feed; fetch.Client is one.
type reader interface {
	Read(ctx context.Context, w fetch.Window, t fetch.Tokens, emit func(fetch.Page) error) (fetch.Result, error)
}

var (
	// errClock ends a read whose start was reckoned with a wrong clock.
	errClock = errors.New("Microsoft's answers do not agree on the time (Date header), so there is no telling how far back Lookback goes; look for a proxy that changes it")
	// errTurn ends a read that turned out to be a backfill while enough others are under way.
	errTurn = errors.New("waiting for a turn to backfill")
)

const (
	// clockTolerance is how far Lookback's start may be off before it is reckoned
	// again with Microsoft's clock.
	clockTolerance = 30 * time.Second
	// farBehind is how many overlaps a watermark may be behind before catching up
	// counts as a backfill.
	farBehind = 4
	// clockAttempts are enough to hear of a wrong clock, to have it confirmed and to read.
	clockAttempts = 4
)

// poll is one pass over a stream's window.
type poll struct {
	*Instance
	*stream
	*settings
	ctx context.Context

	from      time.Time
	now       time.Time // Microsoft's, when from was reckoned
	unchecked bool      // from rests on a clock that no answer has confirmed

	directory string // GUID of the tenant whose token is used, "" when that is not known
	foreign   bool   // it was said that there are alerts of another tenant

	backfilling bool // it holds one of the places for backfills

	batch   batch  // being filled
	before  uint64 // rows seen before, since the last batch or progress
	scratch []byte // batch.bytes, reused
	again   []state.Seen
}

// poll reads what is new in s and queues it for Fluent Bit.
func (i *Instance) poll(ctx context.Context, s *stream) error {
	set := s.settings.Load()
	p := &poll{Instance: i, stream: s, settings: set, ctx: ctx}
	defer p.endBackfill()
	defer p.forgetUnsealed()
	// What may bring whole pages takes one of the places for it before it asks:
	// pages that wait for room in the buffer are memory too.
	far := s.backfill || i.clock.now().Sub(s.watermark) > farBehind*set.tenant.Overlap
	if i.buffer.full(far) || far && !p.beginBackfill() {
		return errTurn
	}

	for attempt := 1; ; attempt++ {
		p.now = i.clock.now()
		p.from = s.from(set.tenant.Overlap, set.tenant.Lookback, p.now)
		p.unchecked = s.watermark.IsZero()
		result, err := i.reader.Read(ctx, p.window(), set, p.emit)
		if errors.Is(err, errClock) && attempt < clockAttempts {
			continue // the answer has set the clock, or the next one confirms it
		}
		if err == nil {
			s.backfill = false
			i.notePartial(s, result)
			i.balance(s)
		}
		return err
	}
}

func (p *poll) window() fetch.Window {
	t := p.tenant
	return fetch.Window{Feed: p.feed, BaseURL: t.GraphURL, MinSeverity: t.MinSeverity, ServiceSources: t.ServiceSources, From: p.from}
}

// emit takes one page: drops what was seen, encodes and queues the rest, and
// moves the watermark when the page completes a slice.
func (p *poll) emit(page fetch.Page) error {
	confirmed := !page.DateKnown || p.clock.set(page.Date)
	if !confirmed {
		page.Through = time.Time{} // no watermark by a clock that nothing has confirmed
	}
	if p.unchecked {
		p.unchecked = false
		if !confirmed || p.clock.now().Sub(p.now).Abs() > clockTolerance {
			return errClock
		}
		p.since, p.remembered = p.from, p.from
	}

	p.directory = p.source.Directory()
	for _, alert := range page.Alerts {
		p.take(alert, page.Date)
		if int64(len(p.scratch)) >= p.buffer.batchLimit {
			if err := p.seal(page.Backfill); err != nil {
				return err
			}
		}
	}
	if err := p.seal(page.Backfill); err != nil {
		return err
	}
	if !page.Through.IsZero() && p.advance(page.Through, p.tenant.Overlap, p.retention) {
		p.progress()
	}
	if page.Backfill && !p.backfill {
		p.backfill = true
		if !p.backfilling && !p.beginBackfill() {
			return errTurn // what the page brought is on its way; the rest takes its turn
		}
	}
	return nil
}

// beginBackfill takes one of the places for backfills, if one is free.
func (p *poll) beginBackfill() bool {
	p.backfilling = p.backfills.tryAcquire()
	return p.backfilling
}

func (p *poll) endBackfill() {
	if p.backfilling {
		p.backfills.release()
	}
}

// take encodes one alert unless this version of it was taken before.
func (p *poll) take(alert fetch.Alert, date time.Time) {
	hash, stamp := p.identify(alert, date)
	p.sums.read++
	if known, seen := p.seen[hash]; seen {
		p.sums.before++
		p.before++
		if !stamp.Equal(alert.Version) && stamp.Unix()-known > int64(p.tenant.Overlap/time.Second)/2 {
			// It comes with every answer, whatever the window: remember it longer.
			p.again = append(p.again, state.Seen{Hash: hash, Stamp: stamp})
		}
		return
	}
	p.encode(alert, entry{seen: state.Seen{Hash: hash, Stamp: stamp}})
}

// encode adds one alert to the batch that is being filled.
func (p *poll) encode(alert fetch.Alert, e entry) {
	start := len(p.scratch)
	var outcome record.Outcome
	p.scratch, outcome = p.encoder.Append(p.scratch, record.Alert{ID: alert.ID, Version: alert.Version, Raw: alert.Raw, Directory: p.directory})
	p.noteForeign(alert.ID, outcome.Foreign)
	if outcome.Unreadable {
		e.unreadable = true
		p.log(p.stream).Warn("an alert could not be read; it goes out as a record that says so, with its raw text", "reason", outcome.Reason, "id", alert.ID)
	}
	if start > 0 && int64(len(p.scratch)) > p.buffer.batchLimit {
		// It does not fit behind the others: they go first. A failure shows again
		// at the next seal.
		rest := bytes.Clone(p.scratch[start:])
		p.scratch = p.scratch[:start]
		_ = p.seal(p.backfill)
		p.scratch = append(p.scratch[:0], rest...)
	}
	p.sums.fresh++
	if p.seen == nil {
		p.seen = make(map[[16]byte]int64)
	}
	p.seen[e.seen.Hash] = e.seen.Stamp.Unix()
	e.end, e.id, e.version = len(p.scratch), alert.ID, alert.Version
	p.batch.records = append(p.batch.records, e)
}

// identify names one version of an alert, and says when it may be forgotten.
// An alert without id or time is named by its whole text.
func (p *poll) identify(alert fetch.Alert, date time.Time) (hash [16]byte, stamp time.Time) {
	if year := alert.Version.UTC().Year(); alert.ID == "" || alert.Version.IsZero() || year < 1 || year > 9999 {
		sum := sha256.Sum256(alert.Raw)
		return [16]byte(sum[:16]), date
	}
	hash = record.RecordID(p.tenant.ID, p.feed.Name, alert.ID, alert.Version)
	if alert.Version.Before(p.from) {
		return hash, date // the answer does not keep to the window
	}
	return hash, alert.Version
}

// seal queues the batch that was being filled, waiting for room.
func (p *poll) seal(backfill bool) error {
	if len(p.batch.records) == 0 {
		return nil
	}
	b := p.batch
	b.before = p.before
	p.batch, p.before = batch{}, 0
	b.bytes = bytes.Clone(p.scratch)
	p.scratch = p.scratch[:0]
	if err := p.buffer.put(p.ctx, &p.lane, &b, backfill || p.backfill); err != nil {
		p.forgetRecords(b.records)
		return err
	}
	return nil
}

// progress sends the watermark on its way behind the records that come before it.
func (p *poll) progress() {
	before := p.before
	p.before = 0
	if p.buffer.mark(&p.lane, p.watermark, p.since, before) {
		return
	}
	// Nothing waits: all of it was taken by Fluent Bit.
	for _, seen := range p.again {
		p.seen[seen.Hash] = seen.Stamp.Unix()
	}
	p.commits.add(state.Commit{
		Key: p.key, Watermark: p.watermark, Since: p.since, Again: p.again,
		Ledger: state.Ledger{Fetched: before, Before: before},
	}, true)
	p.again = nil
}

// noteForeign says once a poll that Microsoft's answer holds alerts of another
// tenant than the one that was asked.
func (p *poll) noteForeign(id, tenant string) {
	if tenant == "" || p.foreign {
		return
	}
	p.foreign = true
	p.log(p.stream).Error("Microsoft's answer holds an alert of another tenant; such go out without this tenant's name, flagged by foreign_tenant_id", "foreign_tenant_id", tenant, "id", id)
}

// forgetUnsealed forgets what a panic kept from being sealed.
func (p *poll) forgetUnsealed() { p.forgetRecords(p.batch.records) }

// forgetRecords makes the next poll take again what was never queued.
func (p *poll) forgetRecords(records []entry) {
	for _, e := range records {
		delete(p.seen, e.seen.Hash)
	}
	p.sums.fresh -= int64(len(records))
	p.sums.read -= int64(len(records))
}
