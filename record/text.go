package record

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

const replacement = "\uFFFD"

// appendText appends s, the inside of a JSON text, as a MessagePack string:
// escapes decoded, and U+FFFD in place of every byte that is not UTF-8 and
// every half of a surrogate pair.
func (e *event) appendText(s []byte, flags uint8) {
	if flags&(escaped|wide) != 0 {
		s = e.decode(s, flags)
	}
	e.dst = append(appendStringHeader(e.dst, len(s)), s...)
}

// appendStringHeader appends the shortest header of a string of n bytes.
func appendStringHeader(dst []byte, n int) []byte {
	switch {
	case n < 32:
		return append(dst, 0xa0|byte(n))
	case n < 1<<8:
		return append(dst, 0xd9, byte(n))
	case n < 1<<16:
		return append(dst, 0xda, byte(n>>8), byte(n))
	}
	return append(dst, 0xdb, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// decode returns the text that s stands for. The result may alias s or the
// event's own buffer; it holds until the next decode.
func (e *event) decode(s []byte, flags uint8) []byte {
	if flags&escaped != 0 {
		e.decoded = unescape(e.decoded[:0], s)
		s = e.decoded
	}
	if flags&wide != 0 && !utf8.Valid(s) {
		e.repaired = appendValid(e.repaired[:0], s)
		s = e.repaired
	}
	return s
}

// unescape appends s with its escapes decoded; scan has checked them.
func unescape(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(s)
			s = s[4:]
			if utf16.IsSurrogate(r) {
				r, s = secondHalf(r, s)
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

// secondHalf joins the surrogate r with the escape that s begins with, or
// gives U+FFFD for r alone.
func secondHalf(r rune, s []byte) (rune, []byte) {
	if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(s[2:])); pair != utf8.RuneError {
			return pair, s[6:]
		}
	}
	return utf8.RuneError, s
}

// appendValid appends s with every byte that is not UTF-8 replaced.
func appendValid(dst, s []byte) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, replacement...)
		} else {
			dst = append(dst, s[:size]...)
		}
		s = s[size:]
	}
	return dst
}

// clip cuts s to at most n bytes, never inside a character.
func clip[T string | []byte](s T, n int) T {
	if len(s) <= n {
		return s
	}
	for back := 0; back < utf8.UTFMax && back <= n; back++ {
		if utf8.RuneStart(s[n-back]) {
			return s[:n-back]
		}
	}
	return s[:n] // no UTF-8
}
