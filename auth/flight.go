package auth

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"
)

// flightTime bounds one sign-in, with all the tokens it tries.
const flightTime = 30 * time.Second

var errSlow = errors.New("no answer within 30 seconds")

// flight is one sign-in. What it brought is there once done is closed.
type flight struct {
	scope      string
	account    Account
	generation int
	directory  string // of the account, as far as it is known
	done       chan struct{}
	token      *oauth2.Token
	failure    *Diagnosis
}

// fly runs a flight to its end. No caller's context ends it: a rotated token
// must reach the Store even when nobody waits any more.
func (s *Source) fly(f *flight) {
	since := s.now()
	answer, failed := s.signIn(f)

	s.mu.Lock()
	defer s.mu.Unlock()
	f.failure = failed
	if failed == nil {
		f.token = &oauth2.Token{
			AccessToken: answer.access, TokenType: "Bearer",
			Expiry: since.Add(answer.lifetime), ExpiresIn: int64(answer.lifetime / time.Second),
		}
	}
	if f.generation == s.generation {
		if failed == nil {
			s.directory = cmp.Or(s.directory, answer.directory)
			s.cache[f.scope] = cached{f.token, since, answer.lifetime - margin(answer.lifetime)}
		} else if failed.Retry == Never || failed.RetryAfter > 0 {
			s.failures[f.scope] = failure{failed, s.now()}
		}
	}
	s.flight = nil
	close(f.done)
}

// signIn asks Entra by the grant that the account calls for.
func (s *Source) signIn(f *flight) (answer *tokenAnswer, failed *Diagnosis) {
	ctx, cancel := context.WithTimeoutCause(s.base, flightTime, errSlow)
	defer cancel()
	t := newAttempt(s.http, s.now, f.account, f.scope)
	t.directory = f.directory
	defer func() { // a panic must not end the process that we are a guest of
		if r := recover(); r != nil {
			answer, failed = nil, t.panicked(r)
		}
	}()
	if f.account.RefreshToken.IsZero() {
		return t.clientCredentials(ctx)
	}
	return s.refreshLineage(ctx, t)
}

// margin is how long before its end a token counts as expired: five minutes
// (Microsoft's advice), or a fifth of a shorter life.
func margin(lifetime time.Duration) time.Duration { return min(5*time.Minute, lifetime/5) }
