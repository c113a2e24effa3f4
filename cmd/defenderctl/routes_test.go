package main

import (
	"testing"

	"fluent-bit-defender/internal/flbconf"
)

func output(pairs ...string) flbconf.Section {
	s := flbconf.Section{Kind: "output", Props: []flbconf.Prop{{Key: "name", Value: "es"}}}
	for i := 0; i < len(pairs); i += 2 {
		s.Props = append(s.Props, flbconf.Prop{Key: pairs[i], Value: pairs[i+1]})
	}
	return s
}

// What is expected here is what Fluent Bit 5.1.1 did with a record of that tag.
func TestMatches(t *testing.T) {
	for _, test := range []struct {
		key, value, tag string
		want            verdict
	}{
		{"match", "*", "defender.contoso.alerts", taken},
		{"match", "defender.*", "defender.contoso.alerts", taken},
		{"match", "d*.alerts", "defender.contoso.alerts", taken},
		{"match", "d**con*so*", "defender.contoso.alerts", taken},
		{"match", "defender.contoso.alerts", "defender.contoso.alerts", taken},
		{"match", "*.alerts.*alerts", "defender.alerts", dropped},
		{"match", "ab*ba", "aba", dropped},
		{"match", "Defender.*", "defender.contoso.alerts", dropped},
		{"match", "contoso", "defender.contoso.alerts", dropped},
		{"match", "defender", "defender.contoso.alerts", dropped},

		{"match_regex", `^defender\.con`, "defender.contoso.alerts", taken},
		{"match_regex", "contoso", "defender.contoso.alerts", dropped}, // it must match at the beginning
		{"match_regex", "x*", "defender.contoso.alerts", dropped},      // and not the empty text
		{"match_regex", "DEFENDER", "defender.contoso.alerts", dropped},
		{"match_regex", "/DEFENDER/", "defender.contoso.alerts", dropped},
		{"match_regex", "/DEFENDER/i", "defender.contoso.alerts", taken},
		{"match_regex", "/d.f/", "defender.contoso.alerts", taken},
		{"match_regex", "/x.y/im", "x.y", taken},
		{"match_regex", `/x\.y`, "x.y", dropped},
		{"match_regex", "/x/q", "x.y", dropped},
		{"match_regex", "/x/o", "x.y", dropped},
		{"match_regex", "dummy|dummy.1", "dummy.0", taken},
		{"match_regex", "(?<x>dummy)", "dummy.0", taken},
		{"match_regex", `defender(?=\.con)`, "defender.contoso.alerts", uncertain}, // Ruby's, not Go's
		{"match_regex", "/x y/x", "x.y", uncertain},
	} {
		if got := matches(output(test.key, test.value), test.tag); got != test.want {
			t.Errorf("%s %s: %s: %v, want %v", test.key, test.value, test.tag, got, test.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	input := flbconf.Section{Kind: "input"}
	service := flbconf.Section{Kind: "service", Props: []flbconf.Prop{{Key: "storage.path", Value: "/s"}}}
	filter := output("match", "a*")
	filter.Kind, filter.Props[0].Value = "filter", "rewrite_tag"
	for _, test := range []struct {
		name     string
		sections []flbconf.Section
		want     verdict
	}{
		{"no output", []flbconf.Section{input}, dropped},
		{"one of each needs no Match", []flbconf.Section{input, output()}, taken},
		{"but what it has counts", []flbconf.Section{input, output("match", "b")}, dropped},
		{"storage brings a second input", []flbconf.Section{service, input, output()}, dropped},
		{"two inputs", []flbconf.Section{input, input, output()}, dropped},
		{"two outputs", []flbconf.Section{input, output(), output("match", "a")}, taken},
		{"the last Match counts", []flbconf.Section{input, input, output("match", "*", "match", "b")}, dropped},
		{"either is enough", []flbconf.Section{input, output("match", "b", "match_regex", "^a")}, taken},
		{"a filter takes it", []flbconf.Section{input, filter, output("match", "b")}, uncertain},
		{"a filter that leaves it alone", []flbconf.Section{input, filter, output("match", "a")}, taken},
	} {
		if got := newRouter(&flbconf.File{Sections: test.sections}).verdict("a"); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
