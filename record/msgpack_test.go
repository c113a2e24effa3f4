package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// decoded is one event as an independent reader of MessagePack sees it
// (https://github.com/msgpack/msgpack/blob/master/spec.md). The reader is
// strict: strings must be UTF-8, map keys unique strings.
type decoded struct {
	at     time.Time
	keys   []string // in order
	fields map[string]any
}

func decodeEvent(b []byte) (ev decoded, rest []byte, err error) {
	if len(b) < 11 || b[0] != 0x92 || b[1] != 0xd7 || b[2] != 0 {
		return ev, b, errors.New("not [EventTime, …]")
	}
	sec, nsec := binary.BigEndian.Uint32(b[3:]), binary.BigEndian.Uint32(b[7:])
	if nsec > 999_999_999 {
		return ev, b, errors.New("more nanoseconds than a second has")
	}
	ev.at = time.Unix(int64(sec), int64(nsec)).UTC()
	r := &reader{b: b[11:]}
	v := r.value(0)
	if r.err != nil {
		return ev, r.b, r.err
	}
	m, ok := v.(orderedMap)
	if !ok {
		return ev, r.b, errors.New("the record is no map")
	}
	ev.keys, ev.fields = m.keys, m.plain()
	return ev, r.b, nil
}

type orderedMap struct {
	keys   []string
	values []any
}

func (m orderedMap) plain() map[string]any {
	out := make(map[string]any, len(m.keys))
	for i, k := range m.keys {
		out[k] = plain(m.values[i])
	}
	return out
}

func plain(v any) any {
	switch v := v.(type) {
	case orderedMap:
		return v.plain()
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail("cut: %d bytes wanted, %d left", n, len(r.b))
		return make([]byte, min(n, 8))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) size(n int) int {
	switch b := r.take(n); n {
	case 1:
		return int(b[0])
	case 2:
		return int(binary.BigEndian.Uint16(b))
	default:
		return int(binary.BigEndian.Uint32(b))
	}
}

func (r *reader) value(depth int) any {
	if depth > 300 {
		r.fail("too deep")
	}
	if r.err != nil {
		return nil
	}
	switch c := r.take(1)[0]; {
	case c < 0x80:
		return int64(c)
	case c < 0x90:
		return r.pairs(int(c&0xf), depth)
	case c < 0xa0:
		return r.items(int(c&0xf), depth)
	case c < 0xc0:
		return r.str(int(c & 0x1f))
	case c >= 0xe0:
		return int64(int8(c))
	default:
		return r.typed(c, depth)
	}
}

func (r *reader) typed(c byte, depth int) any {
	switch c {
	case 0xc0:
		return nil
	case 0xc2, 0xc3:
		return c == 0xc3
	case 0xcb:
		return math.Float64frombits(binary.BigEndian.Uint64(r.take(8)))
	case 0xcc, 0xcd, 0xce:
		return int64(r.size(1 << (c - 0xcc)))
	case 0xcf:
		return int64(binary.BigEndian.Uint64(r.take(8)))
	case 0xd0:
		return int64(int8(r.take(1)[0]))
	case 0xd1:
		return int64(int16(binary.BigEndian.Uint16(r.take(2))))
	case 0xd2:
		return int64(int32(binary.BigEndian.Uint32(r.take(4))))
	case 0xd3:
		return int64(binary.BigEndian.Uint64(r.take(8)))
	case 0xd9, 0xda, 0xdb:
		return r.str(r.size(1 << (c - 0xd9)))
	case 0xdc, 0xdd:
		return r.items(r.size(2<<(c-0xdc)), depth)
	case 0xde, 0xdf:
		return r.pairs(r.size(2<<(c-0xde)), depth)
	}
	r.fail("unexpected type byte %#x", c)
	return nil
}

func (r *reader) str(n int) string {
	s := string(r.take(n))
	if !utf8.ValidString(s) {
		r.fail("a string that is not UTF-8: %q", s)
	}
	return s
}

func (r *reader) items(n, depth int) any {
	out := []any{}
	for range n {
		if r.err != nil {
			break
		}
		out = append(out, r.value(depth+1))
	}
	return out
}

func (r *reader) pairs(n, depth int) any {
	var m orderedMap
	known := map[string]bool{}
	for range n {
		if r.err != nil {
			break
		}
		k, ok := r.value(depth + 1).(string)
		if !ok {
			r.fail("a key that is no string")
		}
		if known[k] {
			r.fail("the key %q twice", k)
		}
		known[k] = true
		m.keys = append(m.keys, k)
		m.values = append(m.values, r.value(depth+1))
	}
	return m
}
