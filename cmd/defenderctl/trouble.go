package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fluent-bit-defender/auth"
	"fluent-bit-defender/config"
	"fluent-bit-defender/fetch"
)

// trouble is one thing that is wrong with a tenant's feed, in the parts that an
// operator needs: what, in whose words, and who must do what.
type trouble struct {
	What   string `json:"what"`
	Code   string `json:"code,omitempty"`   // AADSTS50173, or HTTP 403
	Answer string `json:"answer,omitempty"` // Microsoft's own words, or the network's
	IDs    string `json:"ids,omitempty"`    // what Microsoft's support asks for
	Who    string `json:"who"`
	Action string `json:"action,omitempty"`
}

// ours is a trouble that whoever runs this installation can end.
func ours(what, action string) trouble {
	return trouble{What: what, Who: string(auth.MSSP), Action: action}
}

// lines is the trouble for a person.
func (t trouble) lines() []string {
	what := t.What
	if t.Code != "" {
		what += " (" + t.Code + ")"
	}
	lines := []string{what}
	if t.Answer != "" {
		answer := "answer: " + t.Answer
		if t.IDs != "" {
			answer += " [" + t.IDs + "]"
		}
		lines = append(lines, answer)
	}
	switch {
	case t.Action == "":
	case t.Who == string(auth.Nobody):
		lines = append(lines, t.Action)
	default:
		lines = append(lines, "to be done by "+t.Who+": "+t.Action)
	}
	return lines
}

// explain makes a trouble of the error that ended the reading of a tenant's
// feed. hidden says why a newer refresh token may exist, "" when none can.
func explain(err error, t config.Tenant, hidden string) trouble {
	var diagnosis *auth.Diagnosis
	var failed *fetch.Error
	switch {
	case errors.As(err, &diagnosis) && !errors.Is(err, context.DeadlineExceeded):
		return signInTrouble(diagnosis, t, hidden)
	case errors.As(err, &diagnosis):
		return unreachable(t.LoginURL)
	case errors.Is(err, context.DeadlineExceeded):
		return unreachable(t.GraphURL)
	case errors.As(err, &failed):
		return feedTrouble(failed, t)
	}
	return ours(err.Error(), "")
}

func unreachable(url string) trouble {
	return ours(url+" did not answer in time", "check this host's network, DNS, firewall and proxy settings, or allow more time by --timeout")
}

func signInTrouble(d *auth.Diagnosis, t config.Tenant, hidden string) trouble {
	found := trouble{What: d.Summary, Answer: d.Detail, Who: string(d.Who), Action: d.Action}
	switch {
	case d.Code != 0:
		found.Code = fmt.Sprintf("AADSTS%d", d.Code)
	case d.OAuthError != "":
		found.Code = d.OAuthError
	case d.Status != 0:
		found.Code = fmt.Sprintf("HTTP %d", d.Status)
	}
	var ids []string
	if d.TraceID != "" {
		ids = append(ids, "trace id "+d.TraceID)
	}
	if d.CorrelationID != "" {
		ids = append(ids, "correlation id "+d.CorrelationID)
	}
	found.IDs = strings.Join(ids, ", ")
	if dead := d.Retry == auth.Never && d.OAuthError == "invalid_grant"; dead && hidden != "" && !t.RefreshToken.IsZero() {
		found.What = "with the token in the configuration: " + found.What
		found.Action = fmt.Sprintf("see first what Fluent Bit's log says of this tenant, for %s and may hold a newer token that works; "+
			"else %s: %s", hidden, d.Who, d.Action)
		found.Who = string(auth.MSSP)
	}
	return found
}

// feedTrouble tells what became of a request that had its token.
func feedTrouble(e *fetch.Error, t config.Tenant) trouble {
	found := trouble{What: "feed " + e.Feed + ": " + e.Kind.String(), Answer: e.Message, Who: string(auth.MSSP), Action: e.Action}
	if e.Status != 0 {
		found.Code = fmt.Sprintf("HTTP %d", e.Status)
	}
	if e.Code != "" && e.Code != e.Message {
		found.Answer = e.Code + ": " + e.Message
	}
	if e.RequestID != "" {
		found.IDs = "request-id " + e.RequestID
	}
	passing := "it passes; the plugin asks again by itself"
	if e.RetryAfter > 0 {
		passing = fmt.Sprintf("it passes; ask again in %s", e.RetryAfter.Round(time.Second))
	}
	switch e.Kind {
	case fetch.Forbidden:
		found.Who = string(auth.Admin)
	case fetch.Throttled, fetch.Server, fetch.Unsettled:
		found.Who, found.Action = string(auth.Nobody), passing
	case fetch.Network:
		found.What = "feed " + e.Feed + ": " + t.GraphURL + " could not be reached"
		if found.Action == "" {
			found.Action = "check this host's network, DNS, firewall and proxy settings"
		}
	}
	return found
}
