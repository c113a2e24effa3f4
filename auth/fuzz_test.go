package auth

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"fluent-bit-defender/internal/secret"
)

// FuzzTokenAnswerIsOneThing: any body is a token, or a refusal, or an error.
// A token can stand in a header; a failure's text is one bounded line without
// the secrets that were sent.
func FuzzTokenAnswerIsOneThing(f *testing.F) {
	files, _ := filepath.Glob("testdata/token-*.json")
	if len(files) == 0 {
		f.Fatal("no samples")
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, 200)
		f.Add(body, 400)
	}
	for _, body := range []string{
		"", "<html>", "Too Many Requests", `{"error":"invalid_grant","error_codes":[70002,"70008",{}]}`,
		`{"access_token":"a","expires_in":1e999}`, `{"error":"x","error_description":"seed-of-contoso Qx~client/secret+1"}`,
	} {
		f.Add([]byte(body), 429)
	}
	a := contoso()
	a.RefreshToken, a.ClientSecret = secret.New("seed-of-contoso"), secret.New("Qx~client/secret+1")
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		attempt := newAttempt(nil, time.Now, a, graph)
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {string(body)}, "Retry-After": {string(body)}}}
		answer, d := attempt.read(resp, body)
		if (answer == nil) == (d == nil) {
			t.Fatalf("token %v, diagnosis %v", answer != nil, d)
		}
		if answer != nil {
			if answer.access == "" || !printable(answer.access) || !printable(answer.refresh) || answer.lifetime < 0 || answer.lifetime > longestLifetime || status != 200 {
				t.Fatalf("status %d, lifetime %v, access %q", status, answer.lifetime, answer.access)
			}
			return
		}
		text := d.Error()
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 3000 || strings.ContainsFunc(text, hidden) {
			t.Fatalf("%q", text)
		}
		if strings.Contains(text, "seed-of-contoso") || strings.Contains(text, "Qx~client/secret+1") {
			t.Fatalf("a secret shows: %q", text)
		}
		if d.RetryAfter < 0 || d.RetryAfter > longestWait || d.Summary == "" || d.Action == "" || d.Who == "" {
			t.Fatalf("%+v", d)
		}
	})
}

func hidden(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// FuzzStoredIsReadOrLeft: a stored value is read whole, or is an error; what
// was read is saved so that it reads the same.
func FuzzStoredIsReadOrLeft(f *testing.F) {
	f.Add([]byte(`{"version":1,"tokens":["a","b"],"seeds":["00"]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"tokens":null,"seeds":null,"later":1}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, value []byte) {
		d := newDisk()
		d.values["k"] = string(value)
		line, lost, err := loadLineage(d, "k")
		if err != nil || line == nil {
			t.Fatalf("%v", err)
		}
		if (lost != nil) != (line.slot == "k|2") {
			t.Fatalf("lost %v, slot %s", lost, line.slot)
		}
		if lost != nil {
			return
		}
		next, _ := line.succeed("x", "y")
		next.remember("seed")
		if err := next.save(d); err != nil {
			t.Fatal(err)
		}
		again, lost, err := loadLineage(d, "k")
		if err != nil || lost != nil || !again.seen("seed") || len(again.stored.Tokens) != 2 {
			t.Fatalf("saved and not read: %v, %v", lost, err)
		}
	})
}
