package simulator

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is what a request for alerts asks for.
type query struct {
	from, until ticks  // lastUpdateDateTime in [from, until)
	rest        filter // what else must hold; nil: nothing
	byCreated   bool   // sort by createdDateTime, not by lastUpdateDateTime
	descending  bool
	top, skip   int
	after       *position // keyset: only rows beyond this one
	count       bool
}

// position is where a nextLink goes on: behind so many rows, or (keyset)
// behind a certain row.
type position struct {
	Skip  int    `json:"s,omitempty"`
	Key   bool   `json:"k,omitempty"`
	Stamp ticks  `json:"t,omitempty"`
	Seq   uint64 `json:"q,omitempty"`
}

func (p position) token() string {
	return base64.RawURLEncoding.EncodeToString(marshal(p))
}

// maxSkip is the largest $skip that alerts accept.
const maxSkip = 500

// parseQuery reads the OData options of alerts_v2; the error is what the
// answer 400 says.
func parseQuery(values url.Values, b Behaviour) (query, error) {
	q := query{from: math.MinInt64, until: math.MaxInt64, descending: true, top: b.pageSize()}
	for key, given := range values {
		if len(given) > 1 && strings.HasPrefix(key, "$") {
			return q, fmt.Errorf("query option '%s' was specified more than once, but it must be specified at most once", key)
		}
		if err := q.option(key, given[0], b); err != nil {
			return q, err
		}
	}
	return q, nil
}

func (q *query) option(key, value string, b Behaviour) error {
	switch key {
	case "$filter":
		f, err := parseFilter(value)
		if err != nil {
			return fmt.Errorf("invalid filter clause: %w", err)
		}
		q.rest = span(f, &q.from, &q.until)
	case "$top":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fmt.Errorf("invalid value '%s' for $top query option found: the $top query option requires a positive integer value", value)
		}
		q.top = min(n, maxTop)
	case "$skip":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("invalid value '%s' for $skip query option found: the $skip query option requires a non-negative integer value", value)
		}
		if n > maxSkip {
			return fmt.Errorf("the limit of '%d' for Skip query has been exceeded: the value from the incoming request is '%d'", maxSkip, n)
		}
		q.skip += n
	case "$skiptoken":
		return q.resume(value)
	case "$orderby":
		return q.order(value, b.OrderBy)
	case "$count":
		if value != "true" && value != "false" {
			return fmt.Errorf("invalid value '%s' for $count query option found: valid values are 'true' or 'false'", value)
		}
		q.count = value == "true"
	default:
		if strings.HasPrefix(key, "$") {
			return fmt.Errorf("the query option '%s' is not supported", key)
		}
	}
	return nil
}

func (q *query) resume(token string) error {
	var p position
	body, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(body, &p) != nil || p.Skip < 0 {
		return fmt.Errorf("the $skiptoken is not valid")
	}
	if p.Key {
		q.after = &p
	}
	q.skip += p.Skip
	return nil
}

func (q *query) order(value string, treatment OrderBy) error {
	if treatment == OrderReject {
		return fmt.Errorf("the query option '$orderby' is not supported")
	}
	property, direction, _ := strings.Cut(strings.TrimSpace(value), " ")
	if property != "lastUpdateDateTime" && property != "createdDateTime" {
		return fmt.Errorf("sorting by '%s' is not supported", property)
	}
	direction = strings.TrimSpace(direction)
	if direction != "" && direction != "asc" && direction != "desc" {
		return fmt.Errorf("syntax error in the $orderby query option: '%s'", value)
	}
	if treatment == OrderHonour {
		q.byCreated, q.descending = property == "createdDateTime", direction == "desc"
	}
	return nil
}

// result is a page of alerts out of those that match now.
type result struct {
	rows  []*face
	more  bool
	total int // -1 when it was not asked for
}

// read finds the page as things stand at this moment. Nothing is remembered
// from page to page, so rows shift when alerts are added or updated meanwhile.
func (s *store) read(q query) result {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
	rows := s.spanLocked(q.from, q.until)
	if q.byCreated {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(f, g *face) int { return cmp.Compare(f.created, g.created) })
	}
	out := result{total: -1}
	if q.count {
		out.total = len(rows)
		if q.rest != nil {
			out.total = 0
			for _, f := range rows {
				if q.rest.pass(f) {
					out.total++
				}
			}
		}
	}
	if q.after != nil {
		rows = q.beyond(rows)
	}
	skip := q.skip
	if q.rest == nil { // no need to look at the rows to be skipped
		n := min(skip, len(rows))
		rows, skip = q.drop(rows, n), 0
	}
	for i := range rows {
		f := rows[i]
		if q.descending {
			f = rows[len(rows)-1-i]
		}
		if q.rest != nil && !q.rest.pass(f) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(out.rows) == q.top {
			out.more = true
			break
		}
		out.rows = append(out.rows, f)
	}
	return out
}

func (s *store) spanLocked(from, until ticks) []*face {
	at := func(edge ticks) int {
		i, _ := slices.BinarySearchFunc(s.index, edge, func(f *face, edge ticks) int {
			if f.stamp < edge {
				return -1
			}
			return 1
		})
		return i
	}
	low, high := at(from), at(until)
	return s.index[min(low, high):high]
}

// beyond leaves out the rows up to and including the position's.
func (q query) beyond(rows []*face) []*face {
	mark := &face{stamp: q.after.Stamp, seq: q.after.Seq}
	at, found := slices.BinarySearchFunc(rows, mark, (*face).order)
	if q.descending {
		return rows[:at]
	}
	if found {
		at++
	}
	return rows[at:]
}

// drop leaves out the first n rows in the query's order.
func (q query) drop(rows []*face, n int) []*face {
	if q.descending {
		return rows[:len(rows)-n]
	}
	return rows[n:]
}

// next is where the following page starts.
func (q query) next(r result, keyset bool) position {
	if keyset && !q.byCreated && len(r.rows) > 0 {
		last := r.rows[len(r.rows)-1]
		return position{Key: true, Stamp: last.stamp, Seq: last.seq}
	}
	return position{Skip: q.skip + len(r.rows)}
}
