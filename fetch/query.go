package fetch

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// tick is the resolution of Microsoft's time stamps: 100 ns.
const tick = 100 * time.Nanosecond

// stamp is how times are written in $filter: to the tick, so that a boundary
// means the same alert on both its sides.
const stamp = "2006-01-02T15:04:05.0000000Z"

// slice is the part [from, to) of a window; to is zero where it is open above.
type slice struct{ from, to time.Time }

func (s slice) open() bool { return s.to.IsZero() }

// atom reports whether the slice is a single tick, which no cut divides.
func (s slice) atom() bool { return !s.open() && s.to.Sub(s.from) <= tick }

// query returns the URL that asks for one page of s.
func (w *Window) query(s slice, top int, ordered bool) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(w.BaseURL, "/"))
	b.WriteString(w.Feed.Path)
	b.WriteString("?$filter=")
	b.WriteString(escape(w.filter(s)))
	if ordered {
		b.WriteString("&$orderby=")
		b.WriteString(escape(w.Feed.Time + " asc"))
	}
	b.WriteString("&$top=")
	b.WriteString(strconv.Itoa(top))
	return b.String()
}

// escape encodes a query value with %20 for the space: OData services do not
// all read + as one.
func escape(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") }

// filter returns the OData expression for s and what the operator left out.
func (w *Window) filter(s slice) string {
	terms := []string{w.Feed.Time + " ge " + s.from.UTC().Format(stamp)}
	if !s.open() {
		terms = append(terms, w.Feed.Time+" lt "+s.to.UTC().Format(stamp))
	}
	for _, low := range below(w.MinSeverity) {
		terms = append(terms, w.Feed.SeverityFilter+" ne '"+low+"'")
	}
	if len(w.ServiceSources) > 0 {
		sources := make([]string, len(w.ServiceSources))
		for i, source := range w.ServiceSources {
			sources[i] = w.Feed.SourceFilter + " eq '" + strings.ReplaceAll(source, "'", "''") + "'"
		}
		terms = append(terms, "("+strings.Join(sources, " or ")+")")
	}
	return strings.Join(terms, " and ")
}

// severities in rising order; "unknown" and whatever Microsoft adds has no
// place among them (Microsoft Graph reference, alertSeverity values).
var severities = []string{"informational", "low", "medium", "high"}

// below returns the severities under least. The filter names what to leave
// out, not what to keep: an alert whose severity is unknown, absent or newer
// than this program might be the worst of all and is kept at every level.
func below(least string) []string {
	for i, s := range severities {
		if strings.EqualFold(s, least) {
			return severities[:i]
		}
	}
	return nil
}
