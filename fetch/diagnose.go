package fetch

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
)

// textLimit bounds a text of Microsoft's in an Error, in runes.
const textLimit = 400

// envelopeLimit is how much of an error's body is read, in bytes.
const envelopeLimit = 64 << 10

// refusal turns an answer that is no page into an Error.
func refusal(f *Feed, answer *http.Response, token string, now time.Time) *Error {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, envelopeLimit))
	e := &Error{Feed: f.Name, Status: answer.StatusCode}
	e.Code, e.Message, e.RequestID = envelope(body)
	if id := answer.Header.Get("request-id"); id != "" {
		e.RequestID = id
	}
	if e.Message == "" {
		e.Message = http.StatusText(answer.StatusCode)
	}
	date, _ := clock(answer.Header, now)
	e.RetryAfter = retryAfter(answer.Header.Get("Retry-After"), date)
	classify(e, f, answer)
	return e.clean(token)
}

// envelope reads Graph's error body: {"error":{code,message,innerError:{request-id}}}.
// innerError is also seen as innererror; code may be empty.
func envelope(body []byte) (code, message, requestID string) {
	if !jsontext.Value(body).IsValid(lenient...) {
		return "", "", ""
	}
	e := gjson.GetBytes(body, "error")
	for _, inner := range []string{"innerError", "innererror"} {
		if id := e.Get(inner + ".request-id"); id.Type == gjson.String && requestID == "" {
			requestID = id.Str
		}
	}
	return e.Get("code").String(), e.Get("message").String(), requestID
}

// classify sets kind and action by the status.
func classify(e *Error, f *Feed, answer *http.Response) {
	switch status := e.Status; {
	case status == http.StatusTooManyRequests, status == 509,
		status == http.StatusServiceUnavailable && e.RetryAfter > 0:
		e.Kind = Throttled
	case status == http.StatusUnauthorized:
		e.Kind = Unauthorized
		if reason := challenge(answer.Header); reason != "" {
			e.Message = reason
		}
		e.Action = "a fresh token was refused too: check that Graph_Url and Login_Url are of the same cloud, and Conditional Access in the customer's tenant"
	case status == http.StatusForbidden:
		e.Kind = Forbidden
		e.Action = grant(e, f)
	case status == http.StatusNotFound:
		e.Kind = NotFound
		e.Action = "check Graph_Url: the API " + f.Path + " is not there"
	case status >= 500:
		e.Kind = Server
	case status >= 300 && status < 400:
		e.Kind = BadAnswer
		e.Message = "redirected to " + answer.Header.Get("Location")
		e.Action = "redirects are not followed, so that no token leaves: check Graph_Url, and proxies on the way"
	case status < 300:
		e.Kind = BadAnswer
		e.Message = "no page: " + http.StatusText(status)
	default:
		e.Kind = BadRequest
	}
}

// grant says what a 403 asks to be granted, and by whom.
func grant(e *Error, f *Feed) string {
	text := strings.ToLower(e.Code + " " + e.Message)
	switch {
	case strings.Contains(text, "insufficient_claims"):
		return "Conditional Access in the customer's tenant stops this sign-in: its admin must allow the app or the user"
	case strings.Contains(text, "missing application roles"):
		return "an admin of the customer's tenant must grant the app the application permission " + f.Permission + " and consent to it"
	case strings.Contains(text, "scope"):
		return "an admin of the customer's tenant must consent to the delegated permission " + f.Permission + ", then sign in again"
	}
	return "needs the permission " + f.Permission + " with admin consent, and for a signed-in user a role such as Security Reader in the customer's tenant"
}

// clean makes every text of the error fit for a log line.
func (e *Error) clean(token string) *Error {
	for _, text := range []*string{&e.Code, &e.Message, &e.RequestID, &e.Action} {
		if token != "" {
			*text = strings.ReplaceAll(*text, token, "[token]")
		}
		*text = oneLine(*text, textLimit)
	}
	return e
}

// oneLine returns s as one line of printable characters, at most limit runes.
func oneLine(s string, limit int) string {
	var b strings.Builder
	gap, n := false, 0
	for _, r := range s {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			gap = n > 0
			continue
		}
		if n++; n > limit {
			b.WriteString("…")
			break
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// badAnswer is an answer with a good status and a body that is none.
func badAnswer(f *Feed, answer *http.Response, token string, err error) *Error {
	e := &Error{Feed: f.Name, Kind: BadAnswer, Status: answer.StatusCode, Message: err.Error(), Err: err,
		RequestID: answer.Header.Get("request-id")}
	if kind := answer.Header.Get("Content-Type"); strings.Contains(strings.ToLower(kind), "html") {
		e.Action = fmt.Sprintf("content type is %s: look for a proxy or sign-in portal between here and Graph_Url", kind)
	}
	return e.clean(token)
}
