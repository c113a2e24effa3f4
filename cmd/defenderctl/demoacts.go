package main

import (
	"context"
	"strings"
	"time"

	"fluent-bit-defender/internal/simulator"
)

const (
	backlog  = 5                      // alerts that each customer has at the start
	pace     = 850 * time.Millisecond // between two live alerts; no divisor of demoPoll, or all would wait equally long
	lateness = 4 * time.Second
)

// act is one thing to be shown. It is left out when less time remains than it needs on a busy machine.
type act struct {
	title string
	needs time.Duration
	play  func(*demo, context.Context) error
}

var acts = []act{
	{"Backlog: what the last 24 hours hold", 0, (*demo).catchUp},
	{"Live: alerts as they come, an update of one, and one that Microsoft shows late", 0, (*demo).live},
	{"A customer revokes its sessions: fabrikam's refresh token is dead", 8 * time.Second, (*demo).deadToken},
	{"Restart: SIGTERM to the engine, alerts come meanwhile, the engine starts again", 5 * time.Second, (*demo).restart},
}

// play makes the backlog, starts the engine and goes through the acts.
func (d *demo) play(ctx context.Context) error {
	for i, tenant := range d.tenants {
		for n := range backlog {
			tenant.AddAged(time.Duration(n)*4*time.Hour + time.Duration(10+25*i)*time.Minute)
		}
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	for _, a := range acts {
		if deadline, limited := ctx.Deadline(); limited && time.Until(deadline) < a.needs {
			d.heading(a.title + " (left out: this machine is too busy)")
			continue
		}
		d.heading(a.title)
		if err := a.play(d, ctx); err != nil {
			return err
		}
	}
	if err := d.stop(ctx); err != nil {
		return err
	}
	d.take(d.sink.Records()) // what the engine still had, should it be a double
	return nil
}

// arrived waits until every version that the tenants have shown is here.
func (d *demo) arrived(ctx context.Context, tenants ...*simulator.Tenant) error {
	return d.until(ctx, func() bool {
		for _, tenant := range tenants {
			if tenant.Pending() > 0 || d.missing(tenant) > 0 {
				return false
			}
		}
		return true
	})
}

func (d *demo) catchUp(ctx context.Context) error { return d.arrived(ctx, d.tenants...) }

func (d *demo) live(ctx context.Context) error {
	contoso, fabrikam, adatum := d.tenants[0], d.tenants[1], d.tenants[2]
	d.expectLate(adatum, adatum.AddLate(lateness), lateness)
	for _, tenant := range []*simulator.Tenant{adatum, fabrikam, contoso} {
		if err := d.comes(ctx, tenant, tenant.Add()); err != nil {
			return err
		}
	}
	updated, err := contoso.Update(d.first(contoso))
	if err != nil {
		return err
	}
	if err := d.comes(ctx, contoso, updated); err != nil {
		return err
	}
	for _, tenant := range []*simulator.Tenant{fabrikam, adatum, contoso} {
		if err := d.comes(ctx, tenant, tenant.Add()); err != nil {
			return err
		}
	}
	return d.arrived(ctx, d.tenants...)
}

// comes expects a version that has just become visible, and lets a moment pass, as between alerts of real life.
func (d *demo) comes(ctx context.Context, t *simulator.Tenant, v simulator.Version) error {
	d.expect(t, v)
	return d.pause(ctx, pace)
}

// deadToken lets a tenant's sign-in fail and be repaired, as an operator would: in the tenants file.
func (d *demo) deadToken(ctx context.Context) error {
	contoso, fabrikam, adatum := d.tenants[0], d.tenants[1], d.tenants[2]
	fabrikam.RevokeRefresh(50173)
	fabrikam.RevokeAccess()
	fabrikam.Add()
	d.expect(contoso, contoso.Add())
	line, err := d.logLine(ctx, "AADSTS50173")
	if err != nil {
		return err
	}
	d.logged(line)
	d.expect(adatum, adatum.Add())
	fabrikam.Add()
	if err := d.arrived(ctx, contoso, adatum); err != nil {
		return err
	}
	d.note("the others go on; now a new token goes into the tenants file, and nothing is restarted")
	if err := d.signInAgain(fabrikam); err != nil {
		return err
	}
	if line, err = d.logLine(ctx, "is read again"); err != nil {
		return err
	}
	d.logged(line)
	return d.arrived(ctx, d.tenants...)
}

func (d *demo) restart(ctx context.Context) error {
	if err := d.stop(ctx); err != nil {
		return err
	}
	for _, tenant := range d.tenants {
		tenant.Add()
	}
	if _, err := d.tenants[2].Update(d.first(d.tenants[2])); err != nil {
		return err
	}
	d.note("the engine is down; meanwhile every customer has a new alert, and adatum an update")
	if err := d.start(ctx); err != nil {
		return err
	}
	return d.arrived(ctx, d.tenants...)
}

// first is the id of the tenant's first alert that arrived.
func (d *demo) first(t *simulator.Tenant) string {
	for _, record := range d.records {
		if strings.EqualFold(text(record, "tenant_id"), t.ID) {
			return text(record, "id")
		}
	}
	return ""
}
