package simulator

import (
	"math"
	"strings"
	"testing"
)

func at(t testing.TB, text string) ticks {
	t.Helper()
	k, err := parseTicks(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sampleFace(t testing.TB) *face {
	return &face{
		stamp: at(t, "2026-11-20T10:00:59.2Z"), created: at(t, "2026-11-20T09:00:00Z"),
		traits: traits{severity: "high", status: "new", serviceSource: "microsoftSentinel", determination: "other"},
	}
}

func TestFilter(t *testing.T) {
	for _, test := range []struct {
		filter string
		want   bool
	}{
		{"lastUpdateDateTime ge 2026-11-20T10:00:59.2000000Z", true},
		{"lastUpdateDateTime gt 2026-11-20T10:00:59.2000000Z", false},
		{"lastUpdateDateTime gt 2026-11-20T10:00:59.1999999Z", true},
		{"lastUpdateDateTime lt 2026-11-20T10:00:59.25Z", true}, // as text it would be greater
		{"lastUpdateDateTime eq 2026-11-20T10:00:59.2Z", true},
		{"lastUpdateDateTime ne 2026-11-20T10:00:59.2Z", false},
		{"lastUpdateDateTime le 2026-11-20T12:00:59.2+02:00", true},
		{"createdDateTime lt 2026-11-20T09:00:00Z", false},
		{"createdDateTime ge 0001-01-01T00:00:00Z and createdDateTime le 9999-12-31T23:59:59.9999999Z", true},
		{"severity eq 'high'", true},
		{"severity eq 'HIGH'", true},
		{"severity ne 'high'", false},
		{"severity in ('low','high')", true},
		{"severity in ('low', 'medium')", false},
		{"assignedTo eq null", true},
		{"assignedTo ne null", false},
		{"assignedTo eq 'o''neill@contoso.com'", false},
		{"not (status eq 'new')", false},
		{"status eq 'resolved' or status eq 'new' and severity eq 'high'", true}, // and binds first
		{"(status eq 'resolved' or status eq 'new') and severity eq 'low'", false},
		{"status eq 'new' or status eq 'new' and severity eq 'low'", true},
		{"serviceSource eq 'microsoftSentinel'", true},
		{"classification eq 'truePositive'", false},
	} {
		f, err := parseFilter(test.filter)
		if err != nil {
			t.Errorf("%s: %v", test.filter, err)
			continue
		}
		if got := f.pass(sampleFace(t)); got != test.want {
			t.Errorf("%s: %v", test.filter, got)
		}
		from, until := ticks(math.MinInt64), ticks(math.MaxInt64)
		rest, row := span(f, &from, &until), sampleFace(t)
		if got := row.stamp >= from && row.stamp < until && (rest == nil || rest.pass(row)); got != test.want {
			t.Errorf("%s: %v once narrowed", test.filter, got)
		}
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, test := range []struct{ filter, want string }{
		{"", "property named ''"},
		{"investigationState eq 'running'", "property named 'investigationState'"},
		{"lastUpdateDateTime ge '2026-11-20T10:00:59Z'", "incompatible types"},
		{"lastUpdateDateTime ge 2026-11-20", "not a date-time"},
		{"lastUpdateDateTime in (2026-11-20T10:00:59Z)", "operator 'in'"},
		{"severity gt 'low'", "operator 'gt'"},
		{"severity eq high", "quoted"},
		{"severity eq 'severe'", "not a valid enumeration"},
		{"severity eq 'high", "unterminated"},
		{"severity eq 'high' severity eq 'low'", "syntax error"},
		{"(severity eq 'high'", `")" expected`},
		{"severity in ('high'", `")" expected`},
		{"evidence/any(e: e/verdict eq 'malicious')", "property named 'evidence/any'"},
		{"Severity eq 'high'", "property named 'Severity'"},
		{strings.Repeat("(", 1000), "node count limit"},
		{strings.Repeat("not ", 1000) + "severity eq 'high'", "node count limit"},
	} {
		if _, err := parseFilter(test.filter); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60s: %v, want …%s…", test.filter, err, test.want)
		}
	}
}

// A filter means the same after its bounds were taken out.
func FuzzSpanKeepsTheMeaning(f *testing.F) {
	f.Add("lastUpdateDateTime ge 2026-11-20T10:00:59.2Z and lastUpdateDateTime lt 2026-11-21T00:00:00Z")
	f.Add("severity eq 'high' and (lastUpdateDateTime gt 2026-11-20T10:00:59.2Z or not (status in ('new',null)))")
	f.Add("lastUpdateDateTime eq 2026-11-20T10:00:59.2000000Z and createdDateTime ne 2026-11-20T10:00:59Z")
	f.Add("((((assignedTo eq 'it''s'))))")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseFilter(text)
		if err != nil {
			return
		}
		from, until := ticks(math.MinInt64), ticks(math.MaxInt64)
		rest := span(parsed, &from, &until)
		row := sampleFace(t)
		for _, shift := range []ticks{-1, 0, 1, 864_000_000_000} {
			moved := *row
			moved.stamp += shift
			narrowed := moved.stamp >= from && moved.stamp < until && (rest == nil || rest.pass(&moved))
			if narrowed != parsed.pass(&moved) {
				t.Fatalf("%q at %s: %v, narrowed %v", text, moved.stamp, !narrowed, narrowed)
			}
		}
	})
}

func FuzzTicksAreExact(f *testing.F) {
	for _, seed := range []string{"2021-05-02T14:19:01.3266667Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "2021-04-26T07:45:50.116Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := parseTicks(text)
		if err != nil || k < 0 || k.Time().Year() > 9999 {
			return
		}
		again, err := parseTicks(k.String())
		if err != nil || again != k {
			t.Fatalf("%q is %d, as text %q is %d (%v)", text, k, k.String(), again, err)
		}
		if ticksOf(k.Time()) != k {
			t.Fatalf("%q: %d comes back as %d", text, k, ticksOf(k.Time()))
		}
	})
}

func TestTicksTrimZeros(t *testing.T) {
	for text, want := range map[string]string{
		"2021-05-02T14:19:01.3266667Z":  "2021-05-02T14:19:01.3266667Z",
		"2021-05-02T14:19:01.1160000Z":  "2021-05-02T14:19:01.116Z",
		"2021-05-02T14:19:01.0000000Z":  "2021-05-02T14:19:01Z",
		"2021-05-02T14:19:01.99999999Z": "2021-05-02T14:19:01.9999999Z",
		"2021-05-02T16:19:01+02:00":     "2021-05-02T14:19:01Z",
	} {
		if got := at(t, text).String(); got != want {
			t.Errorf("%s is written %s, want %s", text, got, want)
		}
	}
}
