package ship

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Lines is a slog.Handler that keeps formatted lines in a bounded queue until
// somebody who may print them asks: Fluent Bit's log function reaches its log
// file only from Fluent Bit's own threads, and goroutines run on others.
//
// When the queue is full the oldest lines make room, and Drain says how many
// were lost.
type Lines struct {
	queue *lineQueue
	attrs []slog.Attr
}

type lineQueue struct {
	mu      sync.Mutex
	level   slog.Level
	max     int
	longest int // bytes of one line
	lines   []line
	dropped int
}

type line struct {
	level slog.Level
	text  string
}

// NewLines returns a queue of at most capacity lines at Info level; Drain cuts
// those of more than longest bytes.
func NewLines(capacity, longest int) *Lines {
	return &Lines{queue: &lineQueue{max: capacity, longest: longest, level: slog.LevelInfo}}
}

// SetLevel sets the lowest level that is kept.
func (l *Lines) SetLevel(level slog.Level) {
	l.queue.mu.Lock()
	l.queue.level = level
	l.queue.mu.Unlock()
}

// Drain hands every waiting line to print, oldest first, and forgets it. print
// is called without a lock held.
func (l *Lines) Drain(print func(level slog.Level, line string)) {
	q := l.queue
	q.mu.Lock()
	lines, dropped := q.lines, q.dropped
	q.lines, q.dropped = nil, 0
	q.mu.Unlock()

	if dropped > 0 {
		print(slog.LevelWarn, fmt.Sprintf("%d older log lines were dropped: more were written than could be printed", dropped))
	}
	for _, line := range lines {
		for _, part := range parts(line.text, q.longest) {
			print(line.level, part)
		}
	}
}

// parts cuts text into messages of at most limit bytes, at line ends where it can.
func parts(text string, limit int) []string {
	var all []string
	for len(text) > limit {
		end := strings.LastIndexByte(text[:limit], '\n') + 1
		if end == 0 {
			for end = limit; end > limit-utf8.UTFMax && !utf8.RuneStart(text[end]); end-- {
			}
		}
		all = append(all, strings.TrimSuffix(text[:end], "\n"))
		text = text[end:]
	}
	return append(all, text)
}

// Enabled reports whether level is kept.
func (l *Lines) Enabled(_ context.Context, level slog.Level) bool {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	return level >= l.queue.level
}

// WithAttrs returns a handler that adds attrs to each line.
func (l *Lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Lines{queue: l.queue, attrs: append(l.attrs[:len(l.attrs):len(l.attrs)], attrs...)}
}

// WithGroup returns l: groups are not used here.
func (l *Lines) WithGroup(string) slog.Handler { return l }

// Handle formats r as "[instance] tenant/feed: message key=value …". The
// attributes instance, tenant and feed make the prefix; the others follow.
func (l *Lines) Handle(_ context.Context, r slog.Record) error {
	var instance, tenant, feed string
	var rest strings.Builder
	add := func(a slog.Attr) bool {
		switch a.Key {
		case "instance":
			instance = a.Value.String()
		case "tenant":
			tenant = a.Value.String()
		case "feed":
			feed = a.Value.String()
		default:
			fmt.Fprintf(&rest, " %s=%v", a.Key, a.Value.Resolve())
		}
		return true
	}
	for _, a := range l.attrs {
		add(a)
	}
	r.Attrs(add)

	var text strings.Builder
	if instance != "" {
		text.WriteString("[input:defender:" + instance + "] ")
	}
	if tenant != "" {
		text.WriteString(tenant)
		if feed != "" {
			text.WriteString("/" + feed)
		}
		text.WriteString(": ")
	}
	text.WriteString(r.Message)
	text.WriteString(rest.String())
	l.queue.put(line{r.Level, oneLine(text.String())})
	return nil
}

func (q *lineQueue) put(line line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) >= q.max {
		q.lines = q.lines[1:]
		q.dropped++
	}
	q.lines = append(q.lines, line)
}

// oneLine keeps text from forging lines or reordering the screen: control and
// format characters (escapes, bidirectional overrides) become spaces, and what
// follows a newline is indented, so that it cannot pass for a line of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ReplaceAll(strings.ReplaceAll(s, "\r", ""), "\n", "\n    "))
}
