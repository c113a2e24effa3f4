package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"fluent-bit-defender/internal/secret"
)

// mustToken fails the test unless there is a token.
func mustToken(t *testing.T, s *Source, scope string) string {
	t.Helper()
	tok, err := s.Token(t.Context(), scope)
	if err != nil {
		t.Fatalf("Token: %v", err)
	}
	return tok.AccessToken
}

// mustFail fails the test unless there is a Diagnosis.
func mustFail(t *testing.T, s *Source, scope string) *Diagnosis {
	t.Helper()
	tok, err := s.Token(t.Context(), scope)
	var d *Diagnosis
	if !errors.As(err, &d) || tok != nil {
		t.Fatalf("Token = %v, %v; want a *Diagnosis", tok != nil, err)
	}
	return d
}

func TestTokenIsCachedUntilShortlyBeforeItsEnd(t *testing.T) {
	for _, test := range []struct {
		lifetime int
		keep     time.Duration
	}{
		{3600, 55 * time.Minute},
		{1500, 20 * time.Minute},
		{600, 8 * time.Minute},
		{10, 8 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newEntra()
			e.lifetime = test.lifetime
			// The host believes it is six hours later than Microsoft does.
			s := NewSource(contoso(), Options{HTTP: e.client(), Now: func() time.Time { return time.Now().Add(6 * time.Hour) }})
			defer s.Close()
			first := mustToken(t, s, graph)
			time.Sleep(test.keep - time.Nanosecond)
			if again := mustToken(t, s, graph); again != first || e.count() != 1 {
				t.Errorf("lifetime %d s: asked again before %v", test.lifetime, test.keep)
			}
			time.Sleep(time.Nanosecond)
			if again := mustToken(t, s, graph); again == first || e.count() != 2 {
				t.Errorf("lifetime %d s: not asked again after %v", test.lifetime, test.keep)
			}
		})
	}
}

func TestTokenIsGoodForOAuth2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSource(contoso(), Options{HTTP: newEntra().client()})
		defer s.Close()
		tok, err := s.Token(t.Context(), graph)
		if err != nil {
			t.Fatal(err)
		}
		if !tok.Valid() || tok.Type() != "Bearer" || tok.RefreshToken != "" || !tok.Expiry.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("token: valid %v, type %s, expiry %v, refresh token shown %v", tok.Valid(), tok.Type(), tok.Expiry, tok.RefreshToken != "")
		}
		for range 2 { // of the flight, and of the cache
			tok, err = s.Token(t.Context(), graph)
			if err != nil || tok.AccessToken != "access-1" {
				t.Errorf("callers share the cached token: %v", err)
			}
			tok.AccessToken = "spoilt by a caller"
		}
	})
}

func TestManyCallersAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		release := make(chan struct{})
		e.before = func(*http.Request) { <-release }
		s := NewSource(contoso(), Options{HTTP: e.client(), Store: newDisk()})
		defer s.Close()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if tok, err := s.Token(t.Context(), graph); err != nil || tok.AccessToken != "access-1" {
					t.Errorf("Token: %v", err)
				}
			})
		}
		synctest.Wait() // all 50 wait for the one request
		close(release)
		wg.Wait()
		if e.count() != 1 {
			t.Errorf("%d requests, want 1", e.count())
		}
	})
}

func TestCallersShareOneFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		release := make(chan struct{})
		e.before = func(*http.Request) { <-release }
		e.answer = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		s := NewSource(contoso(), Options{HTTP: e.client()})
		defer s.Close()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := s.Token(t.Context(), graph); err == nil {
					t.Error("a token out of nothing")
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if e.count() != 1 {
			t.Errorf("%d requests, want 1", e.count())
		}
		mustFail(t, s, graph)
		if e.count() != 2 {
			t.Errorf("a passing failure was remembered: %d requests, want 2", e.count())
		}
	})
}

