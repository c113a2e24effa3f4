package ship

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func drained(l *Lines) (out []string) {
	l.Drain(func(level slog.Level, line string) { out = append(out, level.String()+" "+line) })
	return out
}

func TestLinesNameInstanceTenantAndFeed(t *testing.T) {
	lines := NewLines(10)
	log := slog.New(lines).With("instance", "mssp").With("tenant", "contoso", "feed", "alerts")
	log.Warn("not read", "next_try_in", "5s")
	log.Debug("not kept at this level")
	got := fmt.Sprint(drained(lines))
	if want := "[WARN [input:defender:mssp] contoso/alerts: not read next_try_in=5s]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLinesCannotBeForged(t *testing.T) {
	lines := NewLines(10)
	slog.New(lines).Error("x", "error", errors.New("a\n[2026/11/23 00:00:00] [error] forged\r\x1b[31mred\u202etxt"))
	got := strings.Join(drained(lines), "|")
	for _, bad := range []string{"\n[", "\r", "\x1b", "\u202e"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q got through: %q", bad, got)
		}
	}
}

func TestLinesAreBounded(t *testing.T) {
	lines := NewLines(3)
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
