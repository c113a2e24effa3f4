package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// dateKey is where a record's time goes, as in Fluent Bit's own json_lines.
const dateKey = "date"

// appendLine appends one event, [time, {fields}] in MessagePack, as one line of
// JSON: the fields in their order, integers exactly, the time before them.
func appendLine(dst, event []byte) ([]byte, error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(event)
	if err == nil && n != 2 {
		err = fmt.Errorf("an event of %d parts", n)
	}
	if err != nil {
		return dst, err
	}
	at, rest, err := eventTime(rest)
	if err != nil {
		return dst, err
	}
	fields, rest, err := msgp.ReadMapHeaderBytes(rest)
	if err != nil {
		return dst, err
	}
	dst = append(dst, `{"`+dateKey+`":"`...)
	dst = at.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	for range fields {
		dst = append(dst, ',')
		if dst, rest, err = appendMember(dst, rest); err != nil {
			return dst, err
		}
	}
	if len(rest) > 0 {
		return dst, errors.New("something follows the event")
	}
	return append(dst, "}\n"...), nil
}

// eventTime reads a Fluent Bit EventTime: ext type 0, seconds and nanoseconds.
func eventTime(b []byte) (at time.Time, rest []byte, err error) {
	ext := msgp.RawExtension{Type: 0}
	rest, err = msgp.ReadExtensionBytes(b, &ext)
	if err != nil {
		return at, b, err
	}
	if len(ext.Data) != 8 {
		return at, b, fmt.Errorf("a time of %d bytes", len(ext.Data))
	}
	var seconds, nanos uint32
	for i := range 4 {
		seconds, nanos = seconds<<8|uint32(ext.Data[i]), nanos<<8|uint32(ext.Data[4+i])
	}
	return time.Unix(int64(seconds), int64(nanos)).UTC(), rest, nil
}

func appendMember(dst, b []byte) ([]byte, []byte, error) {
	key, rest, err := msgp.ReadStringZC(b)
	if err != nil {
		return dst, b, err
	}
	return appendValue(append(appendText(dst, key), ':'), rest)
}

// appendText never fails: what is no UTF-8 is replaced.
func appendText(dst, text []byte) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}

// appendValue appends the value at the beginning of b and returns what follows it.
func appendValue(dst, b []byte) ([]byte, []byte, error) {
	switch kind := msgp.NextType(b); kind {
	case msgp.StrType:
		text, rest, err := msgp.ReadStringZC(b)
		return appendText(dst, text), rest, err
	case msgp.IntType:
		v, rest, err := msgp.ReadInt64Bytes(b)
		return strconv.AppendInt(dst, v, 10), rest, err
	case msgp.UintType:
		v, rest, err := msgp.ReadUint64Bytes(b)
		return strconv.AppendUint(dst, v, 10), rest, err
	case msgp.Float64Type, msgp.Float32Type:
		v, rest, err := readFloat(b, kind)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(dst, "null"...), rest, err // JSON has no such numbers
		}
		return strconv.AppendFloat(dst, v, 'g', -1, 64), rest, err
	case msgp.BoolType:
		v, rest, err := msgp.ReadBoolBytes(b)
		return strconv.AppendBool(dst, v), rest, err
	case msgp.NilType:
		rest, err := msgp.ReadNilBytes(b)
		return append(dst, "null"...), rest, err
	case msgp.BinType:
		v, rest, err := msgp.ReadBytesZC(b)
		return appendText(dst, []byte(base64.StdEncoding.EncodeToString(v))), rest, err
	case msgp.ArrayType:
		n, rest, err := msgp.ReadArrayHeaderBytes(b)
		if err != nil {
			return dst, b, err
		}
		return appendAll(dst, rest, n, "[]", appendValue)
	case msgp.MapType:
		n, rest, err := msgp.ReadMapHeaderBytes(b)
		if err != nil {
			return dst, b, err
		}
		return appendAll(dst, rest, n, "{}", appendMember)
	default:
		return dst, b, fmt.Errorf("a value of type %v, which no record has", kind)
	}
}

func readFloat(b []byte, kind msgp.Type) (float64, []byte, error) {
	if kind == msgp.Float32Type {
		v, rest, err := msgp.ReadFloat32Bytes(b)
		return float64(v), rest, err
	}
	return msgp.ReadFloat64Bytes(b)
}

// appender appends as JSON what b begins with, and returns what follows it.
type appender func(dst, b []byte) (_, rest []byte, err error)

// appendAll appends n parts between brackets.
func appendAll(dst, b []byte, n uint32, brackets string, part appender) ([]byte, []byte, error) {
	dst = append(dst, brackets[0])
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, b, err = part(dst, b); err != nil {
			return dst, b, err
		}
	}
	return append(dst, brackets[1]), b, nil
}
