// Package secret holds values that must never be seen: refresh tokens, client
// secrets, keys. A Text cannot be printed, formatted, logged or encoded by
// accident; whoever needs the value says so with Reveal.
package secret

import (
	"fmt"
	"log/slog"
	"unique"
)

// mask is what every accidental way of showing a Text yields.
const mask = "[secret]"

// Text is a secret string. The zero value is the absent secret. Two Texts are
// equal (==) when their values are.
//
// The value lies behind a pointer: where a Text is an unexported field, fmt
// and other printers by reflection pass its methods by, and find an address.
type Text struct{ value unique.Handle[string] }

// New wraps value. New("") is the absent secret.
func New(value string) Text {
	if value == "" {
		return Text{}
	}
	return Text{unique.Make(value)}
}

// Reveal returns the value itself. Its callers are the places where a secret
// leaves the process on purpose.
func (t Text) Reveal() string {
	if t.IsZero() {
		return ""
	}
	return t.value.Value()
}

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t == Text{} }

// String returns a fixed mask, whatever the value.
func (t Text) String() string { return mask }

// GoString is the mask, for printers that know %#v by this name only.
func (t Text) GoString() string { return mask }

// Format writes the mask for every verb and flag, so that %#v and %x show no more than %s.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

// LogValue is the mask.
func (t Text) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText is the mask; JSON, YAML and XML encoders use it.
func (t Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// MarshalBinary is the mask, for encoders such as gob.
func (t Text) MarshalBinary() ([]byte, error) { return []byte(mask), nil }
