package fetch

import "time"

const (
	// fill is the part of a page that a slice is sized for: the denser the
	// pages the fewer requests, but a slice that overflows costs a second one.
	fill = 0.85
	// growth bounds how much longer than its predecessor a slice may be.
	growth = 16
	// patience is the number of good pages after which a shrunk $top doubles.
	patience = 8
)

// sizer learns how much to ask for at once, in rows and in time.
type sizer struct {
	largest int // the feed's page size
	top     int // $top of the next request
	// capacity is how many rows one answer really holds: at most top, less
	// where the service cuts its pages shorter.
	capacity int
	step     time.Duration // length of the last slice that was no single tick

	failures int // of the request at hand
	good     int // pages since top last changed
	wait     int // good pages before top doubles
}

func newSizer(largest int) sizer {
	return sizer{largest: largest, top: largest, capacity: largest, wait: patience}
}

// shrink makes the next page smaller, faster with every failure in a row, so
// that a service in trouble is asked a handful of times and not a dozen. It
// reports false when the smallest page has failed.
func (z *sizer) shrink() bool {
	if z.top == 1 {
		return false
	}
	z.failures++
	z.limit(max(1, z.top>>z.failures))
	z.wait = min(2*z.wait, 64*patience)
	return true
}

// limit sets $top.
func (z *sizer) limit(top int) {
	z.top, z.capacity, z.good = top, min(z.capacity, top), 0
}

// answered notes that a page came, and lets a shrunk $top recover.
func (z *sizer) answered() {
	z.failures = 0
	if z.top == z.largest {
		return
	}
	if z.good++; z.good >= z.wait {
		z.top, z.good = min(2*z.top, z.largest), 0
		z.capacity = z.top
	}
}

// full reports whether a page of rows that says there are more is as long as
// pages get; a shorter one may be all there is, whatever it says.
func (z *sizer) full(rows int) bool { return rows >= z.capacity }

// overflowed notes that a page of rows was not all.
func (z *sizer) overflowed(rows int) {
	if rows > 0 {
		z.capacity = min(rows, z.top)
	}
}

// fitted notes that a slice came whole. A page the service cut short once
// need not stay the measure.
func (z *sizer) fitted() { z.capacity = min(z.capacity+z.capacity/16+1, z.top) }

// want is the number of rows a slice should hold.
func (z *sizer) want() float64 { return max(1, fill*float64(z.capacity)) }

// next returns the length of the slice after s, which held x.
func (z *sizer) next(s slice, x extent) time.Duration {
	if s.atom() { // says nothing of how dense time is around it
		z.step = max(z.step, growth*tick)
		return z.step
	}
	width := s.to.Sub(s.from)
	z.step = stretch(width, growth)
	if x.rows > 0 {
		since := width
		if x.oldest.After(s.from) && x.oldest.Before(s.to) {
			since = s.to.Sub(x.oldest) // what was empty before the first row is past
		}
		z.step = min(z.step, stretch(since, z.want()/float64(x.rows)))
	}
	return z.step
}

// cut returns the beginning of s, which overflowed and whose page was x; end
// is where its rows end as far as is known. It is always shorter than s, but
// for a single tick, and at least a tick.
func (z *sizer) cut(s slice, x extent, end time.Time) slice {
	first := slice{s.from, s.from.Add(tick)}
	newest := x.newest.Truncate(tick)
	if x.ascending && !newest.Before(s.from) && newest.Before(end) {
		if newest.After(s.from) {
			return slice{s.from, newest} // what was before it fitted this page
		}
		return first
	}
	width := end.Sub(s.from) / 2
	if x.rows > 1 && x.newest.After(x.oldest) {
		width = min(width, stretch(x.newest.Sub(x.oldest), z.want()/float64(x.rows)))
	}
	if width = width.Truncate(tick); width <= tick {
		return first
	}
	return slice{s.from, s.from.Add(width)}
}

// stretch multiplies without overflow.
func stretch(d time.Duration, by float64) time.Duration {
	const longest = 200 * 365 * 24 * time.Hour
	if f := float64(d) * by; f < float64(longest) {
		return max(time.Duration(f).Truncate(tick), tick)
	}
	return longest
}
