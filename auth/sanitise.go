package auth

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	longestDetail = 300 // runes of a foreign text that a Diagnosis shows
	longestName   = 64  // runes of an id or name in an answer
	redacted      = "[secret]"
)

// secrets are the values that one exchange with Entra used. Whatever comes
// back is shown only through clean.
type secrets []string

// clean makes foreign text fit to show: one line, no control, format or
// bidirectional characters, no secret, at most limit runes.
func (s secrets) clean(text string, limit int) string {
	text = s.redact(text)
	text = strings.Join(strings.Fields(strings.Map(visible, strings.ToValidUTF8(text, "\uFFFD"))), " ")
	// Once more: a character taken out may have hidden a secret.
	return shorten(s.redact(text), limit)
}

// tokenLike is a run so long that it can only be a token, or a piece of one.
// GUIDs, host names and the parts of a path are shorter.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_.~+=%-]{64,}`)

func (s secrets) redact(text string) string {
	for _, value := range s.byLength() {
		text = strings.ReplaceAll(text, value, redacted)
	}
	return tokenLike.ReplaceAllString(text, redacted)
}

// byLength is every secret in every form it may be echoed in, longest first so
// that no rest of a longer one is left. A value of under four characters is no
// secret, and would take the words out of the text.
func (s secrets) byLength() []string {
	var forms []string
	for _, value := range s {
		if len(value) >= 4 {
			forms = append(forms, value, url.QueryEscape(value), url.PathEscape(value), strings.Join(strings.Fields(value), " "))
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	return slices.DeleteFunc(slices.Compact(forms), func(f string) bool { return f == "" })
}

// visible drops what does not show or changes how its neighbours show; line
// ends and tabs become spaces.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs):
		return -1
	}
	return r
}

func shorten(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// supportID and timestamp are the lines that Entra appends to every description.
var (
	supportID = regexp.MustCompile(`\s*\b(Trace|Correlation) ID:\s*([0-9A-Za-z-]*)`)
	timestamp = regexp.MustCompile(`\s*\bTimestamp:\s*[0-9][0-9:.TZ -]*`)
)

// splitDescription parts Entra's sentence from the ids that Microsoft support
// asks for. Redact first: the cut may go through an echoed secret.
func splitDescription(description string) (sentence, trace, correlation string) {
	for _, m := range supportID.FindAllStringSubmatch(description, -1) {
		if m[1] == "Trace" {
			trace = m[2]
		} else {
			correlation = m[2]
		}
	}
	return timestamp.ReplaceAllString(supportID.ReplaceAllString(description, " "), " "), trace, correlation
}

var notID = regexp.MustCompile(`[^0-9A-Za-z_-]`)

// id keeps what an id or an OAuth error name may hold.
func (s secrets) id(text string) string {
	return shorten(s.redact(notID.ReplaceAllString(s.redact(text), "")), longestName)
}
