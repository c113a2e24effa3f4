package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	progressAfter = 2 * time.Second
	progressEvery = 250 * time.Millisecond
)

// progress shows on a terminal how far a command has come, on a line that
// whatever else is written there takes away. Elsewhere it shows nothing. It may
// be written to from several goroutines.
type progress struct {
	to       io.Writer
	terminal bool

	mu    sync.Mutex
	shown string
}

func newProgress(to io.Writer) *progress {
	p := &progress{to: to}
	if file, ok := to.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Write writes b, which should be whole lines, in place of what is shown.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	return p.to.Write(b)
}

func (p *progress) show(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text == p.shown {
		return
	}
	p.clear()
	fmt.Fprint(p.to, text)
	p.shown = text
}

func (p *progress) clear() {
	if p.shown != "" {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.shown = ""
	}
}

// follow shows text, again and again, once that has gone on for a while, until
// the returned function is called.
func (p *progress) follow(text func() string) (stop func()) {
	if !p.terminal {
		return func() {}
	}
	done := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		wait := time.NewTimer(progressAfter)
		defer wait.Stop()
		for {
			select {
			case <-done:
				p.show("")
				return
			case <-wait.C:
				p.show(text())
				wait.Reset(progressEvery)
			}
		}
	})
	return func() { close(done); showing.Wait() }
}
