package fetch

import (
	"context"
	"net/http"
	"time"
)

// Options tune a Client. The zero value is what production uses, but for the
// version.
type Options struct {
	// PageLimit bounds one page, decompressed, in bytes. Default 64 MiB.
	PageLimit int64
	// Timeout bounds one request including its body. Default 60 s.
	Timeout time.Duration
	// Version goes into the User-Agent header. Default "dev".
	Version string
	// Now is the host's clock, used only where an answer has no Date header.
	// Default time.Now.
	Now func() time.Time
}

// Client reads feeds over one HTTP client. It is safe for concurrent use and
// holds no state between readings.
type Client struct {
	http    *http.Client
	options Options
}

// NewClient returns a Client that sends through h's transport (nil: one of
// Transport's, for the zero Wire). Redirects are
// never followed, whatever h says: a token must not travel.
func NewClient(h *http.Client, o Options) *Client {
	if o.PageLimit <= 0 {
		o.PageLimit = 64 << 20
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	own := http.Client{}
	if h != nil {
		own = *h
	}
	if own.Transport == nil {
		own.Transport, _ = Transport(Wire{}, 16) // nothing of it can be wrong
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{http: &own, options: o}
}

// Tokens yields access tokens for the one tenant and API that is being read.
type Tokens interface {
	// Token returns a valid access token; its error ends the reading and can
	// be unwrapped from the Error of kind Token.
	Token(ctx context.Context) (string, error)
	// Reject says that the service answered 401 to this token.
	Reject(access string)
}

// Window is what one reading asks for. It is open above: everything up to
// now, and also alerts stamped in the future.
type Window struct {
	Feed *Feed
	// BaseURL is the service root without trailing slash.
	BaseURL string
	// MinSeverity is "", informational, low, medium or high. Alerts of
	// unknown severity pass at every level.
	MinSeverity string
	// ServiceSources keeps only these products; nil keeps all.
	ServiceSources []string
	// From is inclusive, in the feed's time field.
	From time.Time
}

// Alert is one row. Raw aliases the page and is valid only during emit; ID
// may be kept.
type Alert struct {
	ID      string    // "": the row has no readable id
	Version time.Time // UTC; zero: the row has no readable time
	Raw     []byte    // the row's JSON as it came, valid JSON of any type
}

// Page is what emit receives: rows, and how far the reading has come.
type Page struct {
	Alerts []Alert
	// Date is Microsoft's clock at this answer (Date header); the host's
	// when DateKnown is false.
	Date      time.Time
	DateKnown bool
	// Through, when not zero: every change before it has now been emitted.
	// It rises within one reading, but may lie before where an earlier
	// reading came to.
	Through time.Time
	// Partial: the service said that some of its sources did not answer
	// (status 206 or Warning: 199). Rows count, Through stays zero for the
	// rest of the reading.
	Partial bool
	// Backfill: more slices follow, the window did not fit one page.
	Backfill bool
}

// Result sums up one reading, also one that ended in an error.
type Result struct {
	Requests  int   // sent, including those answered with an error
	Bytes     int64 // of bodies, decompressed
	Rows      int   // emitted, repetitions included
	Date      time.Time
	DateKnown bool
	// Partial: at least one answer was partial.
	Partial bool
	// Complete: the whole window was read and no answer was partial.
	Complete bool
}
