package fetch

import (
	"fmt"
	"strings"
	"time"
)

// Kind is what a caller decides by.
type Kind int

// The kinds of Error.
const (
	// Network: no answer, or it broke off in transport; also a timeout.
	Network Kind = iota + 1
	// Token: no access token; the cause is unwrapped as it came.
	Token
	// Throttled: asked too often; RetryAfter says when again, if it is known.
	Throttled
	// Unauthorized: 401 also to a fresh token.
	Unauthorized
	// Forbidden: 403; Action says what must be granted.
	Forbidden
	// BadRequest: the request itself was refused (400 and other 4xx).
	BadRequest
	// NotFound: 404, usually a wrong Graph_Url.
	NotFound
	// Server: 5xx, also with the smallest page.
	Server
	// BadAnswer: not the JSON that belongs there: HTML, cut, redirected.
	BadAnswer
	// TooLarge: even the smallest page is over Options.PageLimit.
	TooLarge
	// Unsettled: one tick's alerts kept changing through every reading.
	Unsettled
)

var kindNames = [...]string{
	Network: "network", Token: "token", Throttled: "throttled", Unauthorized: "unauthorized",
	Forbidden: "forbidden", BadRequest: "bad request", NotFound: "not found", Server: "server",
	BadAnswer: "bad answer", TooLarge: "too large", Unsettled: "unsettled",
}

// String returns the kind in words, e.g. "bad answer".
func (k Kind) String() string {
	if k < 1 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// Error is why a reading ended. Its texts are one line each, bounded, free of
// control characters and of the access token.
type Error struct {
	Feed       string        // name of the feed
	Kind       Kind          // what callers decide by
	Status     int           // HTTP status, 0 without an answer
	RetryAfter time.Duration // 0: the service did not say; at most an hour
	RequestID  string        // Microsoft's request-id, to quote to support
	Code       string        // Microsoft's error code, may be ""
	Message    string        // what came back
	Action     string        // what to do about it, may be ""
	Err        error         // cause, may be nil

	slow bool // reached, but not answered in time
}

// heavy reports whether a smaller page may fare better.
func (e *Error) heavy() bool {
	switch e.Kind {
	case TooLarge:
		return true
	case Network:
		return e.slow
	case Server:
		return e.Status == 500 || e.Status >= 502 && e.Status <= 504
	}
	return false
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Error says what was attempted, what came back and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "reading feed %s: %s", e.Feed, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if e.Code != "" && e.Code != e.Message {
		fmt.Fprintf(&b, ": %s", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; again in %s", e.RetryAfter)
	}
	if e.Action != "" {
		fmt.Fprintf(&b, "; %s", e.Action)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " [request-id %s]", e.RequestID)
	}
	return b.String()
}
