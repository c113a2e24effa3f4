package auth

import (
	"fmt"
	"strings"
	"time"
)

// Actor is who must act on a Diagnosis.
type Actor string

// The people that a Diagnosis turns to.
const (
	MSSP     Actor = "you (the MSSP)"           // whoever owns this configuration and the app registration
	Admin    Actor = "the customer's admin"     // an administrator of the customer's directory
	SignedIn Actor = "the person who signed in" // whose consent the refresh token carries
	Nobody   Actor = "nobody"                   // it passes by itself
)

// Retry says whether asking again can help. The zero value is Soon.
type Retry int

// The classes of failures.
const (
	Soon  Retry = iota // transient: ask again with back-off
	Slow               // someone may lift it in a portal, without touching this configuration: ask again now and then
	Never              // only a new token, secret or id in the configuration can help
)

// String returns "soon", "slow" or "never".
func (r Retry) String() string {
	switch r {
	case Soon:
		return "soon"
	case Slow:
		return "slow"
	case Never:
		return "never"
	}
	return fmt.Sprintf("Retry(%d)", int(r))
}

// Diagnosis is the error of every failed sign-in. All its texts are one line,
// bounded, free of control characters and of secrets. It is shared between
// callers: do not change it.
type Diagnosis struct {
	Tenant  string // display name, or the tenant's id
	Attempt string // what was attempted, such as "refreshing the token for https://graph.microsoft.com/.default"

	Status     int    // HTTP status of the answer; 0 when there was none
	Code       int    // the decisive AADSTS code; 0 when there was none
	OAuthError string // the answer's "error", such as "invalid_grant" (RFC 6749, section 5.2)

	Summary string // what happened, one sentence without its full stop
	Action  string // what to click or change, one sentence without its full stop
	Who     Actor
	Retry   Retry

	Detail        string        // Microsoft's own text, or the network's
	TraceID       string        // Microsoft support asks for these two
	CorrelationID string        //
	RetryAfter    time.Duration // do not ask again before; 0 when nobody said
	Date          time.Time     // the server's clock when it answered; zero when it did not say

	Err error // the cause where Entra gave none: network, context, Store; else nil
}

// Error is the whole diagnosis in one line: tenant, attempt, code, what
// happened, what to do and who does it.
func (d *Diagnosis) Error() string {
	return fmt.Sprintf("tenant %s: %s", d.Tenant, d.Text())
}

// Text is Error without the tenant, for lines that name it already.
func (d *Diagnosis) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s failed: %s", d.Attempt, d.Summary)
	if code := d.code(); code != "" {
		fmt.Fprintf(&b, " (%s)", code)
	}
	if d.Who == Nobody {
		fmt.Fprintf(&b, "; %s", d.Action)
	} else {
		fmt.Fprintf(&b, "; to be done by %s: %s", d.Who, d.Action)
	}
	if d.Detail != "" {
		fmt.Fprintf(&b, "; answer: %q", d.Detail)
	}
	if d.TraceID != "" {
		fmt.Fprintf(&b, "; trace id %s", d.TraceID)
	}
	if d.CorrelationID != "" {
		fmt.Fprintf(&b, "; correlation id %s", d.CorrelationID)
	}
	return b.String()
}

// code is how the answer names the failure: "AADSTS50173, invalid_grant", "HTTP 503", or nothing.
func (d *Diagnosis) code() string {
	var parts []string
	if d.Code != 0 {
		parts = append(parts, fmt.Sprintf("AADSTS%d", d.Code))
	}
	if d.OAuthError != "" {
		parts = append(parts, d.OAuthError)
	}
	if len(parts) == 0 && d.Status != 0 {
		parts = append(parts, fmt.Sprintf("HTTP %d", d.Status))
	}
	return strings.Join(parts, ", ")
}

// Unwrap returns Err, so that errors.Is finds context.Canceled and the Store's own errors.
func (d *Diagnosis) Unwrap() error { return d.Err }
