package auth

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestDocumentedAnswers reads every token answer that Microsoft's pages show.
func TestDocumentedAnswers(t *testing.T) {
	hour := time.Hour
	good := map[string]struct {
		lifetime time.Duration
		refresh  bool
	}{
		"token-v1-client-credentials.json":         {hour - time.Second, false}, // numbers
		"token-v1-code-success.json":               {hour, true},                // numbers in strings
		"token-v1-refresh-success.json":            {hour, true},
		"token-v2-auth-code-success.json":          {hour - time.Second, true},
		"token-v2-client-credentials-success.json": {hour - time.Second, false},
		"token-v2-device-code-success.json":        {hour - time.Second, true},
		"token-v2-refresh-success.json":            {hour - time.Second, true},
	}
	bad := map[string]struct {
		oauthError string
		codes      []int
		decisive   int
	}{
		"token-v1-error-invalid_grant.json":    {"invalid_grant", []int{70002, 70008}, 70008},
		"token-v1-error-invalid_resource.json": {"invalid_resource", []int{50001}, 50001},
		"token-v2-error.json":                  {"invalid_scope", []int{70011}, 70011},
	}
	files, err := filepath.Glob("testdata/token-*.json")
	if err != nil || len(files) != len(good)+len(bad) {
		t.Fatalf("%d samples, want %d (%v)", len(files), len(good)+len(bad), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		answer, refusal, err := parseAnswer(sample(t, name), time.Time{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want, ok := good[name]; ok {
			if answer == nil || !strings.HasPrefix(answer.access, "eyJ0eX") || answer.lifetime != want.lifetime || (answer.refresh != "") != want.refresh {
				t.Errorf("%s is misread", name)
			}
			continue
		}
		want := bad[name]
		if refusal == nil || refusal.oauthError != want.oauthError || !slices.Equal(refusal.codes, want.codes) || refusal.trace == "" || refusal.correlation == "" {
			t.Errorf("%s is misread: %+v", name, refusal)
			continue
		}
		if code, _ := decide(refusal, 400); code != want.decisive {
			t.Errorf("%s: decisive code %d, want %d", name, code, want.decisive)
		}
	}
}

func TestLifetime(t *testing.T) {
	date := time.Date(2013, 12, 30, 22, 6, 3, 0, time.UTC) // an hour before 1388444763
	for body, want := range map[string]time.Duration{
		`"expires_in":3599`:                             3599 * time.Second,
		`"expires_in":"3599"`:                           3599 * time.Second,
		`"expires_in":3599.9`:                           3599 * time.Second,
		`"expires_in":" 60 "`:                           time.Minute,
		`"expires_in":0`:                                0,
		`"expires_in":-5`:                               0,
		`"expires_in":1e300`:                            longestLifetime,
		`"expires_in":"NaN"`:                            unknownLifetime,
		`"expires_in":null`:                             unknownLifetime,
		`"expires_in":"soon"`:                           unknownLifetime,
		`"expires_in":{"a":[1]}`:                        unknownLifetime,
		`"scope":"x"`:                                   unknownLifetime,
		`"expires_on":"1388444763"`:                     time.Hour,
		`"expires_on":1388444763`:                       time.Hour,
		`"expires_on":1`:                                0,
		`"expires_in":60,"expires_on":1388444763`:       time.Minute,
		`"ext_expires_in":"7200","not_before":[],"x":1`: unknownLifetime,
	} {
		answer, _, err := parseAnswer([]byte(`{"access_token":"a",`+body+`}`), date)
		if err != nil || answer.lifetime != want {
			t.Errorf("%s: %v, %v; want %v", body, answer, err, want)
		}
	}
	answer, _, _ := parseAnswer([]byte(`{"access_token":"a","expires_on":1388444763}`), time.Time{})
	if answer.lifetime != unknownLifetime {
		t.Errorf("expires_on without a server's clock: %v", answer.lifetime)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for body, want := range map[string]string{
		"":                             "empty",
		" \r\n":                        "empty",
		"<!DOCTYPE html><html>":        "web page",
		"Too Many Requests":            "not a JSON object",
		`["access_token"]`:             "not a JSON object",
		`{"access_token":"a`:           "broken or cut JSON",
		`{"access_token":"a"} {}`:      "broken or cut JSON",
		`{}`:                           "neither a token nor an error",
		`{"access_token":""}`:          "neither a token nor an error",
		`{"access_token":7}`:           "neither a token nor an error",
		`{"error":{"code":"x"}}`:       "neither a token nor an error",
		`{"access_token":"a\r\nX: y"}`: "no token may hold",
		`{"access_token":"é"}`:         "no token may hold",
		`{"access_token":"a","refresh_token":"\u0000"}`: "no token may hold",
		`{"access_token":"a","token_type":"pop"}`:       "not a bearer token",
	} {
		answer, refusal, err := parseAnswer([]byte(body), time.Time{})
		if err == nil || answer != nil || refusal != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
}

func TestRefusalsOutOfTheOrdinary(t *testing.T) {
	for body, want := range map[string][]int{
		`{"error":"invalid_grant","error_description":"AADSTS70002: x. AADSTS70008: y"}`:                {70002, 70008},
		`{"error":"invalid_grant","error_codes":[],"error_description":"AADSTS50173: x"}`:               {50173},
		`{"error":"invalid_grant","error_codes":"no list","error_description":"AADSTS50173: x"}`:        {50173},
		`{"error":"invalid_grant","error_codes":["50173", null, {}, -1, 2.5e99],"trace_id":7}`:          {50173},
		`{"error":"e","error_description":"AADSTS1 AADSTS1234567890 XAADSTS53003."}`:                    {53003},
		"\xef\xbb\xbf" + `{"error":"interaction_required","error_codes":[50076],"access_token":"both"}`: {50076},
		`{"error":"e"}`: nil,
	} {
		_, refusal, err := parseAnswer([]byte(body), time.Time{})
		if err != nil || refusal == nil || !slices.Equal(refusal.codes, want) {
			t.Errorf("%s: %+v, %v; want %v", body, refusal, err, want)
		}
	}
}

func TestCodesAreBounded(t *testing.T) {
	many := strings.Repeat("70008,", 100)
	for _, body := range []string{
		`{"error":"e","error_codes":[` + many + `1]}`,
		`{"error":"e","error_description":"` + strings.ReplaceAll(many, "7", "AADSTS7") + `"}`,
	} {
		if _, refusal, err := parseAnswer([]byte(body), time.Time{}); err != nil || len(refusal.codes) != maxCodes {
			t.Errorf("%d codes, %v", len(refusal.codes), err)
		}
	}
}
