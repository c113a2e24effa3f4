package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fluent-bit-defender/state"
)

// stateResetCommand moves checkpoints, or sets the whole state aside.
type stateResetCommand struct {
	statePlace
	Tenant   string `xor:"what" placeholder:"NAME" help:"The tenant, by its name (with -c) or Tenant_Id."`
	All      bool   `xor:"what" help:"Set all of the state aside under a dated name and begin an empty one."`
	Feed     string `placeholder:"FEED" help:"Only this feed."`
	Instance string `placeholder:"NAME" help:"Only the checkpoints of this instance, by its Alias; - is one without."`
	To       string `placeholder:"TIME" help:"Where to read on from: 24h (ago), 7d, now, 2026-11-24, 2026-11-24T08:00:00Z."`
	Yes      bool   `help:"Do not ask."`
}

// Help is printed below the flags.
func (stateResetCommand) Help() string {
	return `With --tenant and --to: reading goes on from that time. Back: alerts that changed since then are sent again, under the
record_id they had. Forward: those that changed in between and were not sent yet never are.

With --all: for a state that cannot be read and of which there is no copy. It is set aside under a dated name, never
deleted, and an empty one begun: every tenant reads from its Lookback on, which repeats alerts under their old record_id,
and signs in with the configuration's refresh token, which may be too old. The plugin never does this by itself.

Examples:
  defenderctl state reset -c fluent-bit.conf --tenant contoso --to 24h
  defenderctl state reset --path /var/lib/fluent-bit/defender --tenant 6e1e...-... --feed alerts --to 2026-11-24T08:00:00Z --yes
  defenderctl state reset --path /var/lib/fluent-bit/defender --all`
}

// Run does the one or the other.
func (c stateResetCommand) Run(out *console) error {
	p, err := c.one(out.say)
	if err != nil {
		return err
	}
	switch {
	case !c.All && c.Tenant == "":
		return errors.New("whose? Add --tenant NAME and --to TIME, or --all to start all of it anew")
	case c.All && (c.To != "" || c.Feed != "" || c.Instance != ""):
		return errors.New("--all starts everything anew: --to, --feed and --instance go with --tenant")
	case c.All:
		return c.anew(p, out.say)
	case c.To == "":
		return errors.New("from when on shall be read? Add --to, such as --to 24h")
	}
	to, err := parseMoment(c.To, time.Now())
	if err != nil {
		return err
	}
	return c.move(p, to, out.say)
}

// move sets the tenant's checkpoints to a time.
func (c stateResetCommand) move(p place, to time.Time, say messages) (err error) {
	store, err := p.open(say)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	facts, err := store.Facts()
	if err != nil {
		return err
	}
	var keys []state.Key
	tenants := map[string]bool{}
	for _, f := range facts.Checkpoints {
		if f.Key.TenantID == "" {
			continue // its name cannot be read
		}
		tenants[p.shown(f.Key.TenantID)] = true
		if !p.is(f.Key.TenantID, c.Tenant) || c.Feed != "" && !strings.EqualFold(f.Key.Feed, c.Feed) ||
			c.Instance != "" && !sameInstance(f.Key.Instance, c.Instance) {
			continue
		}
		keys = append(keys, f.Key)
		say.notef("%s", p.consequence(f, to))
	}
	if len(keys) == 0 {
		return withHint(fmt.Errorf("no checkpoint in %s is that of tenant %q%s", p.dir, c.Tenant, c.narrowed()), "there are those of: "+some(sorted(tenants)))
	}
	if err := confirm(say, c.Yes, "Shall it be so?"); err != nil {
		return err
	}
	if err := store.Reset(keys, to); err != nil {
		return err
	}
	say.notef("%s now at %s", plural(len(keys), "checkpoint"), showTime(to))
	return nil
}

func (c stateResetCommand) narrowed() (text string) {
	if c.Feed != "" {
		text += fmt.Sprintf(", feed %q", c.Feed)
	}
	if c.Instance != "" {
		text += fmt.Sprintf(", instance %q", c.Instance)
	}
	return text
}

// consequence says what a reset will do to one checkpoint.
func (p place) consequence(f state.CheckpointFacts, to time.Time) string {
	who := fmt.Sprintf("%s, feed %s, instance %s: ", p.shown(f.Key.TenantID), plain(f.Key.Feed), showInstance(f.Key.Instance))
	from := f.Watermark
	switch {
	case f.Err != nil:
		return who + "it is damaged and begins at " + showTime(to) + "; what changed before then and was not sent yet never is"
	case from.Year() <= 1:
		return who + "it begins at " + showTime(to)
	case to.After(from):
		return who + fmt.Sprintf("forward by %s, from %s to %s: alerts that changed in between and were not sent yet never are", showSpan(to.Sub(from)), showTime(from), showTime(to))
	}
	return who + fmt.Sprintf("back by %s, from %s to %s: alerts that changed since then are sent again, under the record_id they had", showSpan(from.Sub(to)), showTime(from), showTime(to))
}

// anew sets the store aside and begins an empty one.
func (c stateResetCommand) anew(p place, say messages) error {
	unreadable, err := state.Readable(p.dir, p.options(say))
	if err != nil {
		return p.explain(err)
	}
	if unreadable != nil {
		say.warnf("%v", unreadable)
	} else {
		say.warnf("%s can be read: nothing in it keeps Fluent Bit from starting", filepath.Join(p.dir, "state.db"))
	}
	say.notef("every tenant will read from its Lookback on, and sign in with the configuration's refresh token")
	if err := confirm(say, c.Yes, "Shall all of it be set aside?"); err != nil {
		return err
	}
	done, err := state.SetAside(p.dir, p.options(say), time.Now())
	for _, file := range done.Files {
		say.notef("set aside: %s", file)
	}
	if err != nil {
		return p.explain(err)
	}
	say.notef("%s is now empty", p.dir)
	return nil
}

// parseMoment reads a time, or how long ago it was. Nothing lies in the future:
// what changed until then would never be sent.
func parseMoment(text string, now time.Time) (time.Time, error) {
	at, err := moment(text, now)
	switch {
	case err != nil:
		return at, withHint(fmt.Errorf("--to %q is no time", text), "write 24h or 7d (ago), now, 2026-11-24 or 2026-11-24T08:00:00Z")
	case at.After(now):
		return at, fmt.Errorf("--to %s lies in the future: what changes until then would never be sent", showTime(at))
	case at.Year() < 1970:
		return at, fmt.Errorf("--to %s is before any alert", showTime(at))
	}
	return at.UTC(), nil
}

func moment(text string, now time.Time) (time.Time, error) {
	if strings.EqualFold(text, "now") {
		return now, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, "2006-01-02T15:04:05", time.DateTime} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 15)
		return now.AddDate(0, 0, -int(n)), err
	}
	ago, err := time.ParseDuration(text)
	if err == nil && ago < 0 {
		err = errors.New("written with a minus")
	}
	return now.Add(-ago), err
}
