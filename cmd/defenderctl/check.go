package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-defender/config"
	"fluent-bit-defender/fetch"
)

// atOnce is how many tenants are asked at the same time.
const atOnce = 16

// checkCommand signs in to every tenant of a configuration and asks each feed once.
type checkCommand struct {
	selection
	Timeout time.Duration `default:"30s" help:"Time for each feed of a tenant, sign-in included."`
	JSON    bool          `name:"json" help:"Print one JSON object for each tenant and feed instead of the table."`
}

// Help is printed below the flags.
func (checkCommand) Help() string {
	return `Reads the very file that Fluent Bit reads (included files and variables too), says everything that is wrong
with it, signs in to every tenant and makes one small request for each feed. The table on stdout says what came of it,
and where something is wrong, who must do what. Exit code 0: all is well; 1: something is wrong.

Run it as the user, in the directory and with the environment that Fluent Bit runs with. While it runs and Fluent Bit
does not, it holds State_Path and keeps there the refresh tokens that Microsoft renews; nothing else is changed. While
Fluent Bit runs, the tokens of the configuration are tried, though Fluent Bit may hold newer ones.

Examples:
  defenderctl check -c /etc/fluent-bit/fluent-bit.conf
  defenderctl check -c fluent-bit.yaml --tenant contoso --tenant fabrikam
  defenderctl check -c fluent-bit.conf --json | jq -r 'select(.result == "wrong") | .tenant'`
}

// finding is one line of the table: one feed of one tenant.
type finding struct {
	Input    string     `json:"input"`
	Tenant   string     `json:"tenant"`
	TenantID string     `json:"tenant_id"`
	Feed     string     `json:"feed"`
	Tag      string     `json:"tag"`
	Result   result     `json:"result"`
	Alert    *time.Time `json:"alert,omitempty"` // version of an alert that was seen
	Remark   string     `json:"remark,omitempty"`
	Faults   []trouble  `json:"faults,omitempty"`

	input  *input
	tenant config.Tenant
	asked  bool // Microsoft has answered
}

// result is what came of one row.
type result string

const (
	fine    result = "ok"
	wrong   result = "wrong"
	off     result = "off"
	untried result = "untried" // interrupted before
)

// Run checks, prints the table and fails when something is wrong.
func (c checkCommand) Run(ctx context.Context, out *console) (err error) {
	screen := newProgress(out.say.to)
	say := messages{screen}
	all, err := c.read(say)
	if err != nil {
		return err
	}
	routes := newRouter(all.file)
	faults, warnings := routes.settings(all)
	faults = append(all.unread, faults...)
	for _, fault := range faults {
		say.fault(errors.New(fault))
	}
	for _, warning := range warnings {
		say.warnf("%s", warning)
	}

	for _, in := range all.inputs {
		for _, warning := range in.located(in.config.Warnings) {
			say.warnf("%s", warning)
		}
	}

	rows := rowsOf(all)
	routes.compare(rows, say)
	claim(rows)

	signIns := newSignIns(say)
	if err := signIns.open(all.inputs); err != nil {
		return err
	}
	c.ask(ctx, rows, signIns, screen)
	if err := signIns.close(); err != nil {
		say.warnf("%v", err)
	}
	for _, r := range rows {
		r.conclude()
	}
	if err := c.print(out.data, rows, len(all.inputs) > 1); err != nil {
		return err
	}
	summary, ok := summarize(rows, len(faults))
	say.notef("%s", summary)
	if !ok {
		return errReported
	}
	return nil
}

// rowsOf lists what there is to check, in the order of the configuration.
func rowsOf(all *installation) (rows []*finding) {
	for _, in := range all.inputs {
		for _, t := range in.tenants {
			for _, feed := range t.Feeds {
				rows = append(rows, &finding{
					Input: in.name, Tenant: t.Name, TenantID: t.ID, Feed: feed, Tag: in.tagOf(t, feed), input: in, tenant: t,
				})
			}
		}
	}
	return rows
}

// compare finds the rows whose records Fluent Bit would throw away.
func (r *router) compare(rows []*finding, say messages) {
	var unsure []string
	for _, row := range rows {
		if !row.tenant.Enabled {
			continue
		}
		if isOff(row.input.section.Last("routable")) {
			row.fault(ours("the [INPUT] says routable off, and Fluent Bit throws its records away without a word", "remove the line"))
			continue
		}
		switch r.verdict(row.Tag) {
		case dropped:
			row.fault(ours("no output takes the tag "+row.Tag+", and Fluent Bit throws such records away without a word",
				"give an [OUTPUT] the line: Match "+row.Tag))
		case uncertain:
			unsure = append(unsure, row.Tag)
		}
	}
	if len(unsure) > 0 {
		say.warnf("whether an output takes these tags cannot be told from here, a Match_Regex or a rewrite_tag decides: %s",
			some(unsure))
	}
}

