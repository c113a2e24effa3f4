package record

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// Flat encodes the alerts of one tenant and feed in the format flat. It is
// safe for concurrent use, and small: thousands of them share their scratch
// memory.
type Flat struct {
	id     Identity
	rawKey string
	limit  int
	own    []byte // feed, tenant_id and tenant_name, as they stand in every record
}

// NewFlat compiles what every record of one tenant and feed shares.
func NewFlat(id Identity, o Options) *Flat {
	limit := o.RecordLimit
	if limit == 0 {
		limit = defaultLimit
	}
	f := &Flat{id: id, rawKey: free(shown(o.RawKey)), limit: int(max(limit, leastLimit))}
	for _, field := range [ownShared][2]string{{"feed", id.Feed}, {"tenant_id", id.TenantID}, {"tenant_name", id.TenantName}} {
		f.own = msgp.AppendString(f.own, field[0])
		f.own = msgp.AppendString(f.own, shown(field[1]))
	}
	return f
}

const (
	ownShared = 3   // fields in Flat.own
	maxShown  = 256 // bytes of a text of ours or the engine's in a record
)

func shown(s string) string { return clip(strings.ToValidUTF8(s, replacement), maxShown) }

// free is key, or KEY#2 where records, readable or not, have a field of that
// name anyway.
func free(key string) string {
	for slices.Contains(own, key) || slices.Contains([]string{"size", "id", "lastUpdateDateTime"}, key) {
		key = nextName(key)
	}
	return key
}

// Append appends the event for a to dst: exactly one, valid, at most
// RecordLimit bytes, whatever a holds. It is [time, {fields}] with the
// alert's last update as time (else its creation, else 1970), as a Fluent Bit
// EventTime. It never fails: an alert without id, without last update, or
// whose text is no JSON object becomes a record whose field unreadable says
// why; where the text cannot be taken apart, the record carries it as it is,
// under RawKey or else "raw".
func (f *Flat) Append(dst []byte, a Alert) ([]byte, Outcome) {
	e := scratches.Get().(*event)
	e.dst, e.begin, e.limit = dst, len(dst), f.limit
	why := e.read(a.Raw)
	asText := why != ""
	foreign := e.foreign(a.Directory)
	if !asText {
		why = lacks(a)
		f.open(e, a, why, foreign)
		e.object(0, rootPath)
		f.putUntouched(e, a.Raw)
		if e.reason != "" {
			why, asText = e.reason, true
		}
	}
	if asText {
		f.open(e, a, why, foreign)
		f.putText(e, a)
	} else {
		e.fit()
	}
	missing := e.missing
	return e.finish(), Outcome{Unreadable: why != "", Reason: why, LeftOut: missing, Foreign: foreign}
}

// read lays raw out on the tape, or says why it cannot.
func (e *event) read(raw []byte) string {
	if fault := e.scan(raw); fault != nil {
		e.nodes = e.nodes[:0]
		return "its text cannot be read: " + fault.Error()
	}
	if e.nodes[0].kind != object {
		return "its text is JSON, but no object"
	}
	return ""
}

func lacks(a Alert) string {
	switch {
	case a.ID == "" && a.Version.IsZero():
		return "it has no id and no time of its last update"
	case a.ID == "":
		return "it has no id"
	case a.Version.IsZero():
		return "it has no time of its last update"
	}
	return ""
}

// open begins the event with the fields that every record has.
func (f *Flat) open(e *event, a Alert, why, foreign string) {
	e.start(e.timeOf(a))
	record, alert := f.ids(a)
	e.putID("record_id", record)
	e.putID("alert_uid", alert)
	f.putIdentity(e, foreign)
	if why != "" {
		e.put("unreadable", why)
	}
	e.bodyBegins()
}

func (f *Flat) ids(a Alert) (record, alert [16]byte) {
	if a.ID != "" && !a.Version.IsZero() {
		return RecordID(f.id.TenantID, f.id.Feed, a.ID, a.Version), AlertUID(f.id.TenantID, f.id.Feed, a.ID)
	}
	record = textID(f.id.TenantID, f.id.Feed, a.Raw)
	if a.ID != "" {
		return record, AlertUID(f.id.TenantID, f.id.Feed, a.ID)
	}
	return record, record
}

// timeOf is the record's time.
func (e *event) timeOf(a Alert) time.Time {
	if !a.Version.IsZero() || len(e.nodes) == 0 || e.nodes[0].kind != object {
		return a.Version
	}
	for _, name := range []string{"lastUpdateDateTime", "createdDateTime"} {
		if m := e.member(0, name); m >= 0 && e.nodes[m].kind == text {
			if at, err := time.Parse(time.RFC3339Nano, string(e.text(&e.nodes[m]))); err == nil {
				return at
			}
		}
	}
	return a.Version
}

// putUntouched appends the alert's text as the operator asked for it.
func (f *Flat) putUntouched(e *event, raw []byte) {
	if f.rawKey == "" || e.reason != "" {
		return
	}
	field := e.claim(e.fieldNamed(f.rawKey))
	if e.reason != "" {
		return
	}
	e.dst = append(e.dst, e.fields[field].head...)
	e.appendText(raw, wide)
	e.close(field)
}

// putText appends what is known of an alert that cannot be taken apart, and
// as much of its text as fits; size tells how much there was.
func (f *Flat) putText(e *event, a Alert) {
	e.putKnown(a.ID, a.Version)
	e.putInt("size", len(a.Raw))
	key := cmp.Or(f.rawKey, "raw")
	room := e.limit - (len(e.dst) - e.begin) - 2*(len(key)+maxHeader) - len("left_out") - maxHeader
	e.repaired = appendValid(e.repaired[:0], clip(a.Raw, room)) // repairing never shortens
	s := clip(e.repaired, room)
	if len(s) < len(e.repaired) || len(a.Raw) > room {
		e.missing++
		e.dst = msgp.AppendString(e.dst, "left_out")
		e.dst = msgp.AppendString(msgp.AppendArrayHeader(e.dst, 1), key)
		e.count++
	}
	e.put(key, string(s))
}

const maxHeader = 5 // bytes of the longest MessagePack string header

func (e *event) putKnown(id string, version time.Time) {
	if id != "" {
		e.put("id", shown(id))
	}
	if !version.IsZero() {
		e.put("lastUpdateDateTime", version.UTC().Format(time.RFC3339Nano))
	}
}

// AppendRefused appends the event sent in place of one that Fluent Bit will
// not take whatever is tried: which alert it was, why, and how many bytes it
// had. It has the record_id of the record it stands for.
func (f *Flat) AppendRefused(dst []byte, id string, version time.Time, reason string, size int) []byte {
	e := scratches.Get().(*event)
	e.dst, e.begin, e.limit, e.nodes = dst, len(dst), f.limit, e.nodes[:0]
	// Without an id, the reason and size tell one refused alert from another.
	a := Alert{ID: id, Version: version, Raw: strconv.AppendInt([]byte(reason), int64(size), 10)}
	f.open(e, a, "", "")
	e.put("refused", shown(reason))
	e.putInt("size", size)
	e.putKnown(id, version)
	return e.finish()
}
