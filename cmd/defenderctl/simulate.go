package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"fluent-bit-defender/internal/simulator"
)

// simulateCommand serves look-alikes of Entra ID and Microsoft Graph until it is told to stop. What it prints on stdout
// is a tenants file; all credentials in it are fictitious.
type simulateCommand struct {
	Listen      string        `default:"127.0.0.1:8089" help:"Address to listen on."`
	TLS         bool          `name:"tls" help:"Serve https with a certificate made at start."`
	CertFile    string        `placeholder:"PATH" help:"With --tls: also write the certificate there, for the client to trust."`
	URL         string        `name:"url" placeholder:"URL" help:"Root under which clients reach it, when that is not the address it listens on."`
	Tenants     int           `default:"3" help:"Number of tenants: contoso, fabrikam, adatum, …"`
	TenantsFile string        `placeholder:"PATH" help:"Write the tenants file there instead of printing it."`
	Alerts      int           `default:"50" help:"Alerts that each tenant has at the start, spread over the last 24 hours."`
	Rate        float64       `default:"6" help:"New alerts a minute and tenant."`
	Updated     float64       `default:"0.2" help:"Fraction of the new alerts that are updated soon after."`
	Late        float64       `default:"0.1" help:"Fraction of new alerts and updates that show later than their time stamp."`
	LateUpTo    time.Duration `default:"4m" help:"How much later at most."`
	Ties        int           `default:"3" help:"Alerts that share one time stamp where alerts tie; 0 for none."`
	Seed        uint64        `default:"1" help:"Other alerts and other moments; the same seed repeats them."`
	Limit       int           `default:"150" help:"Requests a minute per app and tenant; -1 for no limit."`
	Rotate      string        `default:"keep" enum:"keep,revoke,omit" help:"A used refresh token keeps working, is revoked, or gets no successor (keep, revoke, omit)."`
	Lifetime    time.Duration `default:"59m59s" help:"Life of an access token."`
	Fault       []string      `sep:"none" placeholder:"KIND[:VALUE][@TENANT[/ENDPOINT]]" help:"Something that goes wrong from the start; may be repeated."`
}

// Help is printed below the flags.
func (simulateCommand) Help() string {
	return `Prints a tenants file for Tenants_File and serves until interrupted.

Examples:
  defenderctl simulate --tenants-file /tmp/tenants.yaml
  defenderctl simulate --tenants 200 --alerts 1500 --rate 60 --limit=-1
  defenderctl simulate --fault aadsts:50173@fabrikam --fault status:503@adatum --fault hang@contoso/token

Kinds of fault: status:503, aadsts:50173, html, raw:FILE, hang, reset, big, cut, abort, slow:10s, partial206, warning199,
emptypage, nextlink-host, nextlink-loop, nextlink-broken, nodate, foreign-token, foreign-alert. ENDPOINT is alerts or
token.

While it runs:
  curl localhost:8089/control/status
  curl 'localhost:8089/control/owed?tenant=contoso'
  curl localhost:8089/control/alert -d '{"tenant":"contoso","count":5}'
  curl localhost:8089/control/tenant -d '{"tenant":"contoso","revoke_refresh":50173}'
  curl localhost:8089/control/fault -d '{"tenant":"contoso","endpoint":"alerts","kind":"status","status":503,"for":"1m"}'
  curl -X DELETE localhost:8089/control/fault
  curl localhost:8089/control/clock -d '{"offset":"3h"}'`
}

// Run serves until ctx ends.
func (c simulateCommand) Run(ctx context.Context, out *console) (err error) {
	if c.Tenants < 1 {
		return errors.New("--tenants must be at least 1")
	}
	sim := simulator.New(simulator.Options{Seed: c.Seed, Behaviour: c.behaviour()})
	tenants, err := c.addTenants(sim)
	if err != nil {
		return err
	}
	if err := c.addFaults(sim); err != nil {
		return err
	}
	server, err := sim.Listen(c.Listen, c.TLS)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := c.announce(server, tenants, out); err != nil {
		return err
	}
	for _, fault := range sim.Faults() {
		out.say.notef("fault: %s", fault)
	}
	return c.live(ctx, tenants)
}

