package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"fluent-bit-defender/config"
	"fluent-bit-defender/fetch"
	"fluent-bit-defender/record"
)

// stream is one feed of one tenant, as it is printed. One poll runs at a time.
type stream struct {
	tenant  config.Tenant
	feed    *fetch.Feed
	since   time.Duration
	last    int // > 0: the first poll prints the newest so many only
	client  *fetch.Client
	access  access
	hidden  string
	encoder *record.Flat
	lines   *printer
	say     messages

	ahead   time.Duration      // Microsoft's clock, as far as it is ahead of this host's
	from    time.Time          // where the window at hand begins
	through time.Time          // everything before it was read; zero: nothing yet
	seen    map[[16]byte]int64 // what was printed, to its version in Unix seconds
	failure string             // of the last poll, "" when it went well

	page  []byte   // lines of the page at hand
	event []byte   // scratch
	kept  [][]byte // with last: lines that may still be among the newest
}

// errClock ends a reading that began at the wrong time.
var errClock = errors.New("this host's clock is wrong")

// poll reads what is new, prints it, and returns when to come again.
func (s *stream) poll(ctx context.Context) time.Duration {
	_, err := s.client.Read(ctx, s.window(), s.access, s.take)
	if errors.Is(err, errClock) {
		_, err = s.client.Read(ctx, s.window(), s.access, s.take)
	}
	if ctx.Err() != nil {
		return 0 // interrupted, or nobody reads stdout any more
	}
	for _, line := range s.kept {
		s.page = append(s.page, line...)
	}
	s.kept = nil
	if s.flush() != nil {
		return 0
	}
	if err == nil {
		s.last = 0
	}
	s.tell(err)
	wait := s.tenant.PollInterval
	if failed := (*fetch.Error)(nil); errors.As(err, &failed) {
		wait = max(wait, failed.RetryAfter)
	}
	return wait
}

// window begins where the poll before came to, less the overlap.
func (s *stream) window() fetch.Window {
	s.from = time.Now().Add(s.ahead - s.since)
	if !s.through.IsZero() {
		s.from = s.through.Add(-s.tenant.Overlap)
		s.forget()
	}
	return fetch.Window{Feed: s.feed, BaseURL: s.tenant.GraphURL, MinSeverity: s.tenant.MinSeverity,
		ServiceSources: s.tenant.ServiceSources, From: s.from}
}

// forget drops what no later window can bring again.
func (s *stream) forget() {
	for id, version := range s.seen {
		if version < s.from.Unix() {
			delete(s.seen, id)
		}
	}
}

// take prints one page.
func (s *stream) take(page fetch.Page) error {
	if ahead := time.Until(page.Date); s.through.IsZero() && page.DateKnown && (ahead-s.ahead).Abs() > time.Minute {
		s.ahead = ahead
		return errClock
	}
	for _, alert := range page.Alerts {
		if err := s.add(alert, page.Date); err != nil {
			return err
		}
	}
	if page.Through.After(s.through) {
		s.through = page.Through
	}
	if s.last > 0 {
		return nil
	}
	return s.flush()
}

// add puts an alert among the lines, unless this version of it was there before.
func (s *stream) add(alert fetch.Alert, date time.Time) error {
	id, version := record.RecordID(s.tenant.ID, s.feed.Name, alert.ID, alert.Version), alert.Version
	if alert.ID == "" || version.IsZero() {
		sum := sha256.Sum256(alert.Raw)
		id, version = [16]byte(sum[:16]), date
	} else if version.Before(s.from) {
		version = date // the answer does not keep to the window, and may bring it again and again
	}
	_, known := s.seen[id]
	s.seen[id] = version.Unix()
	if known {
		return nil
	}
	s.event, _ = s.encoder.Append(s.event[:0], record.Alert{ID: alert.ID, Version: alert.Version, Raw: alert.Raw, Directory: s.access.source.Directory()})
	if s.last == 0 {
		var err error
		s.page, err = appendLine(s.page, s.event)
		return err
	}
	line, err := appendLine(nil, s.event)
	if s.kept = append(s.kept, line); len(s.kept) > s.last {
		s.kept = s.kept[1:]
	}
	return err
}

// flush hands the lines to stdout.
func (s *stream) flush() error {
	lines := s.page
	s.page = s.page[:0]
	return s.lines.print(lines)
}

// tell says once what is wrong, and when that is over.
func (s *stream) tell(err error) {
	switch {
	case err == nil && s.failure != "":
		s.failure = ""
		s.say.notef("tenant %s: the feed %s is read again", s.tenant.Name, s.feed.Name)
	case err != nil:
		found := explain(err, s.tenant, s.hidden)
		if found.What+found.Code == s.failure {
			return
		}
		s.failure = found.What + found.Code
		s.say.fault(fmt.Errorf("tenant %s: %s", s.tenant.Name, strings.Join(found.lines(), "\n  ")))
	}
}
