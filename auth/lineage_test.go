package auth

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fluent-bit-defender/internal/secret"
)

// life is a Source that is started anew over the same Store and Entra, as
// after a restart.
type life struct {
	t       *testing.T
	entra   *entra
	disk    *disk
	account Account
	source  *Source
	notices []string
}

func newLife(t *testing.T) *life {
	l := &life{t: t, entra: newEntra(), disk: newDisk(), account: contoso()}
	l.restart()
	return l
}

func (l *life) restart() {
	l.end()
	l.source = NewSource(l.account, Options{HTTP: l.entra.client(), Store: l.disk, Notice: func(line string) { l.notices = append(l.notices, line) }})
}

func (l *life) end() {
	if l.source != nil {
		l.source.Close()
	}
}

// seed puts another token into the configuration and restarts.
func (l *life) seed(token string) {
	l.account.RefreshToken = secret.New(token)
	l.restart()
}

// refresh waits until the access token has expired and gets the next.
func (l *life) refresh() {
	l.t.Helper()
	time.Sleep(2 * time.Hour)
	mustToken(l.t, l.source, graph)
}

func (l *life) fail() *Diagnosis {
	l.t.Helper()
	time.Sleep(2 * time.Hour)
	return mustFail(l.t, l.source, graph)
}

// tried checks the refresh tokens sent since the last call.
func (l *life) tried(want ...string) {
	l.t.Helper()
	equal(l.t, "tried", l.entra.sent(), want)
	l.entra.mu.Lock()
	l.entra.forms = nil
	l.entra.mu.Unlock()
}

func (l *life) stored(want ...string) {
	l.t.Helper()
	equal(l.t, "stored", l.disk.tokens(l.t, l.account), want)
}

func inLife(t *testing.T, name string, story func(*life)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			story(l)
			l.end()
		})
	})
}

func TestLineage(t *testing.T) {
	inLife(t, "each answer brings the next token", func(l *life) {
		l.refresh()
		l.stored("given-1", "seed-1")
		l.refresh()
		l.stored("given-2", "given-1")
		l.restart()
		l.refresh()
		l.stored("given-3", "given-2")
		l.tried("seed-1", "given-1", "given-2")
	})
	inLife(t, "a token that was never seen wins", func(l *life) {
		l.refresh()
		l.seed("seed-2")
		l.refresh()
		l.tried("seed-1", "seed-2")
		l.stored("given-2", "seed-2")
	})
	inLife(t, "a rolled-back configuration does not", func(l *life) {
		l.refresh()
		l.seed("seed-2")
		l.refresh()
		l.seed("seed-1")
		l.refresh()
		l.tried("seed-1", "seed-2", "given-2")
		l.stored("given-3", "given-2")
	})
	inLife(t, "the token before is tried when the newest is dead", func(l *life) {
		l.refresh()
		l.refresh()
		l.entra.refuseWith("given-2", 70000)
		l.refresh()
		l.tried("seed-1", "given-1", "given-2", "given-1")
		l.stored("given-3", "given-1")
	})
	inLife(t, "a seed seen before is the last resort", func(l *life) {
		l.refresh()
		l.refresh()
		l.entra.refuseWith("given-2", 50173)
		l.entra.refuseWith("given-1", 50173)
		l.refresh()
		l.tried("seed-1", "given-1", "given-2", "given-1", "seed-1")
		l.stored("given-3", "seed-1")
	})
	inLife(t, "nothing is erased while nothing works", func(l *life) {
		l.refresh()
		l.refresh()
		for _, token := range []string{"given-2", "given-1", "seed-1"} {
			l.entra.refuseWith(token, 53003)
		}
		saves := l.disk.saves
		if d := l.fail(); d.Code != 53003 || d.Retry != Slow {
			t.Errorf("got %v", d)
		}
		l.tried("seed-1", "given-1", "given-2", "given-1", "seed-1")
		l.stored("given-2", "given-1")
		if l.disk.saves != saves {
			t.Error("a failure was written")
		}
		l.entra.refuseWith("given-2", 0)
		l.refresh()
		l.tried("given-2")
	})
	inLife(t, "a dead new token falls back, once", func(l *life) {
		l.refresh()
		l.entra.refuseWith("seed-2", 700082)
		l.seed("seed-2")
		l.refresh()
		l.tried("seed-1", "seed-2", "given-1")
		l.refresh()
		l.tried("given-2")
		if len(l.notices) != 1 || !strings.Contains(l.notices[0], "AADSTS700082") || !strings.Contains(l.notices[0], "Contoso") || strings.Contains(l.notices[0], "seed-2") {
			t.Errorf("notices: %q", l.notices)
		}
	})
	inLife(t, "a dead new token is remembered though nothing else changed", func(l *life) {
		l.entra.answer = accessOnly
		l.refresh()
		l.entra.refuseWith("seed-2", 70008)
		l.entra.answer = func(w http.ResponseWriter, r *http.Request) bool {
			return r.PostForm.Get("refresh_token") != "seed-2" && accessOnly(w, r)
		}
		l.seed("seed-2")
		l.refresh()
		l.restart()
		l.refresh()
		l.tried("seed-1", "seed-2", "seed-1", "seed-1")
	})
	inLife(t, "no token is tried twice", func(l *life) {
		l.refresh()
		l.entra.refuseWith("given-1", 53003)
		l.entra.refuseWith("seed-1", 53003)
		l.fail()
		l.tried("seed-1", "given-1", "seed-1")
	})
	inLife(t, "an echoed stored token does not show", func(l *life) {
		l.refresh()
		l.entra.answer = func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, asJSON(map[string]any{"error": "invalid_request", "error_description": every(r.PostForm)}))
			return true
		}
		if d := l.fail(); strings.Contains(d.Error(), "given-1") {
			t.Errorf("the token shows: %v", d)
		}
		l.tried("seed-1", "given-1")
	})
	inLife(t, "a blocked new token is tried again until it works", func(l *life) {
		l.refresh()
		l.entra.refuseWith("seed-2", 53003)
		l.seed("seed-2")
		l.refresh()
		l.refresh()
		l.tried("seed-1", "seed-2", "given-1", "seed-2", "given-2")
		l.entra.refuseWith("seed-2", 0)
		l.refresh()
		l.refresh()
		l.tried("seed-2", "given-4")
		if len(l.notices) != 1 {
			t.Errorf("notices: %q", l.notices)
		}
	})
	inLife(t, "the most hopeful failure speaks", func(l *life) {
		l.refresh()
		l.entra.refuseWith("given-1", 53003)
		l.entra.refuseWith("seed-1", 50173)
		l.entra.refuseWith("seed-2", 70008)
		l.seed("seed-2")
		if d := l.fail(); d.Code != 53003 || d.Retry != Slow {
			t.Errorf("got %v", d)
		}
		l.tried("seed-1", "seed-2", "given-1", "seed-1")
	})
	inLife(t, "a loop that Entra detected is not fed", func(l *life) {
		l.refresh()
		l.entra.refuseWith("given-1", 50196)
		if d := l.fail(); d.Retry != Soon || d.RetryAfter != 10*time.Minute {
			t.Errorf("got %v, wait %v", d, d.RetryAfter)
		}
		l.tried("seed-1", "given-1")
	})
	inLife(t, "a wrong secret concerns every token", func(l *life) {
		l.refresh()
		l.entra.answer = refuseAll("invalid_client", 7000215)
		if d := l.fail(); d.Retry != Never {
			t.Errorf("got %v", d)
		}
		l.tried("seed-1", "given-1")
	})
}

