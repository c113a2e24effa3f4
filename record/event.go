package record

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"sync"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// event is one Fluent Bit event while it is built, with the scratch memory
// that building one needs.
type event struct {
	tape
	paths

	dst    []byte
	begin  int    // where the event begins in dst
	header int    // where the map's header is
	body   int    // where the fields that may be left out begin
	end    int    // where the last finished field ends
	count  int    // keys in the map
	limit  int    // bytes the event may have
	reason string // why the alert cannot be encoded; the walk ends when set

	record uint64 // serial number of the record: what was taken before it is free
	serial uint64 // serial number of the container being walked
	places int    // different paths met in this record

	// The list of objects being turned into columns.
	inRow   bool    // an object of it is being walked
	row     int32   // which one of its group
	group   int32   // and which group, counted over the whole record
	rank    int32   // how many groups earlier lists had
	groups  []group // the list's own
	cells   []cell
	columns []int32 // the fields that are its columns

	// What the limit makes of it.
	spans   []span
	order   []int32 // indexes into spans, for sorting
	leftOut []span
	missing int // how many fields were left out
	bar     int // a field this large would be left out; 0 while none was

	decoded  []byte // a text without its escapes
	repaired []byte // a text without what is no UTF-8
}

// scratches holds nothing that a caller could see: memory to work in, and a
// cache of names that thousands of tenants share.
var scratches = sync.Pool{New: func() any {
	e := new(event)
	e.paths.reset()
	return e
}}

// start begins the event anew at e.begin: MessagePack [time, {…}], the form
// that every Fluent Bit reads, with the map left open.
func (e *event) start(at time.Time) {
	e.dst = e.dst[:e.begin]
	e.serial++
	e.record = e.serial
	e.count, e.places, e.missing, e.bar, e.rank, e.reason, e.inRow = 0, 0, 0, 0, 0, "", false
	e.spans, e.leftOut = e.spans[:0], e.leftOut[:0]
	e.dst = appendTime(append(e.dst, 0x92), at)
	e.header = len(e.dst)
	e.dst = append(e.dst, 0xde, 0, 0) // map 16; maxFields keeps it from overflowing
}

// finish closes the map, gives the scratch back and returns the bytes.
func (e *event) finish() []byte {
	binary.BigEndian.PutUint16(e.dst[e.header+1:], uint16(e.count))
	dst := e.dst
	e.dst, e.src = nil, nil
	if e.paths.full() {
		e.paths.reset()
	}
	if cap(e.nodes) <= maxKept && cap(e.decoded) <= maxKept*8 && cap(e.repaired) <= maxKept*8 {
		scratches.Put(e)
	}
	return dst
}

// maxKept is how many nodes a scratch may have and still be used again: one
// giant alert must not hold its memory for ever.
const maxKept = 1 << 16

// appendTime appends Fluent Bit's EventTime: extension type 0, seconds and
// nanoseconds as unsigned 32 bits (Fluentd forward protocol, v1). Times that
// it cannot say become the nearest that it can.
func appendTime(dst []byte, at time.Time) []byte {
	sec, nsec := at.Unix(), at.Nanosecond()
	switch {
	case sec < 0:
		sec, nsec = 0, 0
	case sec > math.MaxUint32:
		sec, nsec = math.MaxUint32, 999_999_999
	}
	dst = append(dst, 0xd7, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(sec))
	return binary.BigEndian.AppendUint32(dst, uint32(nsec))
}

// put appends a field of our own.
func (e *event) put(name, value string) {
	e.dst = msgp.AppendString(msgp.AppendString(e.dst, name), value)
	e.count++
}

func (e *event) putInt(name string, value int) {
	e.dst = msgp.AppendInt(msgp.AppendString(e.dst, name), value)
	e.count++
}

func (e *event) putID(name string, id [16]byte) {
	e.dst = appendStringHeader(msgp.AppendString(e.dst, name), 2*len(id))
	e.dst = hex.AppendEncode(e.dst, id[:])
	e.count++
}

// putShared appends the fields that a tenant and feed's records share.
func (e *event) putShared(fields []byte) {
	e.dst = append(e.dst, fields...)
	e.count += ownShared
}

// bodyBegins marks where the fields begin that may be left out.
func (e *event) bodyBegins() { e.body, e.end = len(e.dst), len(e.dst) }

// fail ends the walk: the alert becomes an unreadable record.
func (e *event) fail(reason string) {
	if e.reason == "" {
		e.reason = reason
	}
}
