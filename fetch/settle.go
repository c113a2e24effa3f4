package fetch

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// readings is how often a slice is paged through before it is given up.
	readings = 6
	// longestChain bounds the pages of one reading, emptyRun those without a
	// row in a row: a service that always knows a next page has an end here.
	longestChain, emptyRun = 5000, 100
	// fresh is how young the end of an open slice may be to be left to the
	// next poll instead of being settled.
	fresh = 30 * time.Second
)

// pageThrough reads by nextLink a slice that did not come whole and whose
// first page is no measure to cut it by: a single tick, or a page that is
// short or empty and still says there are more. It returns the slice to go on with, the zero slice when
// the window is read.
func (r *reading) pageThrough(ctx context.Context, s slice, was looked) (slice, error) {
	if s.open() {
		end := was.date.Truncate(time.Second)
		if end.Sub(s.from) < fresh {
			// Changes come while we look, so readings would not agree. Emit
			// what is there; the next poll begins before it.
			_, err := r.pass(ctx, s, 0)
			return slice{}, err
		}
		s.to = end
	}
	limit := 0 // an atom is read however much it holds
	if !s.atom() {
		limit = r.sizer.capacity
	}
	err := r.settle(ctx, s, limit)
	if err == errTooMany {
		return r.cut(s, was), nil
	}
	if err != nil {
		return slice{}, err
	}
	through := r.advance(s, was)
	if err := r.emit(Page{Date: was.date, DateKnown: was.known, Through: through, Backfill: true}); err != nil {
		return slice{}, err
	}
	return r.following(s, was), nil
}

// settle pages through s until two readings in a row saw the same rows at the
// same versions, nothing new and nothing gone.
//
// That is a proof and not a habit: a row is skipped only when one that was
// shown before it leaves the slice, and what has left is missing from the
// second reading. "Nothing new" alone would not do: both readings can skip the
// same row.
func (r *reading) settle(ctx context.Context, s slice, limit int) error {
	var before map[version]struct{}
	for range readings {
		seen, err := r.pass(ctx, s, limit)
		var e *Error
		if errors.As(err, &e) && e.heavy() && ctx.Err() == nil && r.sizer.shrink() {
			continue // a nextLink carries its own $top: begin again
		}
		if err != nil {
			return err
		}
		if before != nil && maps.Equal(before, seen) {
			return nil
		}
		before = seen
	}
	return &Error{Feed: r.window.Feed.Name, Kind: Unsettled,
		Message: fmt.Sprintf("the %d alerts last updated from %s to %s changed during each of %d readings",
			len(before), s.from.Format(stamp), s.to.Format(stamp), readings),
		Action: "nothing is lost, the next poll tries again"}
}

// version identifies one row at one version, by hash.
type version struct {
	hash uint64
	at   time.Time
}

// identity is shared by all readings of a process: hashes are compared only
// within one.
var identity = maphash.MakeSeed()

func identify(a Alert) version {
	if a.ID == "" || a.Version.IsZero() {
		return version{hash: maphash.Bytes(identity, a.Raw)}
	}
	return version{maphash.String(identity, a.ID), a.Version}
}

// errTooMany says that a slice held more rows than a page.
var errTooMany = errors.New("more rows than a page holds")

// pass pages through s once and emits all of it. With a limit it gives up
// once there are more rows than that.
func (r *reading) pass(ctx context.Context, s slice, limit int) (map[version]struct{}, error) {
	seen := make(map[version]struct{})
	links := make(map[string]bool)
	p, err := r.ask(ctx, s)
	for empty := 0; err == nil; {
		for _, a := range p.alerts {
			seen[identify(a)] = struct{}{}
		}
		if empty++; len(p.alerts) > 0 {
			empty = 0
		}
		next, was := p.next, r.look(p)
		if err := r.hand(p, time.Time{}, !s.open() || !was.whole); err != nil {
			return nil, err
		}
		if was.whole {
			return seen, nil
		}
		if limit > 0 && len(seen) > limit {
			return nil, errTooMany
		}
		if links[next] || len(links) == longestChain || empty == emptyRun {
			return nil, r.badLink("@odata.nextLink leads round in a circle or never ends")
		}
		links[next] = true
		if next, err = r.follow(next); err == nil {
			p, err = r.get(ctx, next)
		}
	}
	return nil, err
}

// follow checks a nextLink and returns it as it is. A token goes only where
// the first request went.
func (r *reading) follow(link string) (string, error) {
	base, err := url.Parse(strings.TrimRight(r.window.BaseURL, "/") + r.window.Feed.Path)
	if err != nil {
		return "", r.badLink("cannot compare @odata.nextLink with Graph_Url")
	}
	next, err := base.Parse(link)
	switch {
	case err != nil:
		return "", r.badLink("@odata.nextLink is no URL")
	case next.User != nil || next.Scheme != base.Scheme || origin(next) != origin(base):
		return "", r.badLink("@odata.nextLink points to another host, " + next.Scheme + "://" + next.Host + ", and was not followed")
	case strings.HasPrefix(link, next.Scheme):
		return link, nil
	}
	return next.String(), nil
}

// origin is host and port, the default port named.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

func (r *reading) badLink(message string) error {
	e := &Error{Feed: r.window.Feed.Name, Kind: BadAnswer, Status: http.StatusOK, Message: message}
	return e.clean("")
}
