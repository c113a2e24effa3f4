package ship

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

func drained(l *Lines) (out []string) {
	l.Drain(func(level slog.Level, line string) { out = append(out, level.String()+" "+line) })
	return out
}

func TestLinesNameInstanceTenantAndFeed(t *testing.T) {
	lines := NewLines(10, 4000)
	log := slog.New(lines).With("instance", "mssp").With("tenant", "contoso", "feed", "alerts")
	log.Warn("not read", "next_try_in", "5s")
	log.Debug("not kept at this level")
	got := fmt.Sprint(drained(lines))
	if want := "[WARN [input:defender:mssp] contoso/alerts: not read next_try_in=5s]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLinesCannotBeForged(t *testing.T) {
	lines := NewLines(10, 4000)
	slog.New(lines).Error("x", "error", errors.New("a\n[2026/11/23 00:00:00] [error] forged\r\x1b[31mred\u202etxt"))
	got := strings.Join(drained(lines), "|")
	for _, bad := range []string{"\n[", "\r", "\x1b", "\u202e"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q got through: %q", bad, got)
		}
	}
}

func TestLinesAreBounded(t *testing.T) {
	lines := NewLines(3, 4000)
	for n := range 10 {
		slog.New(lines).Info(fmt.Sprint(n))
	}
	got := drained(lines)
	if len(got) != 4 || !strings.Contains(got[0], "7 older log lines") || got[3] != "INFO 9" {
		t.Errorf("got %q", got)
	}
	if rest := drained(lines); rest != nil {
		t.Errorf("drained twice: %q", rest)
	}
}

func TestLongLinesAreCutAndWhole(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("a fault in one line\n", 50),
		strings.Repeat("ä", 500),
		strings.Repeat("\xff", 500),
		"short\n" + strings.Repeat("x", 300),
	} {
		var whole strings.Builder
		for _, part := range parts(text, 100) {
			if len(part) > 100 {
				t.Errorf("a part of %d bytes, the limit is 100", len(part))
			}
			if utf8.ValidString(text) && !utf8.ValidString(part) {
				t.Errorf("cut inside a character: %q", part)
			}
			whole.WriteString(part)
		}
		if got, want := whole.String(), strings.ReplaceAll(text, "\n", ""); strings.ReplaceAll(got, "\n", "") != want {
			t.Errorf("the parts of %.20q… make %q", text, got)
		}
	}
}
