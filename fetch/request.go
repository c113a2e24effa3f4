package fetch

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
)

// get asks for one page. A 401 costs the token once; a second one is final.
func (r *reading) get(ctx context.Context, link string) (*page, error) {
	for again := true; ; again = false {
		token, err := r.tokens.Token(ctx)
		if err != nil {
			return nil, &Error{Feed: r.window.Feed.Name, Kind: Token, Message: oneLine(err.Error(), textLimit), Err: err}
		}
		p, e := r.send(ctx, link, token)
		if e == nil {
			return p, nil
		}
		if e.Kind != Unauthorized || !again {
			return nil, e
		}
		r.tokens.Reject(token)
	}
}

// send makes one request and reads its answer.
func (r *reading) send(ctx context.Context, link, token string) (*page, *Error) {
	feed, options := r.window.Feed, &r.client.options
	limited, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodGet, link, nil)
	if err != nil {
		return nil, (&Error{Feed: feed.Name, Kind: BadRequest, Message: "cannot ask " + link, Action: "check Graph_Url"}).clean(token)
	}
	request.Header = http.Header{
		"Accept":            {"application/json"},
		"Authorization":     {"Bearer " + token},
		"Client-Request-Id": {newGUID()},
		"Prefer":            {"include-unknown-enum-members"},
		"User-Agent":        {"fluent-bit-defender/" + options.Version},
	}
	r.result.Requests++
	answer, err := r.client.http.Do(request)
	if err != nil {
		return nil, r.broke(ctx, err, nil, token)
	}
	defer answer.Body.Close()
	date, known := clock(answer.Header, options.Now())
	r.noteDate(date, known)
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusPartialContent {
		return nil, refusal(feed, answer, token, options.Now())
	}
	p := newPage()
	p.date, p.known, p.partial = date, known, isPartial(answer.StatusCode, answer.Header)
	if p.body, err = readBody(p.body, answer, options.PageLimit); err != nil {
		p.release()
		return nil, r.broke(ctx, err, answer, token)
	}
	r.result.Bytes += int64(len(p.body))
	if err := p.parse(feed); err != nil {
		e := badAnswer(feed, answer, token, err)
		p.release()
		return nil, e
	}
	return p, nil
}

// newGUID returns a random GUID (RFC 9562, version 4).
func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// errTooLarge is a body over the page limit.
var errTooLarge = errors.New("the page is larger than the limit")

// readBody appends the body, decompressed, to buf. A length the service
// announces is believed only for the first allocation, up to 1 MiB.
func readBody(buf []byte, answer *http.Response, limit int64) ([]byte, error) {
	if answer.ContentLength > limit {
		return buf, errTooLarge
	}
	buf = slices.Grow(buf, int(max(4096, min(answer.ContentLength+1, 1<<20))))
	for {
		n, err := answer.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return buf, errTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		case len(buf) == cap(buf):
			buf = slices.Grow(buf, len(buf))
		}
	}
}

// broke turns a failed exchange into an Error; answer is nil when there was none.
func (r *reading) broke(ctx context.Context, err error, answer *http.Response, token string) *Error {
	e := &Error{Feed: r.window.Feed.Name, Kind: Network, Err: err}
	if answer != nil {
		e.Status, e.RequestID = answer.StatusCode, answer.Header.Get("request-id")
	}
	var outer *url.Error
	if errors.As(err, &outer) { // it repeats the whole URL
		err = outer.Err
	}
	e.Message = err.Error()
	switch {
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
		e.Message = e.Err.Error()
	case errors.Is(err, errTooLarge):
		e.Kind = TooLarge
		e.Message = fmt.Sprintf("the page is larger than %d bytes", r.client.options.PageLimit)
	case errors.Is(err, io.ErrUnexpectedEOF) && answer != nil:
		e.Kind = BadAnswer
		e.Message = "the body is cut off"
	case badCompression(err):
		e.Kind = BadAnswer
	case timedOut(err):
		e.slow = true
		e.Message = "no complete answer in time: " + err.Error()
	}
	return e.clean(token)
}

func badCompression(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}

// timedOut reports whether the service was reached and then took too long, so
// that a smaller page may help.
func timedOut(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