func (c simulateCommand) behaviour() simulator.Behaviour {
	b := simulator.Behaviour{Limit: c.Limit, TokenLifetime: simulator.Duration(c.Lifetime)}
	if c.Rotate != "keep" {
		b.Rotation = simulator.Rotation(c.Rotate)
	}
	return b
}

func (c simulateCommand) traffic(number int) simulator.Traffic {
	return simulator.Traffic{
		Total: c.Alerts, Initial: c.Alerts, UpdatedFraction: c.Updated, LateFraction: c.Late, LateUpTo: c.LateUpTo,
		TieBurst: c.Ties, Seed: c.Seed<<16 + uint64(number)<<32,
	}
}

func (c simulateCommand) addTenants(sim *simulator.Simulator) ([]*simulator.Tenant, error) {
	var tenants []*simulator.Tenant
	for i := range c.Tenants {
		tenant, err := sim.AddTenant(simulator.TenantOptions{Name: simulator.CompanyName(i)})
		if err != nil {
			return nil, err
		}
		if _, err := tenant.Play(c.traffic(i)); err != nil { // the initial alerts; the rest of the plan is live's
			return nil, err
		}
		tenants = append(tenants, tenant)
	}
	return tenants, nil
}

func (c simulateCommand) addFaults(sim *simulator.Simulator) error {
	for _, text := range c.Fault {
		fault, err := simulator.ParseFault(text)
		if err == nil {
			err = sim.Fault(fault)
		}
		if err != nil {
			return withHint(err, "see \"defenderctl simulate --help\" for the kinds of fault")
		}
	}
	return nil
}

// announce hands out the tenants file and says how to use it.
func (c simulateCommand) announce(server *simulator.Server, tenants []*simulator.Tenant, out *console) error {
	root := strings.TrimSuffix(c.URL, "/")
	if root == "" {
		root = server.URL
	}
	if c.CertFile != "" && server.Certificate != nil {
		if err := os.WriteFile(c.CertFile, server.Certificate, 0o600); err != nil {
			return err
		}
	}
	file := tenantsFile(root, tenants)
	if c.TenantsFile == "" {
		if _, err := fmt.Fprint(out.data, file); err != nil {
			return err
		}
		out.say.notef("save the lines above as tenants.yaml and set in the [INPUT]: Tenants_File tenants.yaml")
	} else {
		if err := os.WriteFile(c.TenantsFile, []byte(file), 0o600); err != nil {
			return err
		}
		out.say.notef("wrote %s; set in the [INPUT]: Tenants_File %s", c.TenantsFile, c.TenantsFile)
	}
	out.say.notef("simulating %d tenants at %s, until interrupted", len(tenants), root)
	return nil
}

// tenantsFile is a tenants file for the simulated tenants, secrets and all: they open nothing but the simulator.
func tenantsFile(root string, tenants []*simulator.Tenant) string {
	var b strings.Builder
	b.WriteString("# simulated tenants: every name, id and credential here is fictitious\ntenants:\n")
	for _, tenant := range tenants {
		app := tenant.Apps()[0]
		fmt.Fprintf(&b, "  - name: %s\n", tenant.Name)
		for _, line := range [][2]string{
			{"tenant_id", tenant.ID}, {"client_id", app.ClientID}, {"client_secret", app.ClientSecret},
			{"refresh_token", app.RefreshToken}, {"login_url", root}, {"graph_url", root},
		} {
			fmt.Fprintf(&b, "    %s: %s\n", line[0], strconv.Quote(line[1]))
		}
	}
	return b.String()
}

// live lets alerts arrive everywhere until ctx ends, which is no error.
func (c simulateCommand) live(ctx context.Context, tenants []*simulator.Tenant) error {
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for i, tenant := range tenants {
		running.Go(func() { stop(tenant.Live(inner, c.Rate, c.traffic(i))) })
	}
	running.Wait()
	if ctx.Err() != nil { // interrupted: that is how it ends
		return nil
	}
	return context.Cause(inner)
}
