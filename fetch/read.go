package fetch

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// reading is one Read under way.
type reading struct {
	client *Client
	window Window
	tokens Tokens
	emit   func(Page) error
	result Result

	ordered bool // $orderby is asked for
	sizer   sizer
	reached time.Time // every change before it has been emitted
	newest  time.Time // newest version seen
}

func (c *Client) reading(w Window, t Tokens, emit func(Page) error) *reading {
	return &reading{client: c, window: w, tokens: t, emit: emit, ordered: true,
		sizer: newSizer(w.Feed.PageSize), reached: w.From.UTC().Truncate(tick)}
}

// Read reads the window, oldest slice first, and calls emit for every page,
// empty ones included. emit may block; its error ends the reading and is
// returned as it is. Every other error is an *Error. Progress made before an
// error stands: what a Page said by Through stays true.
//
// Read goes on until the window is read; ctx bounds it. It does not sleep:
// throttling comes back as an *Error with RetryAfter. Rows may be emitted more
// than once in one reading, at the same or at rising versions.
func (c *Client) Read(ctx context.Context, w Window, t Tokens, emit func(Page) error) (Result, error) {
	r := c.reading(w, t, emit)
	if err := r.run(ctx); err != nil {
		return r.result, err
	}
	r.result.Complete = !r.result.Partial
	return r.result, nil
}

// Peek sends one small request ($top=1) for the window, to see whether the
// feed can be read. The page is the caller's own copy.
func (c *Client) Peek(ctx context.Context, w Window, t Tokens) (Page, error) {
	r := c.reading(w, t, nil)
	r.sizer = newSizer(1)
	p, err := r.ask(ctx, slice{from: r.reached})
	if err != nil {
		return Page{}, err
	}
	defer p.release()
	copied := make([]Alert, len(p.alerts))
	for i, a := range p.alerts {
		copied[i] = Alert{a.ID, a.Version, bytes.Clone(a.Raw)}
	}
	return Page{Alerts: copied, Date: p.date, DateKnown: p.known, Partial: p.partial}, nil
}

// run reads slice after slice: first all of the window at once, which is all
// there is to an ordinary poll, then in parts that fit a page.
func (r *reading) run(ctx context.Context) error {
	for s := (slice{from: r.reached}); ; {
		p, err := r.ask(ctx, s)
		if err != nil {
			return err
		}
		was := r.look(p)
		if was.whole {
			if err := r.hand(p, r.advance(s, was), !s.open()); err != nil || s.open() {
				return err
			}
			r.sizer.fitted()
			s = r.following(s, was)
			continue
		}
		if err := r.hand(p, time.Time{}, true); err != nil {
			return err
		}
		if r.sizer.full(was.rows) && !s.atom() {
			s = r.cut(s, was)
			continue
		}
		next, err := r.pageThrough(ctx, s, was)
		if err != nil || next == (slice{}) {
			return err
		}
		s = next
	}
}

// looked is what is remembered of a page after it was handed on.
type looked struct {
	extent
	whole bool
	date  time.Time
	known bool
}

func (r *reading) look(p *page) looked {
	if p.extent.newest.After(r.newest) {
		r.newest = p.extent.newest
	}
	r.result.Partial = r.result.Partial || p.partial
	return looked{p.extent, p.next == "", p.date, p.known}
}

// hand emits a page and gives its memory back.
func (r *reading) hand(p *page, through time.Time, more bool) error {
	defer p.release()
	r.result.Rows += len(p.alerts)
	return r.emit(Page{Alerts: p.alerts, Date: p.date, DateKnown: p.known, Through: through,
		Partial: p.partial, Backfill: more})
}

// advance returns how far the reading has come now that s was read by the
// answer was, or zero if that is no further than before.
//
// No answer vouches for what came after it: beyond its own Date a slice may
// be whole and still not final. Without a Date the newest stamp seen stands
// for Microsoft's clock, never the host's alone.
func (r *reading) advance(s slice, was looked) time.Time {
	to := was.date.Truncate(time.Second)
	if !was.known {
		if seen := r.newest.Truncate(tick).Add(tick); seen.Before(was.date) {
			to = seen
		} else {
			to = was.date.Truncate(tick)
		}
	}
	if !s.open() && s.to.Before(to) {
		to = s.to
	}
	if r.result.Partial || s.from.After(r.reached) || !to.After(r.reached) {
		return time.Time{}
	}
	r.reached = to
	return to
}

// following returns the slice after s, open above when it reaches the present.
func (r *reading) following(s slice, was looked) slice {
	next := slice{from: s.to}
	if !was.known && !r.result.Partial && r.reached.Before(s.to) {
		next.from = r.reached // nobody vouched for what lies between
	}
	to := s.to.Add(r.sizer.next(s, was.extent))
	if to.Before(r.result.Date) {
		next.to = to
	}
	return next
}

// cut returns the beginning of s, which did not fit a page.
func (r *reading) cut(s slice, was looked) slice {
	r.sizer.overflowed(was.rows)
	end := s.to
	if s.open() {
		end = was.newest.Truncate(tick).Add(tick)
		if was.date.After(end) {
			end = was.date
		}
	}
	return r.sizer.cut(s, was.extent, end)
}

// ask gets the first page of s: without $orderby where that is refused, and
// with a smaller page where a large one fails.
func (r *reading) ask(ctx context.Context, s slice) (*page, error) {
	for {
		p, err := r.get(ctx, r.window.query(s, r.sizer.top, r.ordered))
		if err == nil {
			r.sizer.answered()
			return p, nil
		}
		var e *Error
		switch {
		case !errors.As(err, &e):
			return nil, err
		case e.Status == http.StatusBadRequest && r.lowerTop(e.Message):
		case e.Status == http.StatusBadRequest && r.ordered:
			r.ordered = false // it is not documented: some service may not know it
		case e.heavy() && ctx.Err() == nil && r.sizer.shrink():
		default:
			return nil, err
		}
	}
}

// topLimit is how Graph names the largest $top it takes.
var topLimit = regexp.MustCompile(`limit of '(\d{1,6})' for Top`)

func (r *reading) lowerTop(message string) bool {
	m := topLimit.FindStringSubmatch(message)
	if m == nil {
		return false
	}
	top, err := strconv.Atoi(m[1])
	if err != nil || top < 1 || top >= r.sizer.top {
		return false
	}
	r.sizer.largest = top
	r.sizer.limit(top)
	return true
}

// noteDate keeps the latest clock.
func (r *reading) noteDate(date time.Time, known bool) {
	if known || !r.result.DateKnown {
		r.result.Date, r.result.DateKnown = date, known
	}
}
