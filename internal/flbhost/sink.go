package flbhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tinylib/msgp/msgp"
)

const tagHeader = "X-Tag"

// Record is one record as it left the engine.
type Record struct {
	Tag    string
	Time   time.Time
	Fields map[string]any // integers are int64 or uint64
}

// Sink is where engines deliver: an HTTP server on loopback that outlives them.
type Sink struct {
	listener net.Listener
	server   *http.Server
	records  *board[Record]
	dead     atomic.Bool
	refused  atomic.Int64
}

// NewSink starts a sink on a free port. Close it.
func NewSink() (*Sink, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{listener: listener, records: newBoard[Record]()}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go s.server.Serve(listener) // until Close
	return s, nil
}

// Port is the TCP port on 127.0.0.1.
func (s *Sink) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Close ends the sink. Records stay readable.
func (s *Sink) Close() error {
	s.records.end()
	return s.server.Close()
}

// SetDead makes the sink answer 503 to everything, or take records again.
func (s *Sink) SetDead(dead bool) { s.dead.Store(dead) }

// Refused counts the deliveries that were answered with an error.
func (s *Sink) Refused() int { return int(s.refused.Load()) }

// Records returns what has arrived, in order.
func (s *Sink) Records() []Record { return s.records.all() }

// Wait waits until enough says so of all that has arrived.
func (s *Sink) Wait(ctx context.Context, enough func([]Record) bool) error {
	found, err := s.records.until(ctx, enough)
	if err != nil {
		return fmt.Errorf("waiting for records, %d are here: %w", len(s.Records()), err)
	}
	if !found {
		return errors.New("waiting for records: the sink was closed")
	}
	return nil
}

// ServeHTTP takes one chunk: MessagePack events, their tag in a header.
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil && s.dead.Load() {
		err = errors.New("dead, as told")
	}
	var records []Record
	if err == nil {
		records, err = decode(r.Header.Get(tagHeader), body)
	}
	if err != nil {
		s.refused.Add(1)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.records.add(records...)
}

// decode reads events: [time, {…}], or [[time, {metadata}], {…}] as Fluent Bit
// writes them since 2.1.
func decode(tag string, body []byte) ([]Record, error) {
	var records []Record
	for rest := body; len(rest) > 0; {
		record := Record{Tag: tag}
		var err error
		if rest, err = record.read(rest); err != nil {
			return nil, fmt.Errorf("event %d of tag %s, at byte %d: %w", len(records), tag, len(body)-len(rest), err)
		}
		records = append(records, record)
	}
	return records, nil
}

func (r *Record) read(b []byte) (rest []byte, err error) {
	if b, err = pair(b); err != nil {
		return b, err
	}
	withMetadata := msgp.NextType(b) == msgp.ArrayType
	if withMetadata {
		if b, err = pair(b); err != nil {
			return b, err
		}
	}
	if r.Time, b, err = eventTime(b); err != nil {
		return b, err
	}
	if withMetadata {
		if b, err = msgp.Skip(b); err != nil {
			return b, err
		}
	}
	r.Fields, b, err = msgp.ReadMapStrIntfBytes(b, nil)
	return b, err
}

func pair(b []byte) ([]byte, error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(b)
	if err == nil && n != 2 {
		err = fmt.Errorf("an array of %d where a pair is due", n)
	}
	return rest, err
}

// eventTime reads ext type 0 (seconds and nanoseconds, 32 bits each) or seconds.
func eventTime(b []byte) (time.Time, []byte, error) {
	if eventTimeHead := []byte{0xd7, 0x00}; bytes.HasPrefix(b, eventTimeHead) {
		var ext msgp.RawExtension
		rest, err := msgp.ReadExtensionBytes(b, &ext)
		if err != nil {
			return time.Time{}, b, err
		}
		d := ext.Data
		sec := int64(d[0])<<24 | int64(d[1])<<16 | int64(d[2])<<8 | int64(d[3])
		nsec := int64(d[4])<<24 | int64(d[5])<<16 | int64(d[6])<<8 | int64(d[7])
		return time.Unix(sec, nsec).UTC(), rest, nil
	}
	sec, rest, err := msgp.ReadInt64Bytes(b)
	return time.Unix(sec, 0).UTC(), rest, err
}
