package auth

import (
	"context"
	"fmt"
	"time"
)

// afterFailedSave is how long Entra is left alone when its last answer could
// not be saved.
const afterFailedSave = time.Minute

// refreshLineage tries the lineage's tokens in turn until one works. The token
// that Entra gives in exchange is durable before the answer is used: after a
// crash, or a save that failed, the Store holds what it held before, and that
// still works.
//
// Only one runs at a time for a Source, whatever the scope: two exchanges at
// once would each bring a successor, and one of them would be lost.
func (s *Source) refreshLineage(ctx context.Context, t *attempt) (*tokenAnswer, *Diagnosis) {
	seed := t.account.RefreshToken.Reveal()
	line, lost, err := loadLineage(s.store, storeKey(t.account))
	if err != nil {
		return nil, t.unreadable(err)
	}
	if lost != nil {
		s.tell("unreadable", fmt.Sprintf("tenant %s: the stored refresh token cannot be read (%s); it is kept as it is, and the one in the configuration is used",
			t.tenant(), t.used.clean(lost.Error(), longestDetail)))
	}
	answer, token, ofSeed, failure := t.firstThatWorks(ctx, line.candidates(seed), seed)
	if failure != nil {
		if lost != nil {
			failure.Summary += ", and the stored refresh token cannot be read"
		}
		return nil, failure
	}
	next, changed := line.succeed(token, answer.refresh)
	if token == seed || ofSeed != nil && ofSeed.Retry == Never {
		changed = next.remember(seed) || changed
	}
	if changed {
		if err := next.save(s.store); err != nil {
			return nil, t.notSaved(err)
		}
	}
	if ofSeed != nil {
		s.tell(hash(seed), fmt.Sprintf("the refresh token in the configuration is not in use, an earlier one still works: %v", ofSeed))
	}
	return answer, nil
}

// firstThatWorks tries each token once. When none works, the failure that
// leaves most hope speaks for all: as long as one token is merely blocked, the
// tenant is not lost. ofSeed is the failure of the configuration's own token.
func (t *attempt) firstThatWorks(ctx context.Context, tokens []string, seed string) (answer *tokenAnswer, token string, ofSeed, failure *Diagnosis) {
	for _, token := range tokens {
		answer, d := t.refresh(ctx, token)
		if d == nil {
			return answer, token, ofSeed, nil
		}
		if token == seed {
			ofSeed = d
		}
		if failure == nil || d.Retry < failure.Retry {
			failure = d
		}
		if !d.ofToken() {
			break
		}
	}
	return nil, "", ofSeed, failure
}

// ofToken reports whether the token was refused, so that another may work.
func (d *Diagnosis) ofToken() bool {
	switch d.OAuthError {
	case "invalid_grant", "interaction_required", "consent_required":
		return d.Retry != Soon
	}
	return false
}

func (t *attempt) tenant() string { return t.diagnosis(row{}).Tenant }

func (t *attempt) notSaved(err error) *Diagnosis {
	d := t.diagnosis(row{
		Summary: "Entra gave a new refresh token, and it could not be saved",
		Action:  "make room on, or repair, the disk of State_Path; the refresh token before it is kept and still works",
		Who:     MSSP, Retry: Soon, Wait: afterFailedSave,
	})
	d.Detail = t.used.clean(err.Error(), longestDetail)
	d.Err = quiet{text: d.Detail, err: err}
	return d
}

func (t *attempt) unreadable(err error) *Diagnosis {
	d := t.diagnosis(row{
		Summary: "the stored refresh token cannot be read",
		Action:  "restore the state key (State_Key_File) that sealed it, or start anew with defenderctl state reset --all, which sets the old state aside",
		Who:     MSSP, Retry: Slow,
	})
	d.Detail = t.used.clean(err.Error(), longestDetail)
	d.Err = quiet{text: d.Detail, err: err}
	return d
}
