package simulator

import (
	"slices"
	"sync"
	"time"
)

// Endpoint names one of the imitated services.
type Endpoint string

// The endpoints.
const (
	Token  Endpoint = "token"  // Entra's /{tenant}/oauth2/v2.0/token
	Alerts Endpoint = "alerts" // Graph's /v1.0/security/alerts_v2
)

// Request is one request as it was answered. It holds no secret: token
// requests carry theirs in the body, which is not kept.
type Request struct {
	Time            time.Time `json:"time"` // the host's clock
	Endpoint        Endpoint  `json:"endpoint"`
	Tenant          string    `json:"tenant,omitempty"` // name; "" when unknown
	App             string    `json:"app,omitempty"`    // client id
	Method          string    `json:"method"`
	Path            string    `json:"path"`
	Query           string    `json:"query,omitempty"` // decoded
	Status          int       `json:"status"`          // 0: no answer was given
	Bytes           int       `json:"bytes"`           // body before compression
	Fault           Kind      `json:"fault,omitempty"`
	ClientRequestID string    `json:"client_request_id,omitempty"`
}

// Counts are sums since the start, per tenant and endpoint.
type Counts struct {
	Requests map[Endpoint]int `json:"requests"`
	Statuses map[int]int      `json:"statuses"`
	Tokens   int              `json:"tokens_issued"`
}

// requestLog remembers the last requests and counts them all.
type requestLog struct {
	keep   int
	mu     sync.Mutex
	ring   []Request
	next   int // where the next one goes once the ring is full
	counts map[string]*Counts
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.countLocked(r.Tenant)
	c.Requests[r.Endpoint]++
	c.Statuses[r.Status]++
	if len(l.ring) < l.keep {
		l.ring = append(l.ring, r)
		return
	}
	if l.keep > 0 {
		l.ring[l.next] = r
		l.next = (l.next + 1) % l.keep
	}
}

func (l *requestLog) issued(t *Tenant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countLocked(t.Name).Tokens++
}

func (l *requestLog) countLocked(tenant string) *Counts {
	c := l.counts[tenant]
	if c == nil {
		if l.counts == nil {
			l.counts = map[string]*Counts{}
		}
		c = &Counts{Requests: map[Endpoint]int{}, Statuses: map[int]int{}}
		l.counts[tenant] = c
	}
	return c
}

// Requests returns the last requests (Options.RequestLog of them), oldest
// first, in the order they were answered.
func (s *Simulator) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Concat(s.log.ring[s.log.next:], s.log.ring[:s.log.next])
}

// Counts returns a tenant's sums; "" is for requests of no known tenant.
func (s *Simulator) Counts(tenant string) Counts {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	var out Counts
	if c := s.log.counts[tenant]; c != nil {
		out = Counts{Requests: map[Endpoint]int{}, Statuses: map[int]int{}, Tokens: c.Tokens}
		for k, v := range c.Requests {
			out.Requests[k] = v
		}
		for k, v := range c.Statuses {
			out.Statuses[k] = v
		}
	}
	return out
}
