package record

import (
	"github.com/tinylib/msgp/msgp"
)

// The format flat, field by field:
//
//   - a key is Microsoft's own names joined by dots;
//   - a list of objects becomes columns: comments: [{comment: a}, {comment: b}]
//     is comments.comment: [a, b], padded with null so that index i is one
//     object everywhere;
//   - evidence is sorted by type first: evidence.device.deviceDnsName: […];
//   - any other list stays as it is, and so does a list inside an object of a
//     list; objects inside it stay maps;
//   - null and empty containers are left out, except where they hold a place
//     in a list;
//   - a name that is already there becomes NAME#2.

// object walks the members of the object at i, which lies at path p.
func (e *event) object(i, p int32) {
	e.serial++
	end := e.nodes[i].next
	prev := rootPath
	for m := i + 1; m < end && e.reason == ""; m = e.nodes[m].next {
		n := &e.nodes[m]
		prev = e.enter(p, prev, e.memberName(n))
		switch n.kind {
		case null:
		case object:
			e.object(m, prev)
		case list:
			e.list(m, prev)
		default:
			e.leaf(m, prev)
		}
	}
}

func (e *event) memberName(n *node) []byte {
	name := e.name(n)
	if n.flags&(nameEscaped|nameWide) != 0 {
		return e.decode(name, n.flags>>3)
	}
	return name
}

// enter is the path of a member, and counts the record's paths.
func (e *event) enter(parent, prev int32, name []byte) int32 {
	id := e.child(parent, prev, name)
	if p := &e.paths.list[id]; p.seen < e.record {
		p.seen = e.record
		if e.places++; e.places > maxPaths {
			e.fail("more than 32768 different names")
		}
	}
	return id
}

// list walks the list at i.
func (e *event) list(i, p int32) {
	switch {
	case e.empty(i):
	case e.inRow || !e.ofObjects(i):
		e.leaf(i, p)
	default:
		e.table(i, p)
	}
}

// ofObjects says whether the list at i holds objects, and nothing else but null.
func (e *event) ofObjects(i int32) bool {
	end := e.nodes[i].next
	found := false
	for m := i + 1; m < end; m = e.nodes[m].next {
		switch e.nodes[m].kind {
		case object:
			found = true
		case null:
		default:
			return false
		}
	}
	return found
}

// leaf makes the value at i a field, or a cell of a column.
func (e *event) leaf(i, p int32) {
	f := e.fieldOf(p)
	if f == tooLong {
		e.fail("names joined to more than 1024 bytes")
		return
	}
	if e.inRow {
		e.cell(i, f, p)
		return
	}
	if f = e.claim(f); e.reason != "" {
		return
	}
	e.dst = append(e.dst, e.fields[f].head...)
	e.value(i, p)
	e.close(f)
}

// claim is f, or NAME#2, … when the record has that field already.
func (e *event) claim(f int32) int32 {
	for tries := 0; e.fields[f].ours || e.fields[f].taken == e.record; tries++ {
		if tries == maxRepeat {
			e.fail("a name repeated more than 64 times")
			break
		}
		f = e.another(f)
	}
	e.fields[f].taken = e.record
	e.fields[f].group = noField // no column: takes no more cells
	return f
}

// value appends the value at i, which is not null, as it stands: below a
// field, nothing is flattened any more. It says whether there was anything.
func (e *event) value(i, p int32) bool {
	n := &e.nodes[i]
	switch n.kind {
	case text:
		e.appendText(e.text(n), n.flags)
	case number:
		e.dst = appendNumber(e.dst, e.text(n), n.flags)
	case boolTrue, boolFalse:
		e.dst = msgp.AppendBool(e.dst, n.kind == boolTrue)
	case list:
		return e.items(i, p)
	case object:
		return e.pairs(i, p)
	}
	return n.kind != null
}

// items appends the list at i. What is nothing keeps its place.
func (e *event) items(i, p int32) bool {
	if e.empty(i) {
		return false
	}
	end := e.nodes[i].next
	size := uint32(0)
	for m := i + 1; m < end; m = e.nodes[m].next {
		size++
	}
	e.dst = msgp.AppendArrayHeader(e.dst, size)
	for m := i + 1; m < end; m = e.nodes[m].next {
		if e.value(m, p) {
			continue
		}
		switch e.nodes[m].kind {
		case object:
			e.dst = msgp.AppendMapHeader(e.dst, 0)
		case list:
			e.dst = msgp.AppendArrayHeader(e.dst, 0)
		default:
			e.dst = msgp.AppendNil(e.dst)
		}
	}
	return true
}

// pairs appends the object at i as a map, without the members that are nothing.
func (e *event) pairs(i, p int32) bool {
	e.serial++
	mine := e.serial
	at := len(e.dst)
	e.dst = append(e.dst, 0xde, 0, 0)
	count := 0
	end := e.nodes[i].next
	prev := rootPath
	for m := i + 1; m < end && e.reason == ""; m = e.nodes[m].next {
		n := &e.nodes[m]
		prev = e.enter(p, prev, e.memberName(n))
		id := e.unusedName(p, prev, mine)
		mark := len(e.dst)
		e.dst = append(e.dst, e.paths.list[id].head...)
		if !e.value(m, prev) {
			e.dst = e.dst[:mark]
			continue
		}
		e.paths.list[id].seen = mine
		count++
	}
	if count == 0 {
		e.dst = e.dst[:at]
		return false
	}
	e.dst[at+1], e.dst[at+2] = byte(count>>8), byte(count)
	return true
}

// unusedName is id, or the sibling NAME#2, … when the map has that name already.
func (e *event) unusedName(parent, id int32, container uint64) int32 {
	for tries := 0; e.paths.list[id].seen == container; tries++ {
		if tries == maxRepeat {
			e.fail("a name repeated more than 64 times")
			break
		}
		id = e.enter(parent, id, []byte(nextName(e.paths.list[id].name)))
	}
	return id
}
