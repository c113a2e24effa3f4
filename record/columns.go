package record

import (
	"bytes"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// group is the objects of one list that share columns: all of them, or the
// evidence of one type.
type group struct {
	path int32
	rows int32
}

// cell is one value of a column.
type cell struct {
	node, path int32
	row        int32
	next       int32 // the cell below it in its column, noCell at the end
}

const noCell int32 = -1

// table turns the list of objects at i into columns.
func (e *event) table(i, p int32) {
	e.groups, e.cells, e.columns = e.groups[:0], e.cells[:0], e.columns[:0]
	byType := e.paths.list[p].name == "evidence" && e.paths.list[p].parent == rootPath
	e.inRow = true
	end := e.nodes[i].next
	of, kind := p, rootPath
	for m := i + 1; m < end && e.reason == ""; m = e.nodes[m].next {
		if byType {
			if e.nodes[m].kind == null {
				continue // no type, hence no place in a group to keep
			}
			kind = e.enter(p, kind, e.evidenceType(m))
			of = kind
		}
		e.startRow(of)
		if e.nodes[m].kind == object {
			e.object(m, of)
		}
	}
	e.inRow = false
	for _, f := range e.columns {
		if e.reason == "" {
			e.column(f)
		}
	}
	e.rank += int32(len(e.groups))
}

func (e *event) startRow(p int32) {
	g := e.paths.list[p].group
	if int(g) >= len(e.groups) || e.groups[g].path != p {
		g = int32(len(e.groups))
		e.groups = append(e.groups, group{path: p})
		e.paths.list[p].group = g
	}
	e.group, e.row = e.rank+g, e.groups[g].rows
	e.groups[g].rows++
}

// cell puts the value at i into a column of the current group.
func (e *event) cell(i, f, p int32) {
	at := int32(len(e.cells))
	for tries := 0; ; tries++ {
		if tries > maxRepeat {
			e.fail("a name repeated more than 64 times")
			return
		}
		c := &e.fields[f]
		if !c.ours && c.taken != e.record {
			c.taken, c.group, c.first, c.last = e.record, e.group, at, at
			e.columns = append(e.columns, f)
			break
		}
		if !c.ours && c.group == e.group && e.cells[c.last].row < e.row {
			e.cells[c.last].next = at
			c.last = at
			break
		}
		f = e.another(f)
	}
	e.cells = append(e.cells, cell{node: i, path: p, row: e.row, next: noCell})
}

// column appends the column f: one value for each row of its group.
func (e *event) column(f int32) {
	c := &e.fields[f]
	rows := e.groups[c.group-e.rank].rows
	if e.bar > 0 {
		if size := e.columnSize(f, rows); size >= e.bar {
			e.leaveOut(f, size)
			return
		}
	}
	e.dst = append(e.dst, c.head...)
	e.dst = msgp.AppendArrayHeader(e.dst, uint32(rows))
	row := int32(0)
	for at := c.first; at != noCell; at = e.cells[at].next {
		cell := e.cells[at]
		e.pad(cell.row - row)
		e.value(cell.node, cell.path)
		row = cell.row + 1
	}
	e.pad(rows - row)
	e.close(f)
}

// columnSize is how many bytes the column f would have, found without padding it.
func (e *event) columnSize(f, rows int32) int {
	mark := len(e.dst)
	e.dst = append(e.dst, e.fields[f].head...)
	e.dst = msgp.AppendArrayHeader(e.dst, uint32(rows))
	padding := int(rows)
	for at := e.fields[f].first; at != noCell; at = e.cells[at].next {
		e.value(e.cells[at].node, e.cells[at].path)
		padding--
	}
	size := len(e.dst) - mark + padding
	e.dst = e.dst[:mark]
	return size
}

// nulls are as many MessagePack nulls.
var nulls = strings.Repeat("\xc0", 256)

func (e *event) pad(rows int32) {
	for ; rows > int32(len(nulls)); rows -= int32(len(nulls)) {
		e.dst = append(e.dst, nulls...)
	}
	e.dst = append(e.dst, nulls[:rows]...)
}

// evidenceType is the group of the evidence at i: its OData type without
// namespace and the word Evidence, "#microsoft.graph.security.deviceEvidence"
// → "device" (Microsoft Graph, resource type alertEvidence). A type that is
// new, or not Microsoft's, follows the same rule.
func (e *event) evidenceType(i int32) []byte {
	m := e.member(i, "@odata.type")
	if m < 0 || e.nodes[m].kind != text {
		return unknownType
	}
	name := e.decode(e.text(&e.nodes[m]), e.nodes[m].flags)
	name = name[bytes.LastIndexByte(name, '.')+1:]
	name = bytes.TrimPrefix(name, []byte("#"))
	if short := bytes.TrimSuffix(name, []byte("Evidence")); len(short) > 0 {
		name = short
	}
	if len(name) == 0 || len(name) > maxTypeName {
		return unknownType
	}
	return name
}

const maxTypeName = 128

var unknownType = []byte("unknown")
