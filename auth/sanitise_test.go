package auth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"fluent-bit-defender/internal/secret"
)

func TestClean(t *testing.T) {
	used := secrets{"0.AXcA-refresh", "pass word/+%", "abc", "", "odd\u200bsecret"}
	for _, test := range []struct{ text, want string }{
		{"plain", "plain"},
		{"two\r\nlines\tand  spaces\u2028more", "two lines and spaces more"},
		{"bidi \u202egnp\u202c \u2066x\u2069, zero\u200bwidth, \ufeffbom", "bidi gnp x, zerowidth, bom"},
		{"bell\a nul\x00 esc\x1b[31m", "bell nul esc[31m"},
		{"broken \xff\xfe UTF-8", "broken \uFFFD UTF-8"},
		{"token 0.AXcA-refresh!", "token [secret]!"},
		{"hidden 0.AXcA\u200b-refresh", "hidden [secret]"},
		{"raw pass word/+%, form pass+word%2F%2B%25, path pass%20word%2F+%25, split pass\nword/+%", "raw [secret], form [secret], path [secret], split [secret]"},
		{"an odd\u200bsecret", "an [secret]"},
		{"abc is no secret", "abc is no secret"},
		{"JWT eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsIng1dCI6Ik5HVEZ2ZEstZnl0aEV1THdqcHdBSk9NOW4tQSJ9", "JWT [secret]"},
		{"https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/oauth2/v2.0/token", "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/oauth2/v2.0/token"},
		{strings.Repeat("é ", 400), strings.Repeat("é ", 149) + "é…"},
	} {
		if got := used.clean(test.text, longestDetail); got != test.want {
			t.Errorf("clean(%q) = %q, want %q", test.text, got, test.want)
		}
	}
	if got := used.clean(strings.Repeat("x ", 500), 10); utf8.RuneCountInString(got) != 10 {
		t.Errorf("cut to %q", got)
	}
}

func TestSplitDescription(t *testing.T) {
	const ids = "Trace ID: 3939d04c-d7ba-42bf-9cb7-1e5854cdce9e%sCorrelation ID: a8125194-2dc8-4078-90ba-7b6592a7f231%sTimestamp: 2016-04-11 18:00:12Z"
	for _, gap := range []string{"\r\n", "\n", " "} {
		sentence, trace, correlation := splitDescription("AADSTS70008: Expired." + gap + fmt.Sprintf(ids, gap, gap) + gap + "More.")
		if strings.Join(strings.Fields(sentence), " ") != "AADSTS70008: Expired. More." || trace != "3939d04c-d7ba-42bf-9cb7-1e5854cdce9e" || correlation != "a8125194-2dc8-4078-90ba-7b6592a7f231" {
			t.Errorf("gap %q: %q, %q, %q", gap, sentence, trace, correlation)
		}
	}
}

// echoes are the ways in which a server may throw back what it was sent.
var echoes = map[string]func(form url.Values) (status int, body string){
	"in the description": func(form url.Values) (int, string) {
		return 400, asJSON(map[string]any{"error": "invalid_grant", "error_description": "AADSTS70000: " + form.Encode() + " " + every(form)})
	},
	"in every field": func(form url.Values) (int, string) {
		e := every(form)
		return 400, asJSON(map[string]any{"error": e, "error_description": e, "trace_id": e, "correlation_id": e})
	},
	"as ids in the description": func(form url.Values) (int, string) {
		return 400, asJSON(map[string]any{"error": "x", "error_description": "Trace ID: " + form.Get("refresh_token") + "\r\nCorrelation ID: " + form.Get("client_secret")})
	},
	"in a page": func(form url.Values) (int, string) { return 200, "<html>" + every(form) },
	"in text":   func(form url.Values) (int, string) { return 502, every(form) },
	"in cut JSON": func(form url.Values) (int, string) {
		return 200, `{"access_token":"` + form.Get("refresh_token")
	},
	"as a token that cannot be": func(form url.Values) (int, string) {
		return 200, asJSON(map[string]any{"access_token": every(form) + "\n"})
	},
}

func every(form url.Values) string {
	var all []string
	for _, values := range form {
		all = append(all, values...)
	}
	return strings.Join(all, " ")
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestEchoedSecretsDoNotShow(t *testing.T) {
	const seed, password = "0.AXcA-refresh-of-contoso", "Qx~client/secret+1"
	a := contoso()
	a.RefreshToken, a.ClientSecret = secret.New(seed), secret.New(password)
	for name, echo := range echoes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEntra()
				e.answer = func(w http.ResponseWriter, r *http.Request) bool {
					status, body := echo(r.PostForm)
					w.Header().Set("Content-Type", "text/plain; "+every(r.PostForm))
					w.WriteHeader(status)
					fmt.Fprint(w, body)
					return true
				}
				s := NewSource(a, Options{HTTP: e.client()})
				defer s.Close()
				d := mustFail(t, s, graph)
				for _, shown := range []string{d.Error(), fmt.Sprintf("%+v", d), fmt.Sprintf("%#v", d), asJSON(d)} {
					for _, value := range []string{seed, password, url.QueryEscape(password), "refresh-of-contoso", "client/secret"} {
						if strings.Contains(shown, value) {
							t.Errorf("%q shows in %s", value, shown)
						}
					}
				}
			})
		})
	}
}
