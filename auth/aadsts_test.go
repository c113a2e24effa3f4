package auth

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// The codes that a client without a person in front can meet, by who must act:
// R: it passes, U: the person who signed in, A: the customer's admin, M: the MSSP.
// From learn.microsoft.com/entra/identity-platform/reference-error-codes.
var classes = map[string][]int{
	"R":  {50033, 50087, 50088, 90006, 90012, 90024, 90033, 90055, 90090},
	"RM": {50196},
	"RU": {70016},
	"U": {50055, 50058, 50076, 50078, 50079, 50089, 50126, 50132, 50133, 50158, 50173, 54005,
		70000, 70008, 70018, 70019, 70043, 700020, 700082},
	"A": {50020, 50053, 50057, 50105, 50131, 53002, 53003, 53005, 53011, 530003, 530032, 530034, 500212, 500213,
		65001, 650052, 700003, 700016, 90072, 90093, 90094, 90095},
	"AU": {50034, 53000, 53001, 65004},
	"AM": {50001, 500011, 65005, 650056, 70001, 7000112, 90002, 90099},
	"M": {50011, 50012, 50013, 50059, 50194, 500113, 501481, 650057, 70002, 70011, 700005, 700007, 700022, 700025,
		700027, 700084, 700229, 7000215, 7000218, 7000222, 90013, 90014, 900144, 90036, 90038, 901002, 9001023, 9002313},
}

func TestCodesAreComplete(t *testing.T) {
	actors := map[rune]Actor{'R': Nobody, 'U': SignedIn, 'A': Admin, 'M': MSSP}
	listed := map[int]bool{}
	for class, list := range classes {
		for _, code := range list {
			listed[code] = true
			r, ok := codes[code]
			if !ok {
				t.Errorf("AADSTS%d has no row", code)
				continue
			}
			if passes := strings.Contains(class, "R"); passes != (r.Retry == Soon) {
				t.Errorf("AADSTS%d (class %s) is asked again %v", code, class, r.Retry)
			}
			if !slices.ContainsFunc([]rune(class), func(c rune) bool { return actors[c] == r.Who }) {
				t.Errorf("AADSTS%d (class %s) turns to %s", code, class, r.Who)
			}
		}
	}
	for code := range codes {
		if !listed[code] {
			t.Errorf("AADSTS%d has a row and no class", code)
		}
	}
}

// TestDeadTokenIsNever holds the line between what only this configuration
// cures and what an admin may lift in a portal.
func TestDeadTokenIsNever(t *testing.T) {
	for _, code := range []int{50173, 70008, 700082, 70043, 50132, 700084, 7000215, 7000222, 700025, 90002, 700005} {
		if r := codes[code]; r.Retry != Never {
			t.Errorf("AADSTS%d: %v, want never", code, r.Retry)
		}
	}
	for _, code := range []int{50053, 50057, 53003, 53000, 65001, 700016, 7000112, 50105, 500011, 530032, 650052, 90094} {
		if r := codes[code]; r.Retry != Slow {
			t.Errorf("AADSTS%d: %v, want slow", code, r.Retry)
		}
	}
}

// TestEveryRow serves each code and each error name, and looks at what the
// operator gets to read.
func TestEveryRow(t *testing.T) {
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		readRow(t, "invalid_grant", code, codes[code])
	}
	for _, name := range slices.Sorted(maps.Keys(oauthErrors)) {
		readRow(t, name, 999999, oauthErrors[name])
	}
	readRow(t, "something_new", 999999, unknownError)
}

func readRow(t *testing.T, name string, code int, r row) {
	t.Run(fmt.Sprintf("%s %d", name, code), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := newEntra()
			e.answer = refuseAll(name, code)
			s := NewSource(contoso(), Options{HTTP: e.client()})
			defer s.Close()
			d := mustFail(t, s, graph)
			if d.Code != code || d.OAuthError != name || d.Who != r.Who || d.Retry != r.Retry || d.Status != http.StatusUnauthorized {
				t.Errorf("got %d %s %s %v", d.Code, d.OAuthError, d.Who, d.Retry)
			}
			if d.Detail != fmt.Sprintf("AADSTS%d: As the sample says.", code) {
				t.Errorf("detail %q", d.Detail)
			}
			if d.TraceID != "0000aaaa-11bb-cccc-dd22-eeeeee333333" || d.CorrelationID != "aaaa0000-bb11-2222-33cc-444444dddddd" || d.Date.IsZero() {
				t.Errorf("trace %q, correlation %q, date %v", d.TraceID, d.CorrelationID, d.Date)
			}
			for what, text := range map[string]string{"summary": d.Summary, "action": d.Action} {
				if text == "" || strings.HasSuffix(text, ".") || strings.ContainsAny(text, "{}\n") || strings.Contains(text, redacted) {
					t.Errorf("%s: %q", what, text)
				}
			}
			text := d.Error()
			for _, part := range []string{"tenant Contoso", "refreshing the token for " + graph, fmt.Sprintf("AADSTS%d", code), d.Summary, d.Action} {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not hold %q", text, part)
				}
			}
			if d.Who != Nobody && !strings.Contains(text, string(d.Who)) {
				t.Errorf("%q does not say who", text)
			}
		})
	})
}

func TestDecisiveCode(t *testing.T) {
	for _, test := range []struct {
		name   string
		e      errorAnswer
		status int
		code   int
		retry  Retry
	}{
		{"the vague one first", errorAnswer{codes: []int{70002, 70008}}, 400, 70008, Never},
		{"the vague one last", errorAnswer{codes: []int{50053, 70002}}, 400, 50053, Slow},
		{"the vague one alone", errorAnswer{codes: []int{70002}}, 400, 70002, Never},
		{"unknown beside known", errorAnswer{codes: []int{53003, 123456}}, 400, 53003, Slow},
		{"unknown beside vague", errorAnswer{oauthError: "invalid_grant", codes: []int{70000, 123456}}, 400, 123456, Slow},
		{"two known", errorAnswer{codes: []int{65001, 50173}}, 400, 50173, Never},
		{"unknown", errorAnswer{oauthError: "temporarily_unavailable", codes: []int{123456}}, 400, 123456, Soon},
		{"unknown under 503", errorAnswer{oauthError: "invalid_grant", codes: []int{123456}}, 503, 123456, Soon},
		{"known under 500", errorAnswer{codes: []int{7000222}}, 500, 7000222, Never},
		{"none under 429", errorAnswer{oauthError: "invalid_request"}, 429, 0, Soon},
		{"none", errorAnswer{oauthError: "invalid_client"}, 401, 0, Slow},
		{"nothing known at all", errorAnswer{oauthError: "novel"}, 400, 0, Slow},
	} {
		if code, r := decide(&test.e, test.status); code != test.code || r.Retry != test.retry {
			t.Errorf("%s: %d %v, want %d %v", test.name, code, r.Retry, test.code, test.retry)
		}
	}
}