// unnamed are the names of inputs without an alias; all such share their checkpoints.
var unnamed = regexp.MustCompile(`^defender\.\d+$`)

// claim finds feeds that two inputs would read into the same checkpoint: the
// second is refused when Fluent Bit starts.
func claim(rows []*finding) {
	type checkpoint struct{ state, alias, cloud, tenant, feed string }
	readers := map[checkpoint]*finding{}
	for _, r := range rows {
		if !r.tenant.Enabled {
			continue
		}
		key := checkpoint{r.input.statePath(), r.Input, r.tenant.Cloud, r.TenantID, r.Feed}
		if unnamed.MatchString(r.Input) {
			key.alias = ""
		}
		if first := readers[key]; first != nil {
			r.fault(ours(fmt.Sprintf("the [INPUT] %s (%s:%d) reads it too, into the same checkpoint, and Fluent Bit will not start",
				first.Input, first.input.section.File, first.input.section.Line),
				"remove the tenant from one of the two, or give each [INPUT] an Alias of its own"))
			continue
		}
		readers[key] = r
	}
}

// ask tries all rows that are switched on.
func (c checkCommand) ask(ctx context.Context, rows []*finding, s *signIns, screen *progress) {
	groups := bySignIn(rows)
	var done atomic.Int64
	stop := screen.follow(func() string { return fmt.Sprintf("%d/%d tenants", done.Load(), len(groups)) })
	defer stop()
	next := make(chan []*finding)
	var workers sync.WaitGroup
	for range min(atOnce, len(groups)) {
		workers.Go(func() {
			for group := range next {
				for _, r := range group {
					if ctx.Err() == nil {
						c.try(ctx, r, s)
					}
				}
				done.Add(1)
			}
		})
	}
	for _, group := range groups {
		next <- group
	}
	close(next)
	workers.Wait()
}

// bySignIn groups the rows that renew the same refresh token: those are tried
// one after the other, so that no renewed token overwrites another.
func bySignIn(rows []*finding) (groups [][]*finding) {
	type signIn struct{ state, cloud, tenant, client string }
	at := map[signIn]int{}
	for _, r := range rows {
		if !r.tenant.Enabled {
			continue
		}
		key := signIn{r.input.statePath(), r.tenant.Cloud, r.TenantID, r.tenant.ClientID}
		i, known := at[key]
		if !known {
			i = len(groups)
			at[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// recent is how far back an alert is looked for.
const recent = 24 * time.Hour

// try signs in and makes one small request.
func (c checkCommand) try(ctx context.Context, r *finding, s *signIns) {
	feed, known := fetch.Lookup(r.Feed)
	if !known {
		r.fault(ours("there is no feed "+r.Feed, "correct Feeds"))
		return
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	window := fetch.Window{Feed: feed, BaseURL: r.tenant.GraphURL, MinSeverity: r.tenant.MinSeverity,
		ServiceSources: r.tenant.ServiceSources, From: time.Now().Add(-recent)}
	page, err := s.client(r.input).Peek(limited, window, s.access(r.input, r.tenant))
	if ctx.Err() != nil {
		return // interrupted; what came back says nothing about the tenant
	}
	r.asked = true
	if err != nil {
		r.fault(explain(err, r.tenant, s.hidden(r.input)))
		return
	}
	switch {
	case len(page.Alerts) == 0:
		r.Remark = "no alerts in the last 24 h"
		if r.tenant.MinSeverity != "" || r.tenant.ServiceSources != nil {
			r.Remark += " that Min_Severity and Service_Sources let through"
		}
	case page.Alerts[0].Version.IsZero():
		r.Remark = "alerts in the last 24 h"
	default:
		r.Alert = &page.Alerts[0].Version
		r.Remark = "alerts in the last 24 h, such as one of " + r.Alert.Format(time.DateTime) + " UTC"
	}
	if page.Partial {
		r.Remark += "; Microsoft marks its answer as partial"
	}
}

func (f *finding) fault(t trouble) { f.Faults = append(f.Faults, t) }

// conclude sums the row up.
func (r *finding) conclude() {
	switch {
	case !r.tenant.Enabled:
		r.Result = off
	case len(r.Faults) > 0:
		r.Result = wrong
	case !r.asked:
		r.Result = untried
	default:
		r.Result = fine
	}
}