func TestAnswerWithoutRefreshToken(t *testing.T) {
	inLife(t, "keeps the old one", func(l *life) {
		l.entra.answer = accessOnly
		l.refresh()
		l.stored("seed-1")
		saves := l.disk.saves
		l.refresh()
		if l.disk.saves != saves {
			t.Error("saved though nothing changed")
		}
		l.tried("seed-1", "seed-1")
		l.entra.answer = nil
		l.refresh()
		l.stored("given-1", "seed-1")
		l.entra.answer = accessOnly
		l.refresh()
		l.stored("given-1")
	})
}

func TestSeedsAreBounded(t *testing.T) {
	l := &lineage{}
	for n := range 200 {
		l.remember(fmt.Sprint(n))
	}
	if len(l.stored.Seeds) != longestSeeds || !l.seen("199") || l.seen("0") {
		t.Errorf("%d seeds kept", len(l.stored.Seeds))
	}
}

func TestStoreKey(t *testing.T) {
	a := Account{LoginURL: "https://Login.Example:8443/", TenantID: "Contoso.COM", ClientID: "ABC"}
	if got, want := storeKey(a), "login.example:8443|contoso.com|abc"; got != want {
		t.Errorf("storeKey = %q, want %q", got, want)
	}
	a.Cloud = "cloud.example"
	if got, want := storeKey(a), "cloud.example|contoso.com|abc"; got != want {
		t.Errorf("storeKey = %q, want %q", got, want)
	}
}

// Two tenants of one app share nothing.
func TestTenantsAreApart(t *testing.T) {
	inLife(t, "", func(l *life) {
		l.refresh()
		l.account.TenantID = "fabrikam.example"
		l.seed("seed-of-fabrikam")
		l.refresh()
		l.tried("seed-1", "seed-of-fabrikam")
		l.stored("given-2", "seed-of-fabrikam")
		equal(t, "Contoso's", l.disk.tokens(t, contoso()), []string{"given-1", "seed-1"})
	})
}
