package ship

import (
	"fmt"
	"strings"
	"testing"
)

// The delivery protocol as a small state machine, explored exhaustively: every
// order in which alerts show up late, are updated, polls are partial, Fluent Bit
// takes, refuses, pauses, drains, is killed or restarted, and commits happen.
// Weakened in each of the ways that connectors are commonly built, it must lose
// an alert, or hand it over twice; as it is, it must not, but for a second time
// after a kill (or, threaded, after a stop before Commit_Delay has passed).

// protocol is what is explored. The zero value is the real one on the engine's thread.
type protocol struct {
	threaded bool // an append reaches a ring buffer, which the engine drains

	commitFirst    bool // weakened: commit before the append
	noDelay        bool // weakened: threaded, but committed like un-threaded
	partialMoves   bool // weakened: a partial page moves the watermark
	noOverlap      bool // weakened: no looking back for late alerts
	forgetsSeen    bool // weakened: the seen set is not part of the checkpoint
	ignoresRefusal bool // weakened: the append's answer is not looked at
}

// Three alerts. c is an update of a, stamped like b: a tie.
const (
	a, b, c = 1, 2, 4
	all     = a | b | c
	overlap = 1 // ticks
	ends    = 3 // the last tick
	room    = 2 // batches, and commits, that may wait
)

var stampOf = map[int8]int8{a: 0, b: 1, c: 1}

// parcel is a batch, or a commit: alerts, and how far everything was read (−1: not said).
type parcel struct {
	alerts, through int8
	age             int8 // of a commit: whole unpaused ticks since its append
}

// world is one state. Sets of alerts are bit masks.
type world struct {
	now     int8
	visible int8

	watermark, seen int8 // of the plugin, in memory
	waiting         [room]parcel
	commits         [room]parcel
	nWaiting        int8
	nCommits        int8

	paused bool
	ring   int8 // taken, but only in memory
	chunk  int8 // safe
	twice  int8 // handed over twice

	savedWatermark, savedSeen int8 // the checkpoint
	mayRepeat                 bool // there was a kill; threaded, an ordinary stop will do
}

type step struct {
	what string
	to   world
}

// steps are all that can happen next.
func (p protocol) steps(w world) (next []step) {
	add := func(what string, change func(*world)) {
		to := w
		change(&to)
		next = append(next, step{what, to})
	}

	// Microsoft: alerts show up, at most overlap after their stamp, and c replaces a.
	overdue := int8(0)
	for alert, stamp := range stampOf {
		if w.now < stamp || w.shown(alert) {
			continue
		}
		add(fmt.Sprint("shows ", alert), func(to *world) {
			to.visible |= alert
			if alert == c {
				to.visible &^= a
			}
		})
		if w.now >= stamp+overlap {
			overdue |= alert
		}
	}
	if w.now < ends && overdue == 0 {
		add("tick", func(to *world) {
			to.now++
			if w.paused {
				return
			}
			to.chunk |= to.ring // the engine drains far more often than Commit_Delay
			to.ring = 0
			for n := range to.nCommits {
				to.commits[n].age = 1
			}
		})
	}

	// The plugin polls; an answer may be whole or lack any row.
	if w.nWaiting < room && w.nCommits < room {
		from := w.watermark - overlap
		if p.noOverlap {
			from = w.watermark
		}
		fresh := int8(0)
		for alert, stamp := range stampOf {
			if w.visible&alert != 0 && w.seen&alert == 0 && stamp >= from {
				fresh |= alert
			}
		}
		add("poll", func(to *world) { to.read(p, fresh, w.now) })
		for _, lacking := range []int8{a, b, c} {
			if fresh&lacking != 0 {
				through := int8(-1)
				if p.partialMoves {
					through = w.now
				}
				add(fmt.Sprint("partial poll without ", lacking), func(to *world) { to.read(p, fresh&^lacking, through) })
			}
		}
	}

	// Fluent Bit takes or refuses.
	if w.nWaiting > 0 {
		if !w.paused && w.nCommits < room {
			add("append is taken", func(to *world) {
				batch := to.pop()
				to.twice |= batch.alerts & (to.ring | to.chunk)
				if p.threaded {
					to.ring |= batch.alerts
				} else {
					to.chunk |= batch.alerts
				}
				if !p.commitFirst {
					to.queue(batch)
				}
			})
		}
		if p.ignoresRefusal && w.nCommits < room {
			add("append is refused, unnoticed", func(to *world) { to.queue(to.pop()) })
		} // noticed, it changes nothing
	}
	if w.paused {
		add("resume", func(to *world) {
			to.paused = false
			for n := range to.nCommits {
				to.commits[n].age = 0
			}
		})
	} else {
		add("pause", func(to *world) { to.paused = true })
		if w.ring != 0 {
			add("drain", func(to *world) { to.chunk |= to.ring; to.ring = 0 })
		}
	}

	// The committer, and the two ways to end.
	if due := p.due(w); due > 0 {
		add("commit", func(to *world) { to.commit(p) })
	}
	add("kill", func(to *world) { to.mayRepeat = true; to.restart() })
	add("restart", func(to *world) {
		for p.due(*to) > 0 {
			to.commit(p)
		}
		to.mayRepeat = to.mayRepeat || to.nCommits > 0 && p.threaded
		to.restart()
	})
	return next
}

