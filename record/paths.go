package record

import (
	"strconv"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// paths remembers the names seen so far, joined and encoded once. It is a
// cache that outlives an alert: what it holds changes how fast an alert is
// encoded, never what comes out.
type paths struct {
	list   []path
	ids    map[pathKey]int32
	fields []field
	byName map[string]int32
}

// path is one place in an alert: a member's name below another path. Numbers
// are indexes into paths.list; 0 is the alert itself.
type path struct {
	name   string // the member's own name
	head   string // the same as a MessagePack string
	parent int32
	first  int32  // guess: the path of the first member below it
	next   int32  // guess: the path of the member written after it
	field  int32  // its field; noField until one is needed
	seen   uint64 // the container, or list, in which it was met last
	group  int32  // while a list of objects is read: its group
}

type pathKey struct {
	parent int32
	name   string
}

const (
	noField  int32 = -1 // not looked up yet, or none
	tooLong  int32 = -2 // its name would be longer than maxName
	rootPath int32 = 0
)

// field is one key of a record: a path's names joined by dots.
type field struct {
	name string
	head string // the same as a MessagePack string
	kept bool   // never left out for its record's size
	ours bool   // no alert may use it
	then int32  // the field to use when this one is taken; noField until needed

	taken uint64 // the record that has it already
	group int32  // as a column: the group it belongs to
	first int32  // as a column: its first and last cell
	last  int32
}

// own are the names of the record's own fields. An alert's field of the same
// name becomes NAME#2, also in a record that does not need the name.
var own = []string{
	"record_id", "alert_uid", "feed", "tenant_id", "tenant_name",
	"foreign_tenant_id", "unreadable", "left_out", "left_out_count",
}

// kept are the fields that a record keeps whatever its size: which alert it
// is, how bad, when, and where the rest can be read.
var kept = []string{
	"id", "providerAlertId", "incidentId", "tenantId", "severity", "status", "title", "alertWebUrl",
	"createdDateTime", "lastUpdateDateTime", "resolvedDateTime", "firstActivityDateTime", "lastActivityDateTime",
}

func (p *paths) reset() {
	p.list = append(p.list[:0], path{field: noField})
	p.ids = make(map[pathKey]int32)
	p.fields = p.fields[:0]
	p.byName = make(map[string]int32)
	for _, name := range own {
		p.fields[p.fieldNamed(name)].ours = true
	}
	for _, name := range kept {
		p.fields[p.fieldNamed(name)].kept = true
	}
}

// full says whether the cache has grown beyond what alerts of a kind share.
func (p *paths) full() bool { return len(p.list) > maxPaths || len(p.fields) > maxFields }

// child is the path of name below parent; prev is the path of the member
// before it, 0 for none. Alerts list their members in much the same order, so
// the one that followed last time is tried first.
func (p *paths) child(parent, prev int32, name []byte) int32 {
	guess := &p.list[parent].first
	if prev != rootPath {
		guess = &p.list[prev].next
	}
	if *guess != rootPath && p.list[*guess].name == string(name) {
		return *guess
	}
	id, known := p.ids[pathKey{parent, string(name)}]
	if known {
		*guess = id
		return id
	}
	id = int32(len(p.list))
	*guess = id
	own := string(name)
	p.list = append(p.list, path{name: own, head: encoded(own), parent: parent, field: noField})
	p.ids[pathKey{parent, own}] = id
	return id
}

// fieldOf is the field of a path, tooLong when its name has no end.
func (p *paths) fieldOf(id int32) int32 {
	if p.list[id].field == noField {
		p.list[id].field = tooLong
		if name, ok := p.joined(id); ok {
			p.list[id].field = p.fieldNamed(name)
		}
	}
	return p.list[id].field
}

// joined is the names from the alert down to id, joined by dots.
func (p *paths) joined(id int32) (string, bool) {
	name := p.list[id].name
	for id = p.list[id].parent; id != rootPath && len(name) <= maxName; id = p.list[id].parent {
		name = p.list[id].name + "." + name
	}
	return name, len(name) <= maxName
}

// fieldNamed is the field of that name, made when there is none: two paths
// with one name (a: {b} and "a.b") share it.
func (p *paths) fieldNamed(name string) int32 {
	id, known := p.byName[name]
	if !known {
		id = int32(len(p.fields))
		p.fields = append(p.fields, field{name: name, head: encoded(name), then: noField})
		p.byName[name] = id
	}
	return id
}

// another is the field to use when f is taken: NAME#2, NAME#3, …. It depends
// on the name alone, so that the same alert always gives the same names.
func (p *paths) another(f int32) int32 {
	if p.fields[f].then == noField {
		id := p.fieldNamed(nextName(p.fields[f].name)) // may move p.fields
		p.fields[f].then = id
	}
	return p.fields[f].then
}

func nextName(name string) string {
	if mark := strings.LastIndexByte(name, '#'); mark >= 0 {
		if turn, err := strconv.ParseUint(name[mark+1:], 10, 16); err == nil {
			return name[:mark+1] + strconv.FormatUint(turn+1, 10)
		}
	}
	return name + "#2"
}

func encoded(s string) string { return string(msgp.AppendString(nil, s)) }
