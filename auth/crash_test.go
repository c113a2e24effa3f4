package auth

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCrashAroundRotation kills the process before and after each save: what
// the next one finds must work, though Entra has seen the successor off.
func TestCrashAroundRotation(t *testing.T) {
	crash := errors.New("crash")
	for _, when := range []string{"before", "after"} {
		inLife(t, "crash "+when+" the save", func(l *life) {
			for round := range 5 {
				l.refresh()
				failing := func(string) error { return crash }
				if when == "before" {
					l.disk.save = failing
				} else {
					l.disk.after = failing
				}
				d := l.fail()
				if !errors.Is(d, crash) || d.Retry != Soon || !strings.Contains(d.Action, "State_Path") {
					t.Fatalf("round %d: %v", round, d)
				}
				l.disk.save, l.disk.after = nil, nil
				l.restart()
				sent := l.entra.count()
				l.refresh()
				if l.entra.count() != sent+1 {
					t.Errorf("round %d: the stored token did not work at once", round)
				}
			}
		})
	}
}

func TestFailedSave(t *testing.T) {
	inLife(t, "the answer is not used", func(l *life) {
		full := errors.New("no space left on device")
		l.disk.save = func(string) error { return full }
		d := l.fail()
		if !errors.Is(d, full) || !strings.Contains(d.Error(), "no space left") {
			t.Fatalf("got %v", d)
		}
		mustFail(t, l.source, graph)
		l.tried("seed-1") // Entra is left alone for a while
		l.disk.save = nil
		l.refresh()
		l.tried("seed-1")
		l.stored("given-2", "seed-1")
	})
	inLife(t, "nor when a stored token works in the seed's place", func(l *life) {
		l.refresh()
		l.disk.save = func(string) error { return errors.New("read-only file system, near given-2") }
		if d := l.fail(); strings.Contains(d.Error(), "given-") || strings.Contains(d.Err.Error(), "given-") {
			t.Errorf("a token shows: %v", d)
		}
		l.stored("given-1", "seed-1")
	})
}

func TestUnreadableStoredValue(t *testing.T) {
	key := storeKey(contoso())
	for name, spoil := range map[string]func(*disk){
		"sealed by another key": func(d *disk) {
			d.load = func(k string) error {
				if k == key {
					return errors.New("message authentication failed")
				}
				return nil
			}
		},
		"cut":             func(d *disk) { d.values[key] = d.values[key][:20] },
		"a newer version": func(d *disk) { d.values[key] = strings.Replace(d.values[key], `"version":1`, `"version":2`, 1) },
		"empty token":     func(d *disk) { d.values[key] = `{"version":1,"tokens":[""],"seeds":[]}` },
		"empty":           func(d *disk) { d.values[key] = "" },
	} {
		inLife(t, name, func(l *life) {
			l.refresh()
			l.refresh()
			spoil(l.disk)
			relic := l.disk.values[key]
			l.restart()
			l.refresh()
			l.tried("seed-1", "given-1", "seed-1")
			if len(l.notices) != 1 || !strings.Contains(l.notices[0], "tenant Contoso: the stored refresh token cannot be read") {
				t.Errorf("notices: %q", l.notices)
			}
			l.restart()
			l.refresh()
			l.tried("given-3") // the new lineage goes on
			if l.disk.values[key] != relic {
				t.Error("the unreadable value was overwritten")
			}
			if len(l.notices) != 1 {
				t.Errorf("notices: %q", l.notices)
			}
		})
		inLife(t, name+", and the seed is dead", func(l *life) {
			l.refresh()
			spoil(l.disk)
			relic := l.disk.values[key]
			l.entra.refuseWith("seed-1", 700082)
			l.restart()
			if d := l.fail(); !strings.Contains(d.Error(), "stored refresh token cannot be read") || d.Code != 700082 {
				t.Errorf("got %v", d)
			}
			l.seed("seed-2") // the operator's way out
			l.refresh()
			if l.disk.values[key] != relic {
				t.Error("the unreadable value was overwritten")
			}
		})
	}
	inLife(t, "the newer of two readable ones wins", func(l *life) {
		l.refresh()
		intact := l.disk.values[key]
		l.disk.values[key] = "?"
		l.restart()
		l.refresh()
		l.disk.values[key] = intact // the operator found the key file
		l.refresh()
		l.tried("seed-1", "seed-1", "given-2")
	})
	inLife(t, "every slot", func(l *life) {
		l.refresh()
		for n := 2; n <= slots; n++ {
			l.disk.values[fmt.Sprintf("%s|%d", key, n)] = "?"
		}
		l.disk.values[key] = "?"
		before := fmt.Sprint(l.disk.values)
		l.restart()
		if d := l.fail(); !errors.Is(d, errUnreadable) || d.Who != MSSP || d.Retry != Slow {
			t.Errorf("got %v", d)
		}
		l.tried("seed-1")
		if fmt.Sprint(l.disk.values) != before {
			t.Error("an unreadable value was overwritten")
		}
	})
}

// TestRandomLives plays operators, crashes and admins at random. As long as
// Entra accepts one of the tokens that the plugin knows of, the next request
// succeeds, and what is stored then works.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			l := newLife(t)
			defer func() { l.end() }()
			crash := func(string) error { return errors.New("crash") }
			for range 40 {
				known := append(l.disk.tokens(t, l.account), l.account.RefreshToken.Reveal())
				switch random.IntN(6) {
				case 0:
					l.seed(fmt.Sprintf("seed-%d", random.IntN(8)))
				case 1:
					l.entra.refuseWith(known[random.IntN(len(known))], []int{700082, 53003}[random.IntN(2)])
				case 2:
					l.entra.refuseWith(known[random.IntN(len(known))], 0)
					l.restart() // forgets that a token was dead
				case 3, 4:
					l.disk.save, l.disk.after = crash, nil
					if random.IntN(2) == 0 {
						l.disk.save, l.disk.after = nil, crash
					}
					time.Sleep(2 * time.Hour)
					_, _ = l.source.Token(t.Context(), graph)
					l.disk.save, l.disk.after = nil, nil
					l.restart()
				}
				l.check()
			}
		})
	}
}

func (l *life) check() {
	l.t.Helper()
	alive := func(token string) bool { _, refused := l.entra.refuse[token]; return !refused }
	hope := slices.ContainsFunc(append(l.disk.tokens(l.t, l.account), l.account.RefreshToken.Reveal()), alive)
	time.Sleep(2 * time.Hour)
	_, err := l.source.Token(l.t.Context(), graph)
	if (err == nil) != hope {
		l.t.Fatalf("a token lives: %v; Token: %v", hope, err)
	}
	if tokens := l.disk.tokens(l.t, l.account); hope && (len(tokens) != 2 || !alive(tokens[0]) || !alive(tokens[1])) {
		l.t.Fatalf("stored after success: %v", tokens)
	}
}
