package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// What Microsoft, an alert or an attacker behind it wrote must not move the cursor, colour the screen, reorder letters or
// begin a line of its own. Such characters are shown as \u001b instead, which in JSON still means the same.

// visible writes everything so to where it leads; line ends and tabs are the program's own.
type visible struct {
	to   io.Writer
	rest []byte // the beginning of a character that the next Write ends
}

// Write reports the bytes it was given, as io.Writer asks.
func (v *visible) Write(b []byte) (int, error) {
	text := append(v.rest, b...)
	whole := len(text)
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if at := len(text) - back; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				whole = at
			}
			break
		}
	}
	v.rest = append([]byte(nil), text[whole:]...)
	if _, err := io.WriteString(v.to, shown(string(text[:whole]))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// shown is text with what hides or acts made visible.
func shown(text string) string {
	if strings.IndexFunc(text, hidden) < 0 && utf8.ValidString(text) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		switch high, low := utf16.EncodeRune(r); {
		case !hidden(r):
			out.WriteRune(r) // what is no UTF-8 becomes U+FFFD
		case high == unicode.ReplacementChar:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.String()
}

// hidden reports whether a terminal, or whoever reads what it shows, takes r for something else than a letter.
func hidden(r rune) bool {
	return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// inLine is text that stays in its line and in its column of a table.
func inLine(text string) string {
	return shown(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\v' || r == '\f' {
			return ' '
		}
		return r
	}, text))
}
