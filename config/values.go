package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"fluent-bit-defender/internal/secret"
)

// A reader parses the text of one key into its field of the draft. It returns
// nil or what is wrong with the text.
type reader func(d *draft, text string) *problem

// problem is a fault that does not know yet where it is.
type problem struct{ what, hint string }

type secretText = secret.Text

// Decimal multiples, as Fluent Bit counts sizes (flb_utils_size_to_bytes).
const (
	kilo = int64(1000)
	mega = 1000 * kilo
	giga = 1000 * mega
)

// word reads one text without white space.
func word(field func(*draft) *string) reader {
	return func(d *draft, text string) *problem {
		if p := plainWord(text); p != nil {
			return p
		}
		*field(d) = text
		return nil
	}
}

// credential reads a secret; what it complains of never shows the value.
func credential(field func(*draft) *secret.Text) reader {
	return func(d *draft, text string) *problem {
		if p := plainWord(text); p != nil {
			return &problem{"the secret " + p.what, "copy it again, in one piece"}
		}
		*field(d) = secret.New(text)
		return nil
	}
}

// plainWord complains of white space and unprintable characters without showing the text.
func plainWord(text string) *problem {
	if strings.ContainsFunc(text, unicode.IsSpace) {
		return &problem{"has white space inside", ""}
	}
	return printable(text)
}

// printable complains of what no line of text holds, without showing it.
func printable(text string) *problem {
	if !utf8.ValidString(text) {
		return &problem{"is not valid UTF-8", ""}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return &problem{"has an unprintable character inside", ""}
	}
	return nil
}

// path reads the name of a file or directory.
func path(field func(*draft) *string) reader {
	return func(d *draft, text string) *problem {
		if p := printable(text); p != nil {
			return p
		}
		*field(d) = text
		return nil
	}
}

// duration reads 60, 60s, 5m, 2h, 1d within [least, most].
func duration(field func(*draft) *time.Duration, least, most time.Duration) reader {
	units := map[string]int64{"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
	return func(d *draft, text string) *problem {
		seconds, ok := number(text, units)
		if !ok {
			return &problem{shown(text) + " is no duration", "write 60, 60s, 5m, 2h or 1d"}
		}
		if seconds < int64(least/time.Second) || seconds > int64(most/time.Second) {
			return &problem{shown(text) + " is out of range", "write " + formatDuration(least) + " to " + formatDuration(most)}
		}
		*field(d) = time.Duration(seconds) * time.Second
		return nil
	}
}

// size reads 512000, 512k, 4M, 1G within [least, most].
func size(field func(*draft) *int64, least, most int64) reader {
	units := map[string]int64{"": 1, "b": 1, "k": kilo, "kb": kilo, "m": mega, "mb": mega, "g": giga, "gb": giga}
	return func(d *draft, text string) *problem {
		bytes, ok := number(text, units)
		if !ok {
			return &problem{shown(text) + " is no size", "write 512000, 512k, 4M or 1G"}
		}
		if bytes < least || bytes > most {
			return &problem{shown(text) + " is out of range", "write " + formatSize(least) + " to " + formatSize(most)}
		}
		*field(d) = bytes
		return nil
	}
}

// number reads a whole number, perhaps negative, and one of units behind it, in
// any case. What would overflow is clipped: it is out of every range.
func number(text string, units map[string]int64) (int64, bool) {
	sign, digits := int64(1), text
	if strings.HasPrefix(text, "-") {
		sign, digits = -1, text[1:]
	}
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	factor, known := units[strings.ToLower(digits[end:])]
	if end == 0 || !known {
		return 0, false
	}
	n, err := strconv.ParseInt(digits[:end], 10, 64)
	if most := int64(1) << 60; err != nil || n > most/factor {
		return sign * most, true
	}
	return sign * n * factor, true
}

// formatDuration writes d, whole seconds, in the largest unit that fits.
func formatDuration(d time.Duration) string {
	seconds := int64(d / time.Second)
	for _, u := range []struct {
		seconds int64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}} {
		if seconds != 0 && seconds%u.seconds == 0 {
			return strconv.FormatInt(seconds/u.seconds, 10) + u.name
		}
	}
	return strconv.FormatInt(seconds, 10) + "s"
}

// formatSize writes n bytes in the largest unit that fits.
func formatSize(n int64) string {
	for _, u := range []struct {
		bytes int64
		name  string
	}{{giga, "G"}, {mega, "M"}, {kilo, "k"}} {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// boolean reads what Fluent Bit reads as a boolean (flb_utils_bool).
func boolean(field func(*draft) *bool) reader {
	values := map[string]bool{"on": true, "true": true, "yes": true, "off": false, "false": false, "no": false}
	return func(d *draft, text string) *problem {
		value, ok := values[strings.ToLower(text)]
		if !ok {
			return &problem{shown(text) + " is neither on nor off", "write on, true or yes; off, false or no"}
		}
		*field(d) = value
		return nil
	}
}

// choice reads one of known, in any case, or all, which is "".
func choice(field func(*draft) *string, kind string, known []string) reader {
	return func(d *draft, text string) *problem {
		if strings.EqualFold(text, "all") {
			*field(d) = ""
			return nil
		}
		value, p := oneOf(text, kind, known, "all")
		if p == nil {
			*field(d) = value
		}
		return p
	}
}

// names reads a list of known names, in any case. The word in all, if there is
// one, stands alone for all of them and yields nil.
func names(field func(*draft) *[]string, kind string, known []string, all ...string) reader {
	return func(d *draft, text string) *problem {
		if len(all) > 0 && strings.EqualFold(text, all[0]) {
			*field(d) = nil
			return nil
		}
		items, p := list(text)
		if p != nil {
			return p
		}
		seen := map[string]bool{}
		for i, item := range items {
			if len(all) > 0 && strings.EqualFold(item, all[0]) {
				return &problem{shown(item) + " stands for every " + kind, "write it alone, or leave it out"}
			}
			value, p := oneOf(item, kind, known, all...)
			if p != nil {
				return p
			}
			if seen[value] {
				return &problem{shown(item) + " is named twice", "name it once"}
			}
			seen[value] = true
			items[i] = value
		}
		*field(d) = items
		return nil
	}
}

// oneOf finds text among known, whatever its case; extra are further words that
// would have been fine, for the suggestion.
func oneOf(text, kind string, known []string, extra ...string) (string, *problem) {
	for _, k := range known {
		if strings.EqualFold(k, text) {
			return k, nil
		}
	}
	candidates := append(append([]string{}, extra...), known...)
	if near := nearest(text, candidates); near != "" {
		return "", &problem{shown(text) + " is no " + kind, "did you mean " + near + "?"}
	}
	return "", &problem{shown(text) + " is no " + kind, "write " + orList(candidates)}
}

// list splits at commas. An element that is empty is a problem.
func list(text string) ([]string, *problem) {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
		if items[i] == "" {
			return nil, &problem{"has an empty element", "separate names by single commas"}
		}
	}
	return items, nil
}

// orList writes "a", "a or b", "a, b or c".
func orList(items []string) string {
	if len(items) == 1 {
		return items[0]
	}
	return strings.Join(items[:len(items)-1], ", ") + " or " + items[len(items)-1]
}

// shown quotes a value for a message. A long one is only described: it is hardly
// what was meant, and might be a secret that slipped into the wrong key.
func shown(text string) string {
	if n := utf8.RuneCountInString(text); n > 60 {
		return fmt.Sprintf("a value of %d characters", n)
	}
	return strconv.Quote(text)
}
