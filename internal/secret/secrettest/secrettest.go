// Package secrettest looks for secrets where none may be: in everything that a
// run has written. It finds a secret whole or in part, plain or in the encodings
// that text goes through on its way.
package secrettest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Window is how many characters of a secret in a row count as seeing it.
// Shorter secrets count whole.
const Window = 16

// least is the shortest value that is looked for: shorter ones are in any text.
const least = 6

// Hunt knows the secrets of a run. The zero value knows none. It may be asked
// from several goroutines once all are added.
type Hunt struct {
	windows map[uint64][]piece // by rolling hash
	short   []piece            // forms shorter than Window
	known   map[string]bool
}

// piece is what a Hunt looks for: a part of one form of one secret.
type piece struct {
	text        string
	label, form string
}

// Sighting is one place where a secret, or a part of it, was found.
type Sighting struct {
	Label  string // of the secret, as it was added
	Form   string // plain, base64, hex, …
	Offset int    // in the text
	Length int    // of what was seen
}

// String says what was seen and where, without showing it.
func (s Sighting) String() string {
	return fmt.Sprintf("%s (%s, %d characters at offset %d)", s.Label, s.Form, s.Length, s.Offset)
}

// Add makes values secret; label says in reports what they are. Values of less
// than six bytes are left out.
func (h *Hunt) Add(label string, values ...string) {
	for _, value := range values {
		if len(value) < least || h.known[value] {
			continue
		}
		if h.known == nil {
			h.known, h.windows = map[string]bool{}, map[uint64][]piece{}
		}
		h.known[value] = true
		h.add(piece{value, label, "plain"})
		others := forms(value)
		for _, form := range slices.Sorted(maps.Keys(others)) {
			h.add(piece{others[form], label, form})
		}
	}
}

// Len is how many secrets are known.
func (h *Hunt) Len() int { return len(h.known) }

func (h *Hunt) add(p piece) {
	if len(p.text) < Window {
		h.short = append(h.short, p)
		return
	}
	for at := 0; at+Window <= len(p.text); at++ {
		window := p
		window.text = p.text[at : at+Window]
		hash := hashOf(window.text)
		if !holds(h.windows[hash], window.text) {
			h.windows[hash] = append(h.windows[hash], window)
		}
	}
}

func holds(pieces []piece, text string) bool {
	for _, p := range pieces {
		if p.text == text {
			return true
		}
	}
	return false
}

// forms is a secret as it may show other than plain: escaped, or encoded with
// whatever stood before it in the same text.
func forms(value string) map[string]string {
	all := map[string]string{"hex": hex.EncodeToString([]byte(value)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(value)))}
	quoted, _ := json.Marshal(value) // a string always marshals
	for form, text := range map[string]string{
		"URL query": url.QueryEscape(value), "URL path": url.PathEscape(value), "JSON": strings.Trim(string(quoted), `"`),
		"Go quoted": strings.Trim(fmt.Sprintf("%q", value), `"`), "reversed": reversed(value),
	} {
		if text != value {
			all[form] = text
		}
	}
	for shift := range 3 { // how far into a group of three bytes it begins
		for form, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			text := encoding.EncodeToString(append(make([]byte, shift), value...))
			// The first characters depend on what stands before it, the last on what follows.
			text = text[(shift*8+5)/6:]
			if tail := (len(value) + shift) % 3; tail != 0 {
				text = text[:len(text)-1]
			}
			if len(text) >= least {
				all[fmt.Sprintf("%s+%d", form, shift)] = text
			}
		}
	}
	return all
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// In returns every sighting in text, overlapping ones joined.
func (h *Hunt) In(text []byte) (found []Sighting) {
	for _, p := range h.short {
		for at := 0; ; {
			next := bytes.Index(text[at:], []byte(p.text))
			if next < 0 {
				break
			}
			found = append(found, Sighting{p.label, p.form, at + next, len(p.text)})
			at += next + len(p.text)
		}
	}
	if len(text) < Window || len(h.windows) == 0 {
		return found
	}
	hash := hashOf(string(text[:Window]))
	for at := 0; ; at++ {
		for _, p := range h.windows[hash] {
			if string(text[at:at+Window]) == p.text {
				found = join(found, Sighting{p.label, p.form, at, Window})
			}
		}
		if at+Window == len(text) {
			return found
		}
		hash = (hash-uint64(text[at])*highest)*base + uint64(text[at+Window])
	}
}

// join lengthens the last sighting when s goes on where it was; the forms of a
// secret have parts in common, and the first one names it.
func join(found []Sighting, s Sighting) []Sighting {
	if n := len(found); n > 0 {
		last := &found[n-1]
		if last.Label == s.Label && s.Offset <= last.Offset+last.Length {
			last.Length = s.Offset + s.Length - last.Offset
			return found
		}
	}
	return append(found, s)
}

// base makes the rolling hash (Rabin and Karp); highest is its power for a window's first byte.
const base = 0x9E3779B97F4A7C15

var highest = func() uint64 {
	power := uint64(1)
	for range Window - 1 {
		power *= base
	}
	return power
}()

func hashOf(window string) (hash uint64) {
	for i := range len(window) {
		hash = hash*base + uint64(window[i])
	}
	return hash
}
