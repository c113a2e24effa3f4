package ship

import (
	"errors"
	"log/slog"
	"time"

	"fluent-bit-defender/auth"
	"fluent-bit-defender/fetch"
)

const (
	remindEvery  = time.Hour       // between two lines about a trouble that lasts
	patience     = 2 * time.Minute // how long what may pass by itself goes without a line
	partialAfter = time.Hour       // how long partial answers go without a line

	backoffFirst = 5 * time.Second
	backoffMax   = 5 * time.Minute
	slowRetry    = 15 * time.Minute // when somebody must act in a portal first
	neverRetry   = time.Hour        // when only new configuration helps: then it is read at once anyway
	throttled    = 30 * time.Second // when Microsoft does not say how long
)

// trouble is what keeps a stream from being read, and what was said of it.
type trouble struct {
	class    string
	since    time.Time // zero: there is none
	reported time.Time // zero: nothing said yet
	failures int       // in a row
}

// verdict is what an error means for the stream: when to ask again, and
// whether people must hear of it at once.
type verdict struct {
	class  string
	after  time.Duration
	urgent bool // it does not pass by itself
	final  bool // only new configuration helps
}

// judge decides what becomes of a stream whose read failed for the nth time in a row.
func judge(err error, failures int) verdict {
	backoff := min(backoffFirst<<min(failures, 10), backoffMax)
	var diagnosis *auth.Diagnosis
	if errors.As(err, &diagnosis) {
		v := verdict{class: "sign-in " + diagnosis.Summary, after: max(backoff, diagnosis.RetryAfter)}
		switch diagnosis.Retry {
		case auth.Slow:
			v.after, v.urgent = max(slowRetry, diagnosis.RetryAfter), true
		case auth.Never:
			v.after, v.urgent, v.final = neverRetry, true, true
		}
		return v
	}
	var failed *fetch.Error
	if !errors.As(err, &failed) {
		return verdict{class: "internal", after: backoff, urgent: true}
	}
	v := verdict{class: failed.Kind.String(), after: max(backoff, failed.RetryAfter)}
	switch failed.Kind {
	case fetch.Throttled:
		if failed.RetryAfter == 0 {
			v.after = max(throttled, backoff)
		} else {
			v.after = failed.RetryAfter
		}
	case fetch.Unauthorized, fetch.Forbidden, fetch.BadRequest, fetch.NotFound:
		v.after, v.urgent = max(slowRetry, failed.RetryAfter), true
	}
	return v
}

// failed notes a failure of s, says what is worth saying now and then, and
// returns when to ask again.
func (i *Instance) failed(s *stream, err error) time.Duration {
	t := &s.trouble
	v := judge(err, t.failures)
	now := i.now()
	t.failures++
	if t.class != v.class {
		if t.since.IsZero() || v.urgent {
			t.reported = time.Time{}
		}
		t.class = v.class
	}
	if t.since.IsZero() {
		t.since = now
	}

	quiet := !v.urgent && now.Sub(t.since) < patience
	if quiet || (!t.reported.IsZero() && now.Sub(t.reported) < remindEvery) {
		i.log(s).Debug("not read", "error", err, "next_try_in", v.after)
		return v.after
	}
	t.reported = now
	level := slog.LevelWarn
	if v.urgent {
		level = slog.LevelError
	}
	args := []any{"next_try_in", v.after.Round(time.Second)}
	if v.final {
		args = []any{"next_try", "when the configuration changes"}
	}
	if lasting := now.Sub(t.since); lasting >= time.Minute {
		args = append(args, "lasting", lasting.Round(time.Second))
	}
	text := err.Error()
	if diagnosis := (*auth.Diagnosis)(nil); errors.As(err, &diagnosis) {
		text = diagnosis.Text()
	}
	i.log(s).Log(i.ctx, level, text, args...)
	return v.after
}

// succeeded ends the trouble of s, if there was any.
func (i *Instance) succeeded(s *stream) {
	if !s.trouble.reported.IsZero() {
		i.log(s).Info("is read again; what came meanwhile is being caught up", "after", i.now().Sub(s.trouble.since).Round(time.Second))
	}
	s.trouble = trouble{}
}

// notePartial says when answers have been partial for so long that somebody
// should know: the watermark stands still meanwhile.
func (i *Instance) notePartial(s *stream, r fetch.Result) {
	now := i.now()
	switch {
	case !r.Partial:
		s.partial = time.Time{}
	case s.partial.IsZero():
		s.partial = now
	case now.Sub(s.partial) >= partialAfter:
		i.log(s).Warn("Microsoft has marked every answer as partial for an hour: what it sends is delivered, and the window is read again until it is whole; see Microsoft's service health if this goes on")
		s.partial = now
	}
}

// balance checks that every alert taken on is either waiting or was handed over.
func (i *Instance) balance(s *stream) {
	if s.sums.unbalanced || i.buffer.waits(&s.lane) {
		return
	}
	if taken := s.sums.taken.Load(); s.sums.fresh != taken || s.sums.read != s.sums.fresh+s.sums.before {
		s.sums.unbalanced = true
		i.log(s).Error("the sums do not add up, please report it", "read", s.sums.read, "new", s.sums.fresh, "seen_before", s.sums.before, "handed_over", taken)
	}
}
