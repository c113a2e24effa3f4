package record

import "fmt"

// Bounds on one alert's shape. Real alerts stay far below them; they keep a
// hostile or broken answer from costing unbounded memory or stack. An alert
// beyond them becomes an unreadable record that carries its text.
const (
	maxDepth  = 128     // containers inside one another
	maxValues = 1 << 20 // values in one alert
	maxText   = 1 << 31 // bytes of JSON text
	maxName   = 1024    // bytes of one name, and of names joined by dots
	maxPaths  = 1 << 15 // different places in one alert
	maxFields = 1 << 14 // fields of one record
	maxRepeat = 64      // how often one name may be repeated
)

type kind uint8

const (
	null kind = iota
	boolFalse
	boolTrue
	number
	text
	list
	object
)

// What scan noticed on its way, so that encoders need not look again.
const (
	escaped     uint8 = 1 << iota // the text has backslashes
	wide                          // the text may have bytes above 0x7F, unchecked
	fraction                      // the number is not written as an integer
	nameEscaped                   // as escaped, for the member's name
	nameWide                      // as wide, for the member's name
)

// node is one value on the tape. A container is followed by what it holds.
type node struct {
	start, end uint32 // its text in src; without the quotes for a text
	next       int32  // the node after it and all it holds
	name       uint32 // an object's member: where its name begins in src
	nameLen    uint16
	kind       kind
	flags      uint8
}

// tape is one JSON text as a row of values, in the order they are written.
type tape struct {
	src   []byte
	nodes []node
	open  []int32 // the containers around the value being read
}

func (t *tape) text(n *node) []byte { return t.src[n.start:n.end] }
func (t *tape) name(n *node) []byte { return t.src[n.name : n.name+uint32(n.nameLen)] }

// empty says whether the container at i holds nothing.
func (t *tape) empty(i int32) bool { return t.nodes[i].next == i+1 }

// member finds a member of the object at i by its name, -1 when there is
// none. Names written with escapes are not found.
func (t *tape) member(i int32, name string) int32 {
	end := t.nodes[i].next
	for m := i + 1; m < end; m = t.nodes[m].next {
		if string(t.name(&t.nodes[m])) == name {
			return m
		}
	}
	return -1
}

// fault is why a text is no alert.
type fault struct {
	what   string
	offset int
}

func (f *fault) Error() string { return fmt.Sprintf("%s at byte %d", f.what, f.offset) }
