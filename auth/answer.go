package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// Answers without a lifetime are kept this long; RFC 6749 only recommends expires_in.
	unknownLifetime = 5 * time.Minute
	// Entra's longest access tokens live 28 hours (continuous access evaluation).
	longestLifetime = 28 * time.Hour
)

// tokenAnswer is a good answer of the token endpoint (RFC 6749, section 5.1).
type tokenAnswer struct {
	access    string        // never empty, printable ASCII
	refresh   string        // "" when the answer brought none
	lifetime  time.Duration // from the moment of the answer
	directory string        // GUID of the tenant the token is for, "" when it does not say
}

// errorAnswer is a refusal (RFC 6749, section 5.2, with Entra's additions).
// Its texts are as they came: neither safe to show nor bounded.
type errorAnswer struct {
	oauthError  string
	description string
	codes       []int // AADSTS codes in the answer's order
	trace       string
	correlation string
}

// wireAnswer holds every field that is read, of both kinds of answer. Fields
// not named here are ignored; Entra adds to them as it likes.
type wireAnswer struct {
	AccessToken  text   `json:"access_token"`
	RefreshToken text   `json:"refresh_token"`
	TokenType    text   `json:"token_type"`
	ExpiresIn    number `json:"expires_in"`
	ExpiresOn    number `json:"expires_on"` // seconds since 1970, v1 only

	Error       text    `json:"error"`
	Description text    `json:"error_description"`
	Codes       numbers `json:"error_codes"`
	Trace       text    `json:"trace_id"`
	Correlation text    `json:"correlation_id"`
}

// parseAnswer reads the body of an answer, whatever its status. date is the
// server's clock and may be zero. Exactly one of the results is set. The error
// quotes nothing of the body, which may hold tokens.
func parseAnswer(body []byte, date time.Time) (*tokenAnswer, *errorAnswer, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	switch {
	case len(body) == 0:
		return nil, nil, errors.New("the answer is empty")
	case body[0] == '<':
		return nil, nil, errors.New("the answer is a web page, not JSON")
	case body[0] != '{':
		return nil, nil, errors.New("the answer is not a JSON object")
	}
	var w wireAnswer
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, nil, errors.New("the answer is broken or cut JSON")
	}
	if w.Error != "" {
		return nil, w.refusal(), nil
	}
	answer, err := w.token(date)
	return answer, nil, err
}

func (w *wireAnswer) token(date time.Time) (*tokenAnswer, error) {
	switch {
	case w.AccessToken == "":
		return nil, errors.New("the answer holds neither a token nor an error")
	case !printable(string(w.AccessToken)) || !printable(string(w.RefreshToken)):
		return nil, errors.New("the token in the answer holds characters that no token may hold")
	case w.TokenType != "" && !strings.EqualFold(string(w.TokenType), "Bearer"):
		return nil, errors.New("the token in the answer is not a bearer token")
	}
	return &tokenAnswer{
		access:    string(w.AccessToken),
		refresh:   string(w.RefreshToken),
		lifetime:  w.lifetime(date),
		directory: directoryOf(string(w.AccessToken)),
	}, nil
}

// lifetime prefers expires_in, which needs no clock; expires_on is set against
// the server's own.
func (w *wireAnswer) lifetime(date time.Time) time.Duration {
	seconds := unknownLifetime.Seconds()
	if w.ExpiresIn.known {
		seconds = w.ExpiresIn.value
	} else if w.ExpiresOn.known && !date.IsZero() {
		seconds = w.ExpiresOn.value - float64(date.Unix())
	}
	seconds = min(max(seconds, 0), longestLifetime.Seconds())
	return time.Duration(seconds) * time.Second
}

var codeInText = regexp.MustCompile(`AADSTS(\d{5,9})\b`)

// refusal takes the codes from error_codes, and from the description where
// that is missing.
func (w *wireAnswer) refusal() *errorAnswer {
	e := &errorAnswer{
		oauthError:  string(w.Error),
		description: string(w.Description),
		codes:       w.Codes,
		trace:       string(w.Trace),
		correlation: string(w.Correlation),
	}
	if len(e.codes) == 0 {
		for _, m := range codeInText.FindAllStringSubmatch(e.description, maxCodes) {
			n, _ := strconv.Atoi(m[1])
			e.codes = append(e.codes, n)
		}
	}
	return e
}

// printable reports whether s holds RFC 6749's VSCHAR only (appendix A.12,
// A.17), so that it can stand in a header line.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// text is a JSON string; any other value counts as absent.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

// number is a JSON number or a number in a string (Entra's v1 answers); any
// other value counts as absent.
type number struct {
	value float64
	known bool
}

func (n *number) UnmarshalJSON(b []byte) error {
	s := strings.TrimSpace(strings.Trim(string(b), `"`))
	if v, err := strconv.ParseFloat(s, 64); err == nil && v == v {
		*n = number{v, true}
	}
	return nil
}

// maxCodes is how many codes of one answer are looked at; Entra sends one or two.
const maxCodes = 16

// numbers is a list of positive whole numbers; elements of other kinds are left out.
type numbers []int

func (ns *numbers) UnmarshalJSON(b []byte) error {
	var list []number
	if json.Unmarshal(b, &list) != nil {
		return nil
	}
	for _, n := range list {
		if n.known && n.value >= 1 && n.value < 1e9 && len(*ns) < maxCodes {
			*ns = append(*ns, int(n.value))
		}
	}
	return nil
}
