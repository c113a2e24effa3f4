package record

import (
	"bytes"
	"math"
	"strconv"

	"github.com/tinylib/msgp/msgp"
)

// maxInteger is the largest integer up to which every one survives a reader
// that holds numbers as IEEE 754 doubles (RFC 8259 §6), as JSON readers do.
const maxInteger = 1 << 53

// appendNumber appends the JSON number s: an integer up to ±2^53 as an
// integer, any other number as a double when the double has the very value
// that is written, else its digits as a string.
func appendNumber(dst, s []byte, flags uint8) []byte {
	if flags&fraction == 0 {
		if v, ok := smallInteger(s); ok {
			return msgp.AppendInt64(dst, v)
		}
		if string(s) != "-0" {
			return msgp.AppendStringFromBytes(dst, s)
		}
	}
	v, err := strconv.ParseFloat(string(s), 64)
	if err != nil || !sameValue(s, v) {
		return msgp.AppendStringFromBytes(dst, s)
	}
	return msgp.AppendFloat64(dst, v)
}

func smallInteger(s []byte) (v int64, ok bool) {
	negative := s[0] == '-'
	if negative {
		s = s[1:]
	}
	if len(s) > 16 {
		return 0, false
	}
	for _, c := range s {
		v = v*10 + int64(c-'0')
	}
	if negative {
		return -v, v <= maxInteger && v != 0
	}
	return v, v <= maxInteger
}

// sameValue says whether the number written as s is what v prints as.
func sameValue(s []byte, v float64) bool {
	var a, b [64]byte
	shortest := strconv.AppendFloat(b[:0], math.Abs(v), 'e', -1, 64)
	digits, exponent := significand(a[:0], bytes.TrimPrefix(s, []byte("-")))
	printed, printedExponent := significand(nil, shortest)
	return string(digits) == string(printed) && (len(digits) == 0 || exponent == printedExponent)
}

// significand splits a decimal number into its digits, without zeros at
// either end, and the power of ten of the digit behind the last one.
func significand(dst, s []byte) (digits []byte, exponent int) {
	if e := bytes.IndexAny(s, "eE"); e >= 0 {
		exponent, _ = strconv.Atoi(string(s[e+1:])) // out of range: the largest int, equal to nothing
		s = s[:e]
	}
	if point := bytes.IndexByte(s, '.'); point >= 0 {
		exponent -= len(s) - point - 1
		dst = append(append(dst, s[:point]...), s[point+1:]...)
	} else {
		dst = append(dst, s...)
	}
	trimmed := bytes.TrimRight(dst, "0")
	exponent += len(dst) - len(trimmed)
	return bytes.TrimLeft(trimmed, "0"), exponent
}
