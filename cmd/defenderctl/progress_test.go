package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal strings.Builder
		p := newProgress(&terminal)
		p.terminal = true
		var done atomic.Int64
		stop := p.follow(func() string { return fmt.Sprintf("%d/3 tenants", done.Load()) })
		<-time.After(progressAfter - time.Millisecond)
		p.mu.Lock()
		if p.shown != "" {
			t.Errorf("%q at once", p.shown)
		}
		p.mu.Unlock()
		<-time.After(progressEvery)
		synctest.Wait()
		messages{p}.notef("a remark")
		done.Store(1)
		<-time.After(progressEvery)
		synctest.Wait()
		stop()
		want := "0/3 tenants\r\x1b[Kdefenderctl: a remark\n1/3 tenants\r\x1b[K"
		if terminal.String() != want {
			t.Errorf("%q, want %q", terminal.String(), want)
		}
	})
}

func TestNoProgressWithoutTerminal(t *testing.T) {
	p := newProgress(new(strings.Builder))
	p.follow(func() string { t.Error("asked"); return "" })()
}
