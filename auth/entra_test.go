package auth

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fluent-bit-defender/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	graph   = "https://graph.microsoft.com/.default"
	other   = "https://api.security.microsoft.com/.default"
	loginID = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
)

func contoso() Account {
	return Account{
		Name: "Contoso", LoginURL: "https://login.example", TenantID: loginID, ClientID: "00001111-aaaa-2222-bbbb-3333cccc4444",
		Cloud: "login.example", ClientSecret: secret.New("client~secret+1"), RefreshToken: secret.New("seed-1"),
	}
}

// entra is a look-alike of the token endpoint. Every refresh gives a new token;
// old ones go on working, as Microsoft's do, unless they are refused.
type entra struct {
	mu       sync.Mutex
	forms    []url.Values
	running  int
	most     int            // most requests at one time
	given    int            // refresh tokens given so far
	refuse   map[string]int // refresh token → AADSTS code
	lifetime int
	before   func(*http.Request)                           // runs while the request is in flight
	answer   func(http.ResponseWriter, *http.Request) bool // true: it has answered
}

func newEntra() *entra { return &entra{refuse: map[string]int{}, lifetime: 3600} }

func (e *entra) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	e.mu.Lock()
	e.forms = append(e.forms, r.PostForm)
	e.running++
	e.most = max(e.most, e.running)
	before, answer := e.before, e.answer
	e.mu.Unlock()
	defer func() { e.mu.Lock(); e.running--; e.mu.Unlock() }()
	if before != nil {
		before(r)
	}
	if answer != nil && answer(w, r) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if code, ok := e.refuse[r.PostForm.Get("refresh_token")]; ok {
		refuse(w, http.StatusBadRequest, "invalid_grant", code)
		return
	}
	e.given++
	reply := map[string]any{
		"token_type": "Bearer", "expires_in": e.lifetime, "foci": "1", "scope": r.PostForm.Get("scope"),
		"access_token": fmt.Sprintf("access-%d", e.given),
	}
	if r.PostForm.Get("grant_type") == "refresh_token" {
		reply["refresh_token"] = fmt.Sprintf("given-%d", e.given)
	}
	_ = json.NewEncoder(w).Encode(reply)
}

func refuse(w http.ResponseWriter, status int, name string, code int) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": name, "error_codes": []int{code},
		"error_description": fmt.Sprintf("AADSTS%d: As the sample says.\r\nTrace ID: 0000aaaa-11bb-cccc-dd22-eeeeee333333\r\nCorrelation ID: aaaa0000-bb11-2222-33cc-444444dddddd\r\nTimestamp: 2026-01-09 02:02:12Z", code),
	})
}

// refuseWith makes refresh token get this code from now on; 0 lets it pass again.
func (e *entra) refuseWith(token string, code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if code == 0 {
		delete(e.refuse, token)
		return
	}
	e.refuse[token] = code
}

// sent is the refresh tokens of all requests so far, in order.
func (e *entra) sent() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var tokens []string
	for _, f := range e.forms {
		tokens = append(tokens, f.Get("refresh_token"))
	}
	return tokens
}

func (e *entra) count() int { return len(e.sent()) }

// client is an HTTP client whose other end is e, without a network, so that it
// runs on synctest's time.
func (e *entra) client() *http.Client { return &http.Client{Transport: inMemory{e}} }

type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	m.handler.ServeHTTP(rec, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	resp.Body = io.NopCloser(rec.Body)
	return resp, nil
}

// disk is a Store that fails on demand.
type disk struct {
	mu     sync.Mutex
	values map[string]string
	saves  int
	load   func(key string) error
	save   func(key string) error // fails before anything is written
	after  func(key string) error // fails after it was written
}

func newDisk() *disk { return &disk{values: map[string]string{}} }

func (d *disk) LoadToken(key string) ([]byte, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.values[key]
	if ok && d.load != nil {
		if err := d.load(key); err != nil {
			return nil, false, err
		}
	}
	return []byte(v), ok, nil
}

func (d *disk) SaveToken(key string, value []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.save != nil {
		if err := d.save(key); err != nil {
			return err
		}
	}
	d.saves++
	d.values[key] = string(value)
	if d.after != nil {
		return d.after(key)
	}
	return nil
}

// tokens are the refresh tokens stored for a, newest first.
func (d *disk) tokens(t *testing.T, a Account) []string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	value, ok := d.values[storeKey(a)]
	if !ok {
		return nil
	}
	s, err := decodeStored([]byte(value))
	if err != nil {
		t.Fatalf("stored value: %v", err)
	}
	return s.Tokens
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %s, want %s", what, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// accessOnly answers as when offline_access was not granted.
func accessOnly(w http.ResponseWriter, _ *http.Request) bool {
	fmt.Fprint(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"access"}`)
	return true
}

func refuseAll(name string, code int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, http.StatusUnauthorized, name, code)
		return true
	}
}
