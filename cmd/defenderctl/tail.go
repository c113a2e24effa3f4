package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"fluent-bit-defender/fetch"
	"fluent-bit-defender/record"
)

// tailCommand prints records straight from Microsoft.
type tailCommand struct {
	selection
	Feed   string        `placeholder:"FEED" help:"Only this feed."`
	Since  time.Duration `placeholder:"1h" help:"How far back to begin; without it, each tenant's Lookback."`
	Last   int           `short:"n" placeholder:"N" help:"Begin with the newest N alerts of each tenant and feed, not with all."`
	Follow bool          `short:"f" help:"Go on until interrupted, with each tenant's Poll_Interval and Overlap."`
}

// Help is printed below the flags.
func (tailCommand) Help() string {
	return `Prints every alert as the very record that Fluent Bit gets from the plugin, one line of JSON each: its fields in their
order, and before them "date", the record's time in RFC 3339. A tenant that cannot be read is told of on stderr, and the
others go on; the exit code is then 1.

Nothing is written to State_Path, and a running Fluent Bit is not disturbed. Refresh tokens stored there are used where
Fluent Bit does not hold them; what Microsoft renews meanwhile is forgotten at the end.

Examples:
  defenderctl tail -c /etc/fluent-bit/fluent-bit.conf --since 1h
  defenderctl tail -c fluent-bit.conf --tenant contoso -n 10 --follow
  defenderctl tail -c fluent-bit.conf | jq -r '[.date, .tenant_name, .severity, .title] | @tsv'`
}

// Run prints until everything is read, or with --follow until ctx ends.
func (c tailCommand) Run(ctx context.Context, out *console) error {
	say := messages{newProgress(out.say.to)} // several goroutines talk
	if c.Feed != "" {
		if _, known := fetch.Lookup(c.Feed); !known {
			return withHint(fmt.Errorf("there is no feed %q", c.Feed), "defenderctl help config lists the feeds beside the key Feeds")
		}
	}
	if c.Since < 0 || c.Last < 0 {
		return errors.New("--since and -n count back from now: write them without a minus")
	}
	all, err := c.read(say)
	if err != nil {
		return err
	}
	for _, key := range all.unread {
		say.warnf("%s", key)
	}
	signIns := newSignIns(say)
	defer signIns.close()
	if err := signIns.open(all.inputs); err != nil {
		return err
	}
	if err := signIns.borrow(ctx, all.inputs); err != nil {
		say.warnf("%v", err)
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lines := &printer{to: out.data, stop: stop}
	streams := c.streams(all, signIns, lines, say)
	if len(streams) == 0 {
		return errors.New("no tenant that is switched on has such a feed")
	}
	c.readAll(ctx, streams)
	return c.outcome(ctx, streams, lines)
}

// streams makes one stream for each feed of each tenant that was selected.
func (c tailCommand) streams(all *installation, s *signIns, lines *printer, say messages) (streams []*stream) {
	for _, in := range all.inputs {
		client := s.client(in)
		for _, t := range in.tenants {
			if !t.Enabled {
				say.notef("tenant %s is switched off (Enabled)", t.Name)
				continue
			}
			for _, name := range t.Feeds {
				feed, known := fetch.Lookup(name)
				if !known || c.Feed != "" && c.Feed != name {
					continue
				}
				since := t.Lookback
				if c.Since > 0 {
					since = c.Since
				}
				streams = append(streams, &stream{
					tenant: t, feed: feed, since: since, last: c.Last, client: client, access: s.access(in, t),
					hidden: s.hidden(in), lines: lines, say: say, seen: map[[16]byte]int64{},
					encoder: record.NewFlat(record.Identity{TenantID: t.ID, TenantName: t.Name, Feed: name},
						record.Options{RawKey: in.config.RawKey, RecordLimit: in.config.RecordLimit}),
				})
			}
		}
	}
	return streams
}

// readAll reads all streams, some at the same time.
func (c tailCommand) readAll(ctx context.Context, streams []*stream) {
	slots := make(chan struct{}, atOnce)
	var reading sync.WaitGroup
	for _, s := range streams {
		reading.Go(func() {
			for {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return
				}
				wait := s.poll(ctx)
				<-slots
				if !c.Follow {
					return
				}
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					return
				}
			}
		})
	}
	reading.Wait()
}

// outcome says how it ended.
func (c tailCommand) outcome(ctx context.Context, streams []*stream, lines *printer) error {
	if lines.err != nil {
		if errors.Is(lines.err, syscall.EPIPE) || errors.Is(lines.err, io.ErrClosedPipe) {
			return nil // whoever read has enough
		}
		return lines.err
	}
	if ctx.Err() != nil && !c.Follow {
		return errors.New("interrupted")
	}
	for _, s := range streams {
		if s.failure != "" {
			return errReported
		}
	}
	return nil
}

// printer writes whole lines of several streams to stdout.
type printer struct {
	stop func() // when nobody reads any more

	mu  sync.Mutex
	to  io.Writer
	err error
}

func (p *printer) print(lines []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && len(lines) > 0 {
		if _, p.err = p.to.Write(lines); p.err != nil {
			p.stop()
		}
	}
	return p.err
}
