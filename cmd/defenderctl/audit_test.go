package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"fluent-bit-defender/ship"
)

// runningPlugin is what Fluent Bit would make of a configuration: the engine at
// work, with everything it hands over taken.
type runningPlugin struct {
	instance *ship.Instance
	stop     chan struct{}
	stopped  sync.WaitGroup

	mu  sync.Mutex
	ids []string // record_ids that were handed over
	got chan struct{}
}

// handlePlugin is the command
//
//	plugin start FILE     runs the first [INPUT] of FILE
//	plugin wait N         waits until N records were handed over, all in all
//	plugin export FILE N  writes the first N record_ids as a SIEM would export them
//	plugin stop
func handlePlugin(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	switch args[0] {
	case "start":
		all, err := selection{Config: ts.MkAbs(args[1])}.read(messages{os.Stderr})
		ts.Check(err)
		p := &runningPlugin{stop: make(chan struct{}), got: make(chan struct{}, 1)}
		p.instance, err = ship.NewHub().Start(all.inputs[0].config, ship.Options{Name: all.inputs[0].name})
		ts.Check(err)
		p.stopped.Go(p.collect)
		w.plugin = p
		ts.Defer(p.end)
	case "wait":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		patience := time.After(30 * time.Second)
		for w.plugin.count() < n {
			select {
			case <-w.plugin.got:
			case <-patience:
				ts.Fatalf("%d records were handed over, want %d", w.plugin.count(), n)
			}
		}
	case "export":
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		w.plugin.mu.Lock()
		defer w.plugin.mu.Unlock()
		var text strings.Builder
		text.WriteString("_time,record_id,tenant_name\n")
		for _, id := range w.plugin.ids[:n] {
			fmt.Fprintf(&text, "2026-11-23T00:00:00Z,%q,contoso\n", id)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text.String()), 0o600))
	case "stop":
		w.plugin.end()
	}
}

var idInRecord = regexp.MustCompile(`(?s)record_id..([0-9a-f]{32})`)

// collect is Fluent Bit's timer and its append.
func (p *runningPlugin) collect() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		p.instance.Collect(ship.Direct, func(_ string, batch []byte) bool {
			p.mu.Lock()
			for _, match := range idInRecord.FindAllSubmatch(batch, -1) {
				p.ids = append(p.ids, string(match[1]))
			}
			p.mu.Unlock()
			return true
		})
		select {
		case p.got <- struct{}{}:
		default:
		}
	}
}

func (p *runningPlugin) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ids)
}

func (p *runningPlugin) end() {
	select {
	case <-p.stop:
		return
	default:
	}
	close(p.stop)
	p.stopped.Wait()
	p.instance.Stop()
}