// Two exchanges at once would both rotate the same token.
func TestScopesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		e.before = func(*http.Request) { time.Sleep(time.Second) }
		d := newDisk()
		s := NewSource(contoso(), Options{HTTP: e.client(), Store: d})
		defer s.Close()
		var wg sync.WaitGroup
		for _, scope := range []string{graph, other, "https://three/.default"} {
			for range 5 {
				wg.Go(func() {
					if _, err := s.Token(t.Context(), scope); err != nil {
						t.Errorf("Token: %v", err)
					}
				})
			}
		}
		wg.Wait()
		if e.most != 1 {
			t.Errorf("%d requests at one time, want 1", e.most)
		}
		equal(t, "tokens sent", e.sent(), []string{"seed-1", "given-1", "given-2"})
		equal(t, "stored", d.tokens(t, contoso()), []string{"given-3", "given-2"})
	})
}

func TestCallerMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		release := make(chan struct{})
		e.before = func(*http.Request) { <-release }
		d := newDisk()
		s := NewSource(contoso(), Options{HTTP: e.client(), Store: d})
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Token(ctx, graph)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Token = %v, want the deadline", err)
		}
		if _, err := s.Token(ctx, graph); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Token with an ended context = %v", err)
		}
		close(release)
		synctest.Wait()
		equal(t, "stored", d.tokens(t, contoso()), []string{"given-1", "seed-1"})
		if got := mustToken(t, s, graph); got != "access-1" || e.count() != 1 {
			t.Errorf("the answer that nobody waited for was thrown away")
		}
	})
}

func TestCloseIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		e.before = func(r *http.Request) { <-r.Context().Done() }
		s := NewSource(contoso(), Options{HTTP: e.client()})
		failed := make(chan error)
		go func() { _, err := s.Token(context.Background(), graph); failed <- err }()
		synctest.Wait()
		start := time.Now()
		s.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v", took)
		}
		if err := <-failed; !errors.Is(err, ErrClosed) {
			t.Errorf("the waiting caller got %v, want ErrClosed", err)
		}
		if _, err := s.Token(t.Context(), graph); !errors.Is(err, ErrClosed) {
			t.Errorf("Token after Close = %v, want ErrClosed", err)
		}
		s.Close() // twice is once
	})
}

func TestClosedSourceHandsNothingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSource(contoso(), Options{HTTP: newEntra().client()})
		mustToken(t, s, graph)
		s.Close()
		if d := mustFail(t, s, graph); !errors.Is(d, ErrClosed) {
			t.Errorf("got %v", d)
		}
	})
}

func TestEntraThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		e.before = func(r *http.Request) { <-r.Context().Done() }
		s := NewSource(contoso(), Options{HTTP: e.client()})
		defer s.Close()
		start := time.Now()
		d := mustFail(t, s, graph)
		if time.Since(start) != 30*time.Second || d.Retry != Soon || !strings.Contains(d.Error(), "no answer within 30 seconds") {
			t.Errorf("after %v: %v", time.Since(start), d)
		}
	})
}

func TestReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		s := NewSource(contoso(), Options{HTTP: e.client()})
		defer s.Close()
		first := mustToken(t, s, graph)
		s.Reject(graph, "an older one")
		s.Reject(other, first)
		if mustToken(t, s, graph) != first {
			t.Error("Reject dropped a token that was not rejected")
		}
		s.Reject(graph, first)
		if second := mustToken(t, s, graph); second == first {
			t.Error("the rejected token is handed out again")
		}
	})
}

func TestNeverIsNotAskedAgainUntilConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		e.refuseWith("seed-1", 700082)
		s := NewSource(contoso(), Options{HTTP: e.client(), Store: newDisk()})
		defer s.Close()
		first := mustFail(t, s, graph)
		time.Sleep(1000 * time.Hour)
		if again := mustFail(t, s, graph); again != first || e.count() != 1 {
			t.Errorf("asked %d times for a dead token", e.count())
		}
		renamed := contoso()
		renamed.Name = "Contoso Ltd"
		s.Configure(renamed)
		mustFail(t, s, graph)
		if e.count() != 1 {
			t.Error("a new name alone made it ask again")
		}
		repaired := renamed
		repaired.RefreshToken = secret.New("seed-2")
		s.Configure(repaired)
		mustToken(t, s, graph)
		if e.count() != 2 {
			t.Errorf("%d requests, want 2", e.count())
		}
	})
}

func TestThrottlingIsRespectedByAllCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		e.answer = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "60")
			http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
			return true
		}
		s := NewSource(contoso(), Options{HTTP: e.client()})
		defer s.Close()
		if d := mustFail(t, s, graph); d.Retry != Soon || d.RetryAfter != time.Minute || d.Status != 429 {
			t.Errorf("%v: retry %v after %v", d, d.Retry, d.RetryAfter)
		}
		time.Sleep(45 * time.Second)
		if d := mustFail(t, s, graph); d.RetryAfter != 15*time.Second || e.count() != 1 {
			t.Errorf("after 45 s: wait %v, %d requests", d.RetryAfter, e.count())
		}
		e.answer = nil
		time.Sleep(15 * time.Second)
		mustToken(t, s, graph)
	})
}

func TestConfigureDropsTheOldCredentialsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		s := NewSource(contoso(), Options{HTTP: e.client(), Store: newDisk()})
		defer s.Close()
		first := mustToken(t, s, graph)
		s.Configure(contoso())
		if mustToken(t, s, graph) != first {
			t.Error("the same account again dropped the cache")
		}
		changed := contoso()
		changed.ClientSecret = secret.New("another")
		s.Configure(changed)
		if mustToken(t, s, graph) == first {
			t.Error("the old credential's token is handed out")
		}
		if got := e.forms[1].Get("client_secret"); got != "another" {
			t.Error("the new secret was not sent")
		}
	})
}

func TestConfigureWhileInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		release := make(chan struct{})
		e.before = func(*http.Request) { <-release }
		d := newDisk()
		s := NewSource(contoso(), Options{HTTP: e.client(), Store: d})
		defer s.Close()
		got := make(chan *oauth2.Token, 1)
		go func() { tok, _ := s.Token(context.Background(), graph); got <- tok }()
		synctest.Wait()
		changed := contoso()
		changed.RefreshToken = secret.New("seed-2")
		s.Configure(changed)
		close(release)
		if tok := <-got; tok == nil || tok.AccessToken != "access-2" {
			t.Error("the waiting caller did not get the new credential's token")
		}
		equal(t, "sent", e.sent(), []string{"seed-1", "seed-2"})
		equal(t, "stored", d.tokens(t, contoso()), []string{"given-2", "seed-2"})
	})
}

func TestPanicIsADiagnosis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.save = func(string) error { panic("broken, near given-1") }
		s := NewSource(contoso(), Options{HTTP: newEntra().client(), Store: d})
		defer s.Close()
		if got := mustFail(t, s, graph); !strings.Contains(got.Error(), "broken") || strings.Contains(got.Error(), "given-1") {
			t.Errorf("got %v", got)
		}
	})
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		e.before = func(*http.Request) { time.Sleep(time.Millisecond) }
		s := NewSource(contoso(), Options{HTTP: e.client(), Store: newDisk()})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := range 50 {
					scope := []string{graph, other}[n%2]
					if tok, err := s.Token(t.Context(), scope); err == nil {
						s.Reject(scope, tok.AccessToken)
					} else {
						t.Errorf("Token: %v", err)
					}
					if i == 0 && n%10 == 0 {
						a := contoso()
						a.ClientSecret = secret.New(strings.Repeat("s", n+1))
						s.Configure(a)
					}
				}
			})
		}
		wg.Wait()
		s.Close()
		if e.most != 1 {
			t.Errorf("%d requests at one time", e.most)
		}
	})
}