func (w *world) shown(alert int8) bool {
	return w.visible&alert != 0 || alert == a && w.visible&c != 0
}

// read is one answer: what is fresh waits, and the watermark moves in memory.
func (w *world) read(p protocol, fresh, through int8) {
	if fresh == 0 && through <= w.watermark {
		return
	}
	batch := parcel{alerts: fresh, through: through}
	w.seen |= fresh
	w.watermark = max(w.watermark, through)
	switch {
	case p.commitFirst:
		w.queue(batch)
		w.waiting[w.nWaiting] = batch
		w.nWaiting++
	case fresh == 0 && w.nWaiting == 0:
		w.queue(batch) // nothing waits before it
	default:
		w.waiting[w.nWaiting] = batch
		w.nWaiting++
	}
}

func (w *world) pop() parcel {
	batch := w.waiting[0]
	w.waiting = [room]parcel{w.waiting[1]}
	w.nWaiting--
	return batch
}

func (w *world) queue(batch parcel) {
	w.commits[w.nCommits] = batch
	w.nCommits++
}

// due counts the commits that may happen now.
func (p protocol) due(w world) int8 {
	if !p.threaded || p.noDelay {
		return w.nCommits
	}
	if w.paused || w.nCommits == 0 || w.commits[0].age == 0 {
		return 0
	}
	return 1
}

func (w *world) commit(p protocol) {
	done := w.commits[0]
	w.commits = [room]parcel{w.commits[1]}
	w.nCommits--
	if !p.forgetsSeen {
		w.savedSeen |= done.alerts
	}
	w.savedWatermark = max(w.savedWatermark, done.through)
	for alert, stamp := range stampOf {
		if stamp < w.savedWatermark-overlap {
			w.savedSeen &^= alert // no poll asks for it again
		}
	}
}

// restart begins again from the checkpoint; the engine forgets its ring buffer.
func (w *world) restart() {
	w.ring = 0
	w.watermark, w.seen = w.savedWatermark, w.savedSeen
	w.waiting, w.commits = [room]parcel{}, [room]parcel{}
	w.nWaiting, w.nCommits, w.paused = 0, 0, false
}

// fault says what is wrong with w, "" when nothing is.
func (p protocol) fault(w world) string {
	for alert, stamp := range stampOf {
		if w.visible&alert == 0 || w.chunk&alert != 0 {
			continue
		}
		lookback := int8(overlap)
		if p.noOverlap {
			lookback = 0
		}
		if w.savedSeen&alert != 0 || stamp < w.savedWatermark-lookback {
			return fmt.Sprintf("alert %d is not safe, and a kill now would lose it: the checkpoint is past it", alert)
		}
		inHand := w.ring
		for n := range w.nWaiting {
			inHand |= w.waiting[n].alerts
		}
		if inHand&alert == 0 && (w.seen&alert != 0 || stamp < w.watermark-lookback) {
			return fmt.Sprintf("alert %d is lost without a kill: it is not in hand and will not be asked for", alert)
		}
	}
	if w.twice != 0 && !w.mayRepeat {
		return fmt.Sprintf("alerts %b were handed over twice without a kill", w.twice)
	}
	return ""
}

// explore walks all states and returns the shortest way to a fault.
func (p protocol) explore() (states int, way []string) {
	type arrival struct {
		from world
		what string
	}
	start := world{}
	came := map[world]arrival{start: {}}
	for queue := []world{start}; len(queue) > 0; queue = queue[1:] {
		for _, next := range p.steps(queue[0]) {
			if _, known := came[next.to]; known {
				continue
			}
			came[next.to] = arrival{queue[0], next.what}
			if fault := p.fault(next.to); fault != "" {
				way = append(way, fault)
				for w := next.to; w != start; w = came[w].from {
					way = append([]string{came[w].what}, way...)
				}
				return len(came), way
			}
			queue = append(queue, next.to)
		}
	}
	return len(came), nil
}

func TestModelOfTheProtocol(t *testing.T) {
	for _, test := range []struct {
		name string
		protocol
		holds bool
	}{
		{"as it is", protocol{}, true},
		{"as it is, threaded", protocol{threaded: true}, true},
		{"commit before the append", protocol{commitFirst: true}, false},
		{"threaded without delay", protocol{threaded: true, noDelay: true}, false},
		{"watermark moved by a partial page", protocol{partialMoves: true}, false},
		{"no overlap", protocol{noOverlap: true}, false},
		{"seen set not in the checkpoint", protocol{forgetsSeen: true}, false},
		{"append's answer ignored", protocol{ignoresRefusal: true}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			states, way := test.explore()
			t.Logf("%d states; %s", states, strings.Join(way, " → "))
			if holds := way == nil; holds != test.holds {
				t.Errorf("holds: %v, want %v", holds, test.holds)
			}
		})
	}
}
