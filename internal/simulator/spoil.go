package simulator

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// replaces says whether the real answer is not needed at all.
func (f *Fault) replaces() bool {
	switch f.Kind {
	case Status, AADSTS, HTML, Raw, Hang, Reset, Big:
		return true
	}
	return false
}

// answer stands in for the real answer.
func (f *Fault) answer(w http.ResponseWriter, c *call) {
	switch f.Kind {
	case Hang:
		c.sim.log.add(*c.entry)
		f.wait(c)
		panic(http.ErrAbortHandler)
	case Reset:
		c.sim.log.add(*c.entry)
		reset(w)
	default:
		f.instead(c).deliver(w, c)
	}
}

// instead is the answer of the kinds that answer at all.
func (f *Fault) instead(c *call) answer {
	var a answer
	switch f.Kind {
	case AADSTS:
		a = c.entraError(f.Code)
		if f.Status != 0 {
			a.status = f.Status
		}
	case HTML:
		a = answer{status: or(f.Status, http.StatusOK), body: []byte(or(f.Body, signInPage)),
			header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}}
	case Raw:
		a = answer{status: or(f.Status, http.StatusOK), body: []byte(f.Body),
			header: http.Header{"Content-Type": {"application/json"}}}
	case Big:
		a = answer{status: or(f.Status, http.StatusOK), body: bigPage(or(f.Bytes, 64<<20)),
			header: http.Header{"Content-Type": {"application/json"}}}
	default:
		a = c.failure(or(f.Status, http.StatusInternalServerError), f.Body)
	}
	if f.RetryAfter != "" {
		a.header.Set("Retry-After", f.RetryAfter)
	}
	for key, value := range f.Headers {
		if value == "" {
			a.header[http.CanonicalHeaderKey(key)] = nil
			continue
		}
		a.header.Set(key, value)
	}
	return a
}

// failure is the usual body for a status, or the given one. Entra's 429 is
// plain text.
func (c *call) failure(status int, body string) answer {
	switch {
	case body != "":
		kind := "application/json"
		if !strings.HasPrefix(strings.TrimSpace(body), "{") {
			kind = "text/plain"
		}
		return answer{status: status, body: []byte(body), header: http.Header{"Content-Type": {kind}}}
	case c.entry.Endpoint == Alerts:
		return c.graphError(status, graphCodes[status], "The simulator was told to answer "+strconv.Itoa(status)+".")
	case status == http.StatusTooManyRequests:
		return answer{status: status, body: []byte("Too Many Requests"), header: http.Header{"Content-Type": {"text/plain"}}}
	}
	a := c.entraError(90033)
	a.status = status
	return a
}

const signInPage = `<!DOCTYPE html>
<html><head><title>Network sign-in</title></head>
<body><h1>Sign in to the guest network</h1><form method="post"><input name="user"><input name="code" type="password"></form></body></html>
`

func bigPage(size int64) []byte {
	const head, tail = `{"value":[`, `]}`
	page := bytes.Repeat([]byte(" "), int(max(size, int64(len(head+tail)))))
	copy(page, head)
	copy(page[len(page)-len(tail):], tail)
	return page
}

// spoil sends the answer badly, if that is the fault's kind.
func (f *Fault) spoil(w http.ResponseWriter, c *call, a answer) bool {
	switch f.Kind {
	case NoDate:
		a.header["Date"] = nil
	case Abort:
		for key, values := range a.header {
			w.Header()[key] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case Slow:
		a.dribble(w, c, or(time.Duration(f.Delay), 5*time.Second))
		return true
	}
	return false
}

// dribble sends the body in twenty pieces over a time.
func (a answer) dribble(w http.ResponseWriter, c *call, over time.Duration) {
	for key, values := range a.header {
		w.Header()[key] = values
	}
	w.WriteHeader(a.status)
	const pieces = 20
	step := Fault{Delay: Duration(over / pieces)}
	for rest, size := a.body, len(a.body)/pieces+1; len(rest) > 0; {
		n := min(size, len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		rest = rest[n:]
		step.wait(c)
	}
}

// wait holds the request back for Delay, for ever when that is zero, but no
// longer than the client or the simulator lives.
func (f *Fault) wait(c *call) {
	var due <-chan time.Time
	if f.Delay > 0 {
		timer := time.NewTimer(time.Duration(f.Delay))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-c.r.Context().Done():
	case <-c.sim.closing.Done():
	}
}

func (f *Fault) cutAt(size int) int {
	if f.Bytes > 0 {
		return int(min(f.Bytes, int64(size)))
	}
	return size / 2
}

// reset closes the connection so that the client sees a reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 cannot
		panic(http.ErrAbortHandler)
	}
	raw := conn
	if secure, ok := conn.(*tls.Conn); ok {
		raw = secure.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close() // it may be closed already: all the same to the client
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
