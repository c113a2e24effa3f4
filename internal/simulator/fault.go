package simulator

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is a way for an answer to go wrong.
type Kind string

// The kinds. The first group takes the place of the real answer, the second
// spoils it on its way, the third changes a page's content.
const (
	Status Kind = "status" // Status with Body, or the service's usual body for it
	AADSTS Kind = "aadsts" // Entra's error for Code (token endpoint only)
	HTML   Kind = "html"   // a proxy's sign-in page with Status, 200 by default
	Raw    Kind = "raw"    // Status, Headers and Body or File, byte for byte
	Hang   Kind = "hang"   // no answer for Delay (0: until the client gives up), then the connection is closed
	Reset  Kind = "reset"  // the connection is reset before anything was answered
	Big    Kind = "big"    // a valid empty page of Bytes bytes (64 MiB); a bomb when gzip is accepted

	Cut   Kind = "cut"   // only the first Bytes of the body (half by default), properly framed
	Abort Kind = "abort" // the connection is closed after half of the body
	Slow  Kind = "slow"  // the body dribbles over Delay (5 s by default)

	Partial206 Kind = "partial206"      // status 206: half of the rows, no nextLink
	Warning199 Kind = "warning199"      // status 200 with a Warning: 199 header: half of the rows, no nextLink
	EmptyPage  Kind = "emptypage"       // no rows and a nextLink to what should have been on the page
	LinkHost   Kind = "nextlink-host"   // nextLink to another host
	LinkLoop   Kind = "nextlink-loop"   // nextLink to the very page it is on
	LinkBad    Kind = "nextlink-broken" // nextLink that is no URL
	NoDate     Kind = "nodate"          // no Date header

	ForeignToken Kind = "foreign-token" // a good access token, for another tenant
	ForeignAlert Kind = "foreign-alert" // the tenantId of the page's alerts is another tenant's
)

var kinds = map[Endpoint][]Kind{
	Token:  {Status, AADSTS, HTML, Raw, Hang, Reset, Big, Cut, Abort, Slow, NoDate, ForeignToken},
	Alerts: {Status, HTML, Raw, Hang, Reset, Big, Cut, Abort, Slow, Partial206, Warning199, EmptyPage, LinkHost, LinkLoop, LinkBad, NoDate, ForeignAlert},
}

// Fault is something that is to go wrong. The zero value of every field but
// Kind and Endpoint is a sensible default.
type Fault struct {
	Tenant   string   `json:"tenant,omitempty"` // name, GUID or domain; "" or "*": all
	Endpoint Endpoint `json:"endpoint"`
	Kind     Kind     `json:"kind"`

	After int      `json:"after,omitempty"` // matching requests that go well before it begins
	Count int      `json:"count,omitempty"` // requests it hits; 0: no limit
	For   Duration `json:"for,omitempty"`   // how long it lasts from now on; 0: until cleared
	Match string   `json:"match,omitempty"` // only requests whose decoded path?query contains this, e.g. "$skiptoken"

	Status     int               `json:"status,omitempty"`
	Code       int               `json:"code,omitempty"`        // AADSTS code
	RetryAfter string            `json:"retry_after,omitempty"` // header as it is to be sent
	Headers    map[string]string `json:"headers,omitempty"`     // replace the usual ones; "" takes one away
	Body       string            `json:"body,omitempty"`
	File       string            `json:"file,omitempty"`  // read when the fault is set; may hold a whole "HTTP/1.1 …" answer
	Bytes      int64             `json:"bytes,omitempty"` // where Cut cuts, how big Big is
	Delay      Duration          `json:"delay,omitempty"`

	until time.Time
	hits  int // requests hit so far
	seen  int // requests that matched so far
}

// Fault makes something go wrong from now on. Faults are tried in the order
// they were set; the first that matches a request has it. The error says what
// is wrong with f itself.
func (s *Simulator) Fault(f Fault) error {
	if !slices.Contains(kinds[f.Endpoint], f.Kind) {
		return fmt.Errorf("fault %q at endpoint %q: want endpoint token with one of %v, or alerts with one of %v",
			f.Kind, f.Endpoint, kinds[Token], kinds[Alerts])
	}
	if f.Tenant == "*" {
		f.Tenant = ""
	}
	if f.Tenant != "" {
		t, ok := s.Tenant(f.Tenant)
		if !ok {
			return fmt.Errorf("fault %q: no tenant %q", f.Kind, f.Tenant)
		}
		f.Tenant = t.Name
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("fault %q: status %d is not in 200..599", f.Kind, f.Status)
	}
	if f.File != "" {
		body, err := os.ReadFile(f.File)
		if err != nil {
			return fmt.Errorf("fault %q: %w", f.Kind, err)
		}
		f.Body = string(body)
	}
	if f.Kind == Raw && strings.HasPrefix(f.Body, "HTTP/1.1 ") {
		if err := f.readHead(); err != nil {
			return err
		}
	}
	if f.For > 0 {
		f.until = s.base().Add(time.Duration(f.For))
	}
	s.faults.add(&f)
	return nil
}

// ClearFaults ends all faults.
func (s *Simulator) ClearFaults() { s.faults.clear() }

// Faults lists what is still to go wrong.
func (s *Simulator) Faults() []Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	list := []Fault{}
	for _, f := range s.faults.list {
		if !f.over(s.base()) {
			list = append(list, *f)
		}
	}
	return list
}

// over says whether the fault has had its time.
func (f *Fault) over(now time.Time) bool {
	return f.Count > 0 && f.hits >= f.Count || !f.until.IsZero() && now.After(f.until)
}

// readHead takes status and headers out of a Body that is a whole answer.
func (f *Fault) readHead() error {
	head, body, _ := strings.Cut(strings.ReplaceAll(f.Body, "\r\n", "\n"), "\n\n")
	text := strings.ReplaceAll(strings.TrimRight(head, "\n")+"\n\n", "\n", "\r\n")
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
	if err != nil {
		return fmt.Errorf("fault raw: head of the answer: %w", err)
	}
	f.Status, f.Body = response.StatusCode, body
	headers := map[string]string{}
	for key := range response.Header {
		headers[key] = response.Header.Get(key)
	}
	for key, value := range f.Headers {
		headers[key] = value
	}
	f.Headers = headers
	return nil
}

// faultList holds what is to go wrong.
type faultList struct {
	active atomic.Int32 // spares the quiet case the lock
	mu     sync.Mutex
	list   []*Fault
}

func (l *faultList) add(f *Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, f)
	l.active.Store(int32(len(l.list)))
}

func (l *faultList) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
	l.active.Store(0)
}

// take finds the fault for a call and counts it.
func (l *faultList) take(c *call) *Fault {
	if l.active.Load() == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := c.sim.base()
	l.list = slices.DeleteFunc(l.list, func(f *Fault) bool { return f.over(now) })
	l.active.Store(int32(len(l.list)))
	for _, f := range l.list {
		if f.Endpoint != c.entry.Endpoint || f.Tenant != "" && f.Tenant != c.entry.Tenant ||
			!strings.Contains(c.entry.Path+"?"+c.entry.Query, f.Match) {
			continue
		}
		if f.seen++; f.seen <= f.After {
			continue
		}
		f.hits++
		hit := *f
		return &hit
	}
	return nil
}
