package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

// demoPoll is the Poll_Interval: far below a production's 60 s, so that one sees something.
const demoPoll = 2 * time.Second

// demo is the stage: simulated customers, an engine that runs the plugin, and the sink it delivers to. All of it is
// used from one goroutine; what arrives is shown while that one waits (until).
type demo struct {
	*screen
	*account
	folder string // kept: compiled stand-in, log, records
	run    string // this run's configuration, state and storage

	sim    *simulator.Simulator
	server *simulator.Server
	sink   *flbhost.Sink

	engine  flbhost.Engine
	options flbhost.Options
	process *flbhost.Process // nil: none was started
	log     []string         // of the engines that have ended
	usage   usage            // of the same
}

func newDemo(s *screen, engine flbhost.Engine, plugin, folder string) (d *demo, err error) {
	d = &demo{screen: s, folder: folder, sim: simulator.New(simulator.Options{}), engine: engine}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.run, err = os.MkdirTemp(folder, "run-"); err != nil {
		return d, err
	}
	var tenants []*simulator.Tenant
	for number := range 3 {
		tenant, err := d.sim.AddTenant(simulator.TenantOptions{Name: simulator.CompanyName(number)})
		if err != nil {
			return d, err
		}
		tenants = append(tenants, tenant)
	}
	d.account = newAccount(tenants)
	if d.server, err = d.sim.Listen("127.0.0.1:0", false); err != nil {
		return d, err
	}
	if d.sink, err = flbhost.NewSink(); err != nil {
		return d, err
	}
	d.options = flbhost.Options{Plugin: plugin, Dir: d.run, Sink: d.sink, Inputs: []string{strings.Join([]string{
		"Name defender", "Alias demo", "Threaded off", "storage.type filesystem",
		"Tenants_File " + d.tenantsPath(), "Tenant_Tag defender.{tenant}.{feed}",
		"State_Path " + filepath.Join(d.run, "state"), "Poll_Interval " + demoPoll.String(),
	}, "\n")}}
	return d, d.writeTenants()
}

func (d *demo) tenantsPath() string { return filepath.Join(d.run, "tenants.yaml") }
func (d *demo) logPath() string     { return filepath.Join(d.folder, "engine.log") }
func (d *demo) recordsPath() string { return filepath.Join(d.folder, "records.jsonl") }

// writeTenants replaces the tenants file as an operator should: whole, or not at all.
func (d *demo) writeTenants() error {
	fresh := d.tenantsPath() + ".new"
	if err := os.WriteFile(fresh, []byte(tenantsFile(d.server.URL, d.tenants)), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, d.tenantsPath())
}

// signInAgain gives a tenant a refresh token that works, as if its person had signed in once more.
func (d *demo) signInAgain(t *simulator.Tenant) error {
	app := t.Apps()[0]
	app.RefreshToken = "0.FakeRefreshToken-" + rand.Text()
	if err := t.SetApp(app); err != nil {
		return err
	}
	return d.writeTenants()
}

// start starts the engine. It lives until stop: at Ctrl-C too it is to end in good order, not to be killed.
func (d *demo) start(ctx context.Context) (err error) {
	d.process, err = flbhost.Start(context.WithoutCancel(ctx), d.engine, d.options)
	return err
}

// stop ends the engine with SIGTERM, as systemd and docker do; one that has not obeyed when ctx ends is killed.
func (d *demo) stop(ctx context.Context) error {
	p := d.process
	d.process = nil
	d.usage.add(d.run)
	err := p.Stop(ctx)
	p.Kill()
	d.log = append(d.log, p.Log()...)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil // at Ctrl-C the terminal has told it too
	}
	return err
}

// until shows what arrives, until enough says so.
func (d *demo) until(ctx context.Context, enough func() bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return d.sink.Wait(d.process.While(ctx), func(records []flbhost.Record) bool {
		d.take(records)
		return enough()
	})
}

// take enters what is new among all records and shows it.
func (d *demo) take(records []flbhost.Record) {
	for _, record := range records[len(d.records):] {
		d.alert(record, d.enter(record, time.Now()))
	}
}

// pause shows what arrives meanwhile.
func (d *demo) pause(ctx context.Context, length time.Duration) error {
	inner, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	err := d.until(inner, func() bool { return false })
	if inner.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// logLine shows what arrives until the engine logs a line that contains text.
func (d *demo) logLine(ctx context.Context, text string) (line string, err error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	process, found := d.process, make(chan struct{})
	go func() {
		defer close(found)
		defer cancel()
		line, err = process.WaitLog(inner, text)
	}()
	_ = d.until(inner, func() bool { return false }) // whatever ends it ends the waiting for the line too
	cancel()
	<-found
	return line, err
}

// close ends everything and leaves the log and the records.
func (d *demo) close() error {
	var faults []error
	if d.process != nil {
		ctx, cancel := context.WithTimeout(context.Background(), windUp-time.Second)
		faults = append(faults, d.stop(ctx))
		cancel()
	}
	if d.sink != nil {
		faults = append(faults, d.sink.Close())
	}
	if d.server != nil {
		faults = append(faults, d.server.Close())
	}
	if len(d.log) > 0 {
		faults = append(faults, os.WriteFile(d.logPath(), []byte(strings.Join(d.log, "\n")+"\n"), 0o644))
	}
	if d.run != "" {
		faults = append(faults, os.RemoveAll(d.run))
	}
	return errors.Join(faults...)
}

// writeRecords keeps the records as an output gets them.
func (d *demo) writeRecords() error {
	file, err := os.Create(d.recordsPath())
	if err != nil {
		return err
	}
	lines := json.NewEncoder(file)
	lines.SetEscapeHTML(false)
	for _, record := range d.records {
		if err := lines.Encode(record.Fields); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return file.Close()
}
