package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Rotation says what becomes of a refresh token when it is used.
type Rotation string

// The ways of rotating.
const (
	// RotateKeep is what Microsoft documents: a new token with every answer,
	// and the old one keeps working.
	RotateKeep Rotation = ""
	// RotateRevoke gives a new token and refuses the old one from then on.
	RotateRevoke Rotation = "revoke"
	// RotateOmit leaves refresh_token out of the answer; the old one goes on.
	RotateOmit Rotation = "omit"
)

// RetryAfter says what the throttling answer's Retry-After header looks like.
type RetryAfter string

// The forms of Retry-After.
const (
	RetrySeconds RetryAfter = ""       // the seconds that remain, the usual form
	RetryDate    RetryAfter = "date"   // the same as an HTTP date
	RetryAbsent  RetryAfter = "absent" // no header at all
	RetryAbsurd  RetryAfter = "absurd" // a number of seconds that nobody waits
)

// OrderBy says how the undocumented $orderby is treated.
type OrderBy string

// The treatments of $orderby.
const (
	OrderHonour OrderBy = ""       // sort by it
	OrderIgnore OrderBy = "ignore" // newest first whatever was asked
	OrderReject OrderBy = "reject" // answer 400
)

// DefaultLimit is how many Graph requests a minute one app may make in one
// tenant (Microsoft Graph service-specific throttling limits, security).
const DefaultLimit = 150

// maxTop is Graph's largest page of alerts.
const maxTop = 1000

// Behaviour is what may differ from tenant to tenant. The zero value is the
// documented service.
type Behaviour struct {
	// Limit is the requests a minute per app and tenant; 0 means DefaultLimit,
	// negative means no limit.
	Limit      int        `json:"limit,omitempty"`
	RetryAfter RetryAfter `json:"retry_after,omitempty"`
	Rotation   Rotation   `json:"rotation,omitempty"`
	// TokenLifetime is how long an access token lives; 0 means 3599 s.
	TokenLifetime Duration `json:"token_lifetime,omitempty"`
	OrderBy       OrderBy  `json:"order_by,omitempty"`
	// Keyset makes paging stable: nextLink names the last row shown, not the
	// number of rows to skip, so that nothing shifts.
	Keyset bool `json:"keyset,omitempty"`
	// PageSize is the page without $top; 0 means 1000.
	PageSize int `json:"page_size,omitempty"`
	// NoGzip sends plain bodies to everybody, for load tests.
	NoGzip bool `json:"no_gzip,omitempty"`
}

func (b Behaviour) limit() int {
	if b.Limit == 0 {
		return DefaultLimit
	}
	return b.Limit
}

func (b Behaviour) lifetime() time.Duration {
	if b.TokenLifetime == 0 {
		return 3599 * time.Second
	}
	return time.Duration(b.TokenLifetime)
}

func (b Behaviour) pageSize() int {
	if b.PageSize <= 0 || b.PageSize > maxTop {
		return maxTop
	}
	return b.PageSize
}

func (b Behaviour) check() error {
	var faults []error
	switch b.RetryAfter {
	case RetrySeconds, RetryDate, RetryAbsent, RetryAbsurd:
	default:
		faults = append(faults, fmt.Errorf("retry_after %q: want date, absent, absurd or nothing", b.RetryAfter))
	}
	switch b.Rotation {
	case RotateKeep, RotateRevoke, RotateOmit:
	default:
		faults = append(faults, fmt.Errorf("rotation %q: want revoke, omit or nothing", b.Rotation))
	}
	switch b.OrderBy {
	case OrderHonour, OrderIgnore, OrderReject:
	default:
		faults = append(faults, fmt.Errorf("order_by %q: want ignore, reject or nothing", b.OrderBy))
	}
	return errors.Join(faults...)
}

// Duration is a time.Duration that JSON carries as text ("90s") or as a
// number of seconds.
type Duration time.Duration

// MarshalJSON writes the text form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads either form.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err == nil {
		*d = Duration(seconds * float64(time.Second))
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("duration %s: want a text such as \"90s\" or a number of seconds", b)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("duration: %w", err)
	}
	*d = Duration(parsed)
	return nil
}
