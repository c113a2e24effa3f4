package record

import (
	"cmp"
	"slices"

	"github.com/tinylib/msgp/msgp"
)

// span is one field as it stands in the event.
type span struct {
	field int32
	size  int // bytes of key and value; negative: to be left out
}

const (
	maxNamed    = 50  // names listed in left_out
	maxNamedLen = 128 // bytes of each
	namedRoom   = maxNamed*(maxNamedLen+2) + 64
	keptShare   = 64 // a kept field may have one such part of the limit
)

// close ends the field f, whose key and value were just appended.
func (e *event) close(f int32) {
	size := len(e.dst) - e.end
	if e.bar > 0 && size >= e.bar && !e.isKept(f, size) {
		e.dst = e.dst[:e.end]
		e.leaveOut(f, size)
		return
	}
	if e.count+e.missing >= maxFields {
		e.fail("more than 16384 fields")
		return
	}
	e.count++
	e.end = len(e.dst)
	e.spans = append(e.spans, span{f, size})
	if len(e.dst)-e.begin > 2*e.limit {
		e.shrink()
	}
}

func (e *event) isKept(f int32, size int) bool {
	return e.fields[f].kept && size <= e.limit/keptShare
}

func (e *event) leaveOut(f int32, size int) {
	e.missing++
	e.leftOut = append(e.leftOut, span{f, size})
}

// fit makes the event fit its limit and names what it left out, largest first.
func (e *event) fit() {
	if e.missing == 0 && len(e.dst)-e.begin <= e.limit {
		return
	}
	e.shrink()
	slices.SortStableFunc(e.leftOut, func(a, b span) int { return cmp.Compare(b.size, a.size) })
	named := e.leftOut[:min(maxNamed, len(e.leftOut))]
	e.dst = msgp.AppendString(e.dst, "left_out")
	e.dst = msgp.AppendArrayHeader(e.dst, uint32(len(named)))
	for _, s := range named {
		e.dst = msgp.AppendString(e.dst, clip(e.fields[s.field].name, maxNamedLen))
	}
	e.count++
	e.putInt("left_out_count", e.missing)
}

// shrink leaves out the largest fields until the rest fits beside their
// names. It runs whenever twice the limit is reached, so that columns padded
// for thousands of rows cost neither memory nor time: what is left out here
// would be left out at the end as well, and whatever is as large from now on.
func (e *event) shrink() {
	excess := len(e.dst) - e.begin - (e.limit - namedRoom)
	e.order = e.order[:0]
	for k, s := range e.spans {
		if !e.isKept(s.field, s.size) {
			e.order = append(e.order, int32(k))
		}
	}
	slices.SortFunc(e.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(e.spans[b].size, e.spans[a].size), cmp.Compare(a, b))
	})
	for _, k := range e.order {
		if excess <= 0 {
			break
		}
		s := &e.spans[k]
		excess -= s.size
		e.bar = s.size
		e.leaveOut(s.field, s.size)
		s.size = -s.size
	}
	e.compact()
}

// compact closes the gaps of the fields that are left out.
func (e *event) compact() {
	from, to := e.body, e.body
	rest := e.spans[:0]
	for _, s := range e.spans {
		if s.size < 0 {
			from -= s.size
			e.count--
			continue
		}
		to += copy(e.dst[to:], e.dst[from:from+s.size])
		from += s.size
		rest = append(rest, s)
	}
	e.spans = rest
	e.dst, e.end = e.dst[:to], to
}
