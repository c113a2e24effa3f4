package record

import (
	"encoding/binary"
	"math/bits"
)

// scan reads src (RFC 8259, the same grammar as encoding/json.Valid) onto the
// tape. It does not recurse. Invalid UTF-8 inside texts is no fault here:
// encoders replace it.
func (t *tape) scan(src []byte) *fault {
	t.src, t.nodes, t.open = src, t.nodes[:0], t.open[:0]
	if len(src) >= maxText {
		return &fault{"longer than 2 GiB", 0}
	}
	i := skipSpace(src, 0)
	inObject := false
	for {
		at := int32(len(t.nodes))
		if at >= maxValues {
			return &fault{"more than 1048576 values", i}
		}
		t.nodes = append(t.nodes, node{next: at + 1})
		n := &t.nodes[at]
		var f *fault
		if inObject {
			if i, f = scanName(src, i, n); f != nil {
				return f
			}
		}
		if i, f = scanValue(src, i, n); f != nil {
			return f
		}
		if n.kind >= list {
			i = skipSpace(src, i)
			closer := closing(n.kind)
			if i >= len(src) || src[i] != closer {
				if len(t.open) == maxDepth {
					return &fault{"nested deeper than 128", i}
				}
				t.open = append(t.open, at)
				inObject = n.kind == object
				continue
			}
			i++
			n.end = uint32(i)
		}
		if i, f = t.scanEnd(i); f != nil {
			return f
		}
		if len(t.open) == 0 {
			return nil
		}
		inObject = t.nodes[t.open[len(t.open)-1]].kind == object
	}
}

// scanEnd goes on behind a value: it closes the containers that end there and
// returns where the next value, or member, begins. With no container left
// open the text must end.
func (t *tape) scanEnd(i int) (int, *fault) {
	src := t.src
	for len(t.open) > 0 {
		if i < len(src) && src[i] <= ' ' {
			i = skipSpace(src, i)
		}
		if i >= len(src) {
			return i, &fault{"the text is cut", i}
		}
		if src[i] == ',' {
			return skipSpace(src, i+1), nil
		}
		n := &t.nodes[t.open[len(t.open)-1]]
		if src[i] != closing(n.kind) {
			return i, &fault{"no comma or closing bracket after a value", i}
		}
		i++
		n.end = uint32(i)
		n.next = int32(len(t.nodes))
		t.open = t.open[:len(t.open)-1]
	}
	if i = skipSpace(src, i); i < len(src) {
		return i, &fault{"more text behind the end", i}
	}
	return i, nil
}

func closing(k kind) byte {
	if k == object {
		return '}'
	}
	return ']'
}

func skipSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\n' || src[i] == '\r' || src[i] == '\t') {
		i++
	}
	return i
}

// scanName reads a member's name and its colon, and stops where its value begins.
func scanName(src []byte, i int, n *node) (int, *fault) {
	if i >= len(src) {
		return i, &fault{"the text is cut", i}
	}
	if src[i] != '"' {
		return i, &fault{"no name where a member begins", i}
	}
	end, flags, f := scanText(src, i+1)
	if f != nil {
		return i, f
	}
	if end-i-1 > maxName {
		return i, &fault{"a name longer than 1024 bytes", i}
	}
	n.name, n.nameLen = uint32(i+1), uint16(end-i-1)
	n.flags = flags << 3 // escaped, wide → nameEscaped, nameWide
	i = skipSpace(src, end+1)
	if i >= len(src) {
		return i, &fault{"the text is cut", i}
	}
	if src[i] != ':' {
		return i, &fault{"no colon after a name", i}
	}
	return skipSpace(src, i+1), nil
}

// scanValue reads a scalar, or the opening bracket of a container.
func scanValue(src []byte, i int, n *node) (int, *fault) {
	if i >= len(src) {
		return i, &fault{"the text is cut", i}
	}
	n.start = uint32(i)
	switch c := src[i]; c {
	case '"':
		end, flags, f := scanText(src, i+1)
		if f != nil {
			return i, f
		}
		n.kind, n.start, n.end = text, uint32(i+1), uint32(end)
		n.flags |= flags
		return end + 1, nil
	case '{':
		n.kind = object
		return i + 1, nil
	case '[':
		n.kind = list
		return i + 1, nil
	case 't':
		return scanWord(src, i, "true", boolTrue, n)
	case 'f':
		return scanWord(src, i, "false", boolFalse, n)
	case 'n':
		return scanWord(src, i, "null", null, n)
	default:
		if c != '-' && !digit(c) {
			return i, &fault{"no value where one begins", i}
		}
		n.kind = number
		return scanNumber(src, i, n)
	}
}

func scanWord(src []byte, i int, word string, k kind, n *node) (int, *fault) {
	end := i + len(word)
	if end > len(src) || string(src[i:end]) != word {
		return i, &fault{"no value where one begins", i}
	}
	n.kind, n.end = k, uint32(end)
	return end, nil
}

func digit(c byte) bool { return c-'0' <= 9 }

func scanNumber(src []byte, i int, n *node) (int, *fault) {
	if src[i] == '-' {
		i++
	}
	first := i
	if i = digits(src, i); i == first || (src[first] == '0' && i > first+1) {
		return i, &fault{"a badly written number", i}
	}
	if i < len(src) && src[i] == '.' {
		n.flags |= fraction
		first = i + 1
		if i = digits(src, first); i == first {
			return i, &fault{"a badly written number", i}
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		n.flags |= fraction
		if i++; i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		first = i
		if i = digits(src, first); i == first {
			return i, &fault{"a badly written number", i}
		}
	}
	n.end = uint32(i)
	return i, nil
}

func digits(src []byte, i int) int {
	for i < len(src) && digit(src[i]) {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanText finds the quote that ends the text beginning at i, eight bytes at
// a time: the lowest bit set in stop marks the first quote, backslash or
// control character of the word. (Borrows may set bits above it, never below.)
func scanText(src []byte, i int) (end int, flags uint8, f *fault) {
	for i+8 <= len(src) {
		w := binary.LittleEndian.Uint64(src[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		stop := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
		if w&highs != 0 {
			flags |= wide
		}
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		if src[i] == '"' {
			return i, flags, nil
		}
		if i, f = scanEscape(src, i); f != nil {
			return i, flags, f
		}
		flags |= escaped
	}
	for i < len(src) {
		switch c := src[i]; {
		case c == '"':
			return i, flags, nil
		case c == '\\' || c < ' ':
			if i, f = scanEscape(src, i); f != nil {
				return i, flags, f
			}
			flags |= escaped
			continue
		case c >= 0x80:
			flags |= wide
		}
		i++
	}
	return i, flags, &fault{"the text is cut", i}
}

// scanEscape steps over the escape at i.
func scanEscape(src []byte, i int) (int, *fault) {
	if src[i] != '\\' {
		return i, &fault{"a control character inside a text", i}
	}
	if i+1 >= len(src) {
		return i, &fault{"the text is cut", i}
	}
	switch src[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		if i+6 <= len(src) && hex4(src[i+2:]) >= 0 {
			return i + 6, nil
		}
	}
	return i, &fault{"an unknown escape inside a text", i}
}

// hex4 reads four hex digits, -1 when they are none.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		switch {
		case digit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
