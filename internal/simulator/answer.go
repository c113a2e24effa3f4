package simulator

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// call is one request to Entra or Graph while it is being answered.
type call struct {
	sim    *Simulator
	r      *http.Request
	now    time.Time // the simulator's clock when the request came
	tenant *Tenant   // nil when the request names none that exists
	bearer bearer    // Graph only
	fault  *Fault    // what is to go wrong with this request, or nil

	requestID, clientRequestID string
	entry                      *Request
}

// answer is a response before it is put on the wire.
type answer struct {
	status int
	header http.Header
	body   []byte
	done   func() // gives the body's buffer back, may be nil
}

// marshal is JSON without HTML escapes and without a newline at the end.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // only this package's own structs come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (s *Simulator) envelope(r *http.Request) *call {
	c := &call{sim: s, r: r, now: s.Now(), requestID: guid("request", s.seed, s.unique())}
	c.clientRequestID = r.Header.Get("Client-Request-Id")
	if c.clientRequestID == "" {
		c.clientRequestID = c.requestID
	}
	c.entry = &Request{Time: s.base(), Method: r.Method, Path: r.URL.Path, ClientRequestID: c.clientRequestID}
	c.entry.Query, _ = url.QueryUnescape(r.URL.RawQuery)
	return c
}

// endpoint wraps a handler with what all of Microsoft's answers share, the
// faults and the log.
func (s *Simulator) endpoint(name Endpoint, handle func(*call) answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := s.envelope(r)
		c.entry.Endpoint = name
		switch name {
		case Token:
			r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
			if err := r.ParseForm(); err != nil {
				c.entraError(900144).deliver(w, c)
				return
			}
			c.tenant, _ = s.Tenant(r.PathValue("tenant"))
		case Alerts:
			c.identify()
		}
		if c.tenant != nil {
			c.entry.Tenant = c.tenant.Name
		}
		if c.fault = s.faults.take(c); c.fault != nil {
			c.entry.Fault = c.fault.Kind
			if c.fault.replaces() {
				c.fault.answer(w, c)
				return
			}
		}
		handle(c).deliver(w, c)
	})
}

// deliver logs the answer and sends it, as the call's fault wants it spoilt.
func (a answer) deliver(w http.ResponseWriter, c *call) {
	if a.done != nil {
		defer a.done()
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	if _, set := a.header["Date"]; !set {
		a.header.Set("Date", c.now.Format(http.TimeFormat))
	}
	if a.header.Get("Request-Id") == "" {
		a.header.Set("Request-Id", c.requestID)
		a.header.Set("Client-Request-Id", c.clientRequestID)
	}
	c.entry.Status, c.entry.Bytes = a.status, len(a.body)
	c.sim.log.add(*c.entry)
	if c.fault != nil && c.fault.Kind == Cut {
		a.body = a.body[:c.fault.cutAt(len(a.body))]
	}
	if acceptsGzip(c.r) && (c.tenant == nil || !c.tenant.behave().NoGzip) && a.header.Get("Content-Encoding") == "" {
		var free func()
		a, free = a.zipped()
		defer free()
	}
	if c.fault != nil && c.fault.spoil(w, c, a) {
		return
	}
	a.write(w)
}

// write sends the answer as it is.
func (a answer) write(w http.ResponseWriter) {
	for key, values := range a.header {
		w.Header()[key] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may be gone: its business
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") && strings.ReplaceAll(quality, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// squeezer is a gzip writer with the buffer it writes to.
type squeezer struct {
	out bytes.Buffer
	zip *gzip.Writer
}

var squeezers = sync.Pool{New: func() any {
	z := &squeezer{}
	z.zip, _ = gzip.NewWriterLevel(&z.out, gzip.BestSpeed) // the level is valid
	return z
}}

// zipped is the answer with its body compressed; free must be called when the
// body has been sent.
func (a answer) zipped() (answer, func()) {
	z := squeezers.Get().(*squeezer)
	z.out.Reset()
	z.zip.Reset(&z.out)
	_, _ = z.zip.Write(a.body) // a bytes.Buffer takes everything
	_ = z.zip.Close()
	a.header.Set("Content-Encoding", "gzip")
	a.header.Set("Vary", "Accept-Encoding")
	a.body = z.out.Bytes()
	return a, func() { squeezers.Put(z) }
}
