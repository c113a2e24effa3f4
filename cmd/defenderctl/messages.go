package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Messages: stdout carries data only. Everything meant for a person goes to stderr, starts with "defenderctl: ", is in
// lower case and ends without a period; an error says what was attempted and what came back, and what to do about it
// stands on lines of its own, "defenderctl: hint: …". No secret is ever printed.

type messages struct{ to io.Writer }

// notef tells what is going on.
func (m messages) notef(format string, args ...any) { m.lines("", fmt.Sprintf(format, args...)) }

// warnf tells what is wrong but does not stop the command.
func (m messages) warnf(format string, args ...any) {
	m.lines("warning: ", fmt.Sprintf(format, args...))
}

// fault tells why the command stopped, and the hints that err carries.
func (m messages) fault(err error) {
	m.lines("error: ", err.Error())
	for _, hint := range hints(err) {
		m.lines("hint: ", hint)
	}
}

// lines writes text at once, so that no other goroutine's lines come between its own.
func (m messages) lines(prefix, text string) {
	var all strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(&all, "defenderctl: %s%s\n", prefix, shown(line))
	}
	_, _ = io.WriteString(m.to, all.String())
}

// hinted is an error with advice for the operator.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// withHint adds advice, which is printed on a line of its own below err.
func withHint(err error, hint string) error { return hinted{err, hint} }

func hints(err error) (all []string) {
	for h := (hinted{}); errors.As(err, &h); err = h.error {
		all = append(all, h.hint)
	}
	return all
}
