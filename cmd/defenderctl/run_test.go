package main

import (
	"context"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, test := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // must be contained; "" = nothing at all is printed
	}{
		{"version", []string{"version"}, 0, "defenderctl unversioned", ""},
		{"help", []string{"--help"}, 0, "Usage: defenderctl <command>", ""},
		{"help of a command", []string{"check", "--help"}, 0, "Usage: defenderctl check", ""},
		{"nothing", nil, 2, "", "defenderctl: hint: try \"defenderctl --help\""},
		{"unknown command", []string{"chekc"}, 2, "", `did you mean "check"`},
		{"unknown flag", []string{"version", "--loud"}, 2, "", "defenderctl: error: unknown flag --loud"},
		{"keys", []string{"help", "config"}, 0, "Poll_Interval", ""},
		{"reference", []string{"help", "config", "--markdown"}, 0, "Poll_Interval", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			if code := run(context.Background(), test.args, &stdout, &stderr); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, printed := range []struct{ where, got, want string }{
				{"stdout", stdout.String(), test.stdout}, {"stderr", stderr.String(), test.stderr},
			} {
				if !strings.Contains(printed.got, printed.want) || (printed.want == "") != (printed.got == "") {
					t.Errorf("%s: %q, want %q", printed.where, printed.got, printed.want)
				}
			}
		})
	}
}

// A fault whose text has several lines, such as a configuration's, keeps its prefix on each, and its hints come below.
func TestFault(t *testing.T) {
	var stderr strings.Builder
	err := withHint(withHint(errReported, "inner"), "outer")
	messages{&stderr}.fault(err)
	want := "defenderctl: error: reported\ndefenderctl: hint: outer\ndefenderctl: hint: inner\n"
	if stderr.String() != want {
		t.Errorf("printed %q, want %q", stderr.String(), want)
	}
}
