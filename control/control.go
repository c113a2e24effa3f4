// Package control is how defenderctl talks to the plugin that runs: HTTP with
// JSON over a unix socket in the state folder, which only the folder's owner can
// reach. It carries questions and answers and holds no logic of either side.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// socketName is the socket's name in the state folder.
const socketName = "control.sock"

// longestPath is what a unix socket's path may have (sun_path in unix(7), with
// its final zero byte).
const longestPath = 107

// requestLimit bounds a request's body in bytes.
const requestLimit = 64 << 20

// Stream names one feed of one tenant.
type Stream struct {
	Instance string `json:"instance,omitempty"` // "" where only one reads the tenant
	Tenant   string `json:"tenant"`             // its name or id
	Feed     string `json:"feed"`
}

// Alert is one version of an alert.
type Alert struct {
	ID        string    `json:"id"`
	Version   time.Time `json:"version"`
	RecordID  string    `json:"record_id"` // 32 hex digits
	Delivered bool      `json:"delivered"`
}

// AuditRequest asks what Microsoft shows of a stream and what of it was delivered.
type AuditRequest struct {
	Stream
	Since time.Duration `json:"since"` // back from now, in nanoseconds
}

// Audit is the answer.
type Audit struct {
	Stream
	From      time.Time `json:"from"`             // of the window, in the feed's time field; not before Known
	Through   time.Time `json:"through"`          // the watermark: what is newer is still to come
	Known     time.Time `json:"known"`            // since when the ids of what was delivered are kept
	Shown     int       `json:"shown"`            // what Microsoft shows in the window, before Through
	Delivered int       `json:"delivered"`        // of these
	Pending   int       `json:"pending"`          // newer ones, or on their way to Fluent Bit
	Alerts    []Alert   `json:"alerts,omitempty"` // those that Shown counts
}

// RedeliverRequest asks for alerts once more.
type RedeliverRequest struct {
	Stream
	Alerts []Alert `json:"alerts"`
}

// Engine answers.
type Engine interface {
	Audit(context.Context, AuditRequest) (*Audit, error)
	Redeliver(context.Context, RedeliverRequest) error
}

// Server listens on the socket of one state folder.
type Server struct{ http *http.Server }

// Listen makes the socket in folder, for its owner alone, and answers with e. The
// caller holds the folder's lock: what stands there of an earlier process is removed.
func Listen(folder string, e Engine) (*Server, error) {
	path := filepath.Join(folder, socketName)
	if len(path) > longestPath {
		return nil, fmt.Errorf("the path %s is too long for a unix socket (%d characters)", path, longestPath)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	handle(mux, "/v1/audit", e.Audit)
	handle(mux, "/v1/redeliver", func(ctx context.Context, r RedeliverRequest) (*struct{}, error) {
		return &struct{}{}, e.Redeliver(ctx, r)
	})
	s := &Server{&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = s.http.Serve(listener) }()
	return s, nil
}

// Close ends the server and what it is about to answer.
func (s *Server) Close() error { return s.http.Close() }

func handle[Q, A any](mux *http.ServeMux, path string, answer func(context.Context, Q) (*A, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var question Q
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, requestLimit)).Decode(&question); err != nil {
			http.Error(w, "the request cannot be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		result, err := answer(r.Context(), question)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(result)
	})
}

// ErrNobody says that no plugin runs on the state folder, or not for this user.
var ErrNobody = errors.New("no running plugin answers")

// Client asks the plugin that runs on one state folder. It is an Engine.
type Client struct{ http *http.Client }

// Dial returns a client of the plugin that runs on folder, or ErrNobody.
func Dial(ctx context.Context, folder string) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(folder, socketName))
	}
	probe, err := dial(ctx, "", "")
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNobody, err)
	}
	_ = probe.Close()
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// Audit asks what Microsoft shows and what was delivered.
func (c *Client) Audit(ctx context.Context, r AuditRequest) (*Audit, error) {
	answer := new(Audit)
	return answer, c.ask(ctx, "/v1/audit", r, answer)
}

// Redeliver asks for alerts once more.
func (c *Client) Redeliver(ctx context.Context, r RedeliverRequest) error {
	return c.ask(ctx, "/v1/redeliver", r, new(struct{}))
}

func (c *Client) ask(ctx context.Context, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://plugin"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("asking the running plugin: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 8<<10))
		return errors.New("the running plugin says: " + strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
