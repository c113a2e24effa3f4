package ship

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"fluent-bit-defender/fetch"
)

// canned answers every window with the same rows under ids of their own.
type canned struct {
	alerts []fetch.Alert
	sent   int
}

func (c *canned) Read(_ context.Context, _ fetch.Window, _ fetch.Tokens, emit func(fetch.Page) error) (fetch.Result, error) {
	now := time.Now().UTC()
	for n := range c.alerts {
		c.sent++
		c.alerts[n].ID = fmt.Sprint("da", c.sent)
		c.alerts[n].Version = now
	}
	return fetch.Result{Complete: true}, emit(fetch.Page{Alerts: c.alerts, Date: now, DateKnown: true, Through: now})
}

// idle returns an instance with one stream that nothing polls by itself.
func idle(b *testing.B, r reader) (*Instance, *stream) {
	cfg := newEngine(b, "contoso").cfg
	cfg.BatchLimit, cfg.BufferLimit = 1e6, 64e6
	cfg.Tenants[0].PollInterval = time.Hour
	i, err := NewHub().start(cfg, Options{Name: "bench"}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(i.Stop)
	i.reader = r
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.streams {
		i.remove(s)
		return i, s
	}
	return nil, nil
}

// BenchmarkCollectNothing is what every second costs Fluent Bit's thread when
// nothing waits.
func BenchmarkCollectNothing(b *testing.B) {
	i, _ := idle(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		i.Collect(Direct, func(string, []byte) bool { return true })
	}
}

// BenchmarkEmptyPoll is what a poll that brings nothing costs beside the request.
func BenchmarkEmptyPoll(b *testing.B) {
	i, s := idle(b, &canned{})
	b.ReportAllocs()
	for b.Loop() {
		if err := i.poll(b.Context(), s); err != nil {
			b.Fatal(err)
		}
		i.commits.mu.Lock()
		i.commits.queue = i.commits.queue[:0] // one tenant polls once a minute
		i.commits.mu.Unlock()
	}
}

// BenchmarkAlerts is what an alert costs from the page's bytes to Fluent Bit's
// answer; one operation is a page of a thousand.
func BenchmarkAlerts(b *testing.B) {
	raw := fmt.Appendf(nil, `{"id":"da1","title":"t","comments":[{"comment":%q}]}`, strings.Repeat("words ", 300))
	alerts := make([]fetch.Alert, 1000)
	for n := range alerts {
		alerts[n].Raw = raw
	}
	i, s := idle(b, &canned{alerts: alerts})
	b.ReportAllocs()
	b.SetBytes(int64(1000 * len(raw)))
	for b.Loop() {
		if err := i.poll(b.Context(), s); err != nil {
			b.Fatal(err)
		}
		i.Collect(Direct, func(string, []byte) bool { return true })
	}
}
