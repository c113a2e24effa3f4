package main_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

const buildFolder = "../build/flbhost"

// The plugin and the stand-in are built once.
var (
	plugin = sync.OnceValues(func() (string, error) {
		return flbhost.BuildPlugin(context.Background(), ".", filepath.Join(buildFolder, "faults"), "-tags", "faults", "-ldflags", "-X main.version=v0.0.0-test")
	})
	hostPath = sync.OnceValues(func() (string, error) {
		return flbhost.CompileHost(context.Background(), buildFolder, false)
	})
	oldHostPath = sync.OnceValues(func() (string, error) {
		return flbhost.CompileHost(context.Background(), buildFolder, true)
	})
)

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func host(t *testing.T) flbhost.Host {
	return flbhost.Host{Path: must[string](t)(hostPath()), Interval: 50 * time.Millisecond, Drain: 20 * time.Millisecond}
}

// inBoth runs test in the stand-in and, where it is found, in Fluent Bit.
func inBoth(t *testing.T, test func(t *testing.T, e flbhost.Engine)) {
	t.Run("host", func(t *testing.T) { test(t, host(t)) })
	t.Run("fluent-bit", func(t *testing.T) {
		f, err := flbhost.FindFluentBit(patience(t))
		if err != nil {
			t.Skip(err)
		}
		test(t, f)
	})
}

func launch(t *testing.T, e flbhost.Engine, o flbhost.Options) *flbhost.Process {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Plugin = must[string](t)(plugin())
	p := must[*flbhost.Process](t)(flbhost.Start(t.Context(), e, o))
	t.Cleanup(p.Kill)
	return p
}

// service is where contoso signs in and has three alerts.
func service(t *testing.T) (*simulator.Tenant, *simulator.Server) {
	sim := simulator.New(simulator.Options{})
	tenant := must[*simulator.Tenant](t)(sim.AddTenant(simulator.TenantOptions{Name: "contoso"}))
	tenant.AddBurst(3, time.Hour)
	server := must[*simulator.Server](t)(sim.Listen("127.0.0.1:0", false))
	t.Cleanup(func() { server.Close() })
	return tenant, server
}

// input is an [INPUT] of tenant, with more lines.
func input(t *testing.T, tenant *simulator.Tenant, url string, more ...string) string {
	app := tenant.Apps()[0]
	return strings.Join(append(more,
		"Name defender",
		"Tenant_Name contoso",
		"Tenant_Id "+tenant.ID,
		"Client_Id "+app.ClientID,
		"Client_Secret "+app.ClientSecret,
		"Refresh_Token "+app.RefreshToken,
		"Login_Url "+url,
		"Graph_Url "+url,
		"State_Path "+filepath.Join(t.TempDir(), "state"),
		"Poll_Interval 10s",
	), "\n")
}

func count(n int) func([]flbhost.Record) bool {
	return func(records []flbhost.Record) bool { return len(records) >= n }
}

var modes = map[string]string{"unthreaded": "Threaded off", "threaded": "Threaded on\nCommit_Delay 1s"}

// Alerts pass, over a hot reload and not twice, in every mode that an engine has.
func TestAlertsPass(t *testing.T) {
	for name, line := range modes {
		t.Run(name, func(t *testing.T) {
			inBoth(t, func(t *testing.T, e flbhost.Engine) {
				tenant, server := service(t)
				sink := must[*flbhost.Sink](t)(flbhost.NewSink())
				defer sink.Close()
				p := launch(t, e, flbhost.Options{Sink: sink, Inputs: []string{input(t, tenant, server.URL, "Alias ours", "Tenant_Tag defender.{tenant}.{feed}", line)}})
				must[string](t)(p.WaitLog(patience(t), "[input:defender:ours] version v0.0.0-test, go1."))
				check(t, sink.Wait(p.While(patience(t)), count(3)))
				if name == "unthreaded" {
					check(t, p.Reload(patience(t)))
					tenant.Add()
					check(t, sink.Wait(p.While(patience(t)), count(4)))
				}
				check(t, p.Stop(patience(t)))
				seen := map[any]bool{}
				for _, record := range sink.Records() {
					if record.Tag != "defender.contoso.alerts" {
						t.Errorf("tag %q", record.Tag)
					}
					if id := record.Fields["record_id"]; seen[id] {
						t.Errorf("record %v came twice", id)
					} else {
						seen[id] = true
					}
				}
			})
		})
	}
}

// An engine that does not export its append gets the bytes handed over.
func TestEngineWithoutAppend(t *testing.T) {
	tenant, server := service(t)
	sink := must[*flbhost.Sink](t)(flbhost.NewSink())
	defer sink.Close()
	old := host(t)
	old.Path = must[string](t)(oldHostPath())
	p := launch(t, old, flbhost.Options{Sink: sink, Inputs: []string{input(t, tenant, server.URL, "Tag one")}})
	must[string](t)(p.WaitLog(patience(t), "does not export flb_input_log_append"))
	check(t, sink.Wait(p.While(patience(t)), count(3)))
	if tag := sink.Records()[0].Tag; tag != "one" {
		t.Errorf("tag %q", tag)
	}
	check(t, p.Stop(patience(t)))
}

// Before 4.1 one instance works and a second is refused by name.
func TestEngineWithoutContexts(t *testing.T) {
	tenant, server := service(t)
	sink := must[*flbhost.Sink](t)(flbhost.NewSink())
	defer sink.Close()
	old := host(t)
	old.NoContexts = true
	p := launch(t, old, flbhost.Options{Sink: sink, Inputs: []string{input(t, tenant, server.URL, "Threaded off")}})
	check(t, sink.Wait(p.While(patience(t)), count(3)))
	check(t, p.Stop(patience(t)))

	p = launch(t, old, flbhost.Options{Sink: sink, Inputs: []string{
		input(t, tenant, server.URL, "Alias first", "Threaded off"), input(t, tenant, server.URL, "Alias second", "Threaded off")}})
	line := must[string](t)(p.WaitLog(patience(t), "Fluent Bit before 4.1 can run one [INPUT]"))
	if !strings.Contains(line, "[input:defender:second]") || !strings.Contains(line, "that is first") {
		t.Errorf("the refusal does not name both: %s", line)
	}
	if err := p.Wait(patience(t)); err == nil {
		t.Error("the engine started all the same")
	}
}

// A configuration with faults is refused in one message.
func TestFaultyConfiguration(t *testing.T) {
	inBoth(t, func(t *testing.T, e flbhost.Engine) {
		p := launch(t, e, flbhost.Options{Inputs: []string{"Name defender\nThreaded off\nTenants contoso\nPoll_Interval never\nBatch_Limit huge"}})
		if err := p.Wait(patience(t)); err == nil {
			t.Error("the engine started all the same")
		}
		log := strings.Join(p.Log(), "\n")
		for _, want := range []string{"Poll_Interval", "Batch_Limit", "[error] [input:defender:defender.0]"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log does not contain %q:\n%s", want, log)
			}
		}
		if n := strings.Count(log, "[error] [input:defender"); n != 1 {
			t.Errorf("%d messages where one is due:\n%s", n, log)
		}
	})
}

// With requests under way that nobody answers, both instances end within 2 s.
func TestExitIsPrompt(t *testing.T) {
	silent := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer silent.Close()
	accepted := make(chan net.Conn, 8)
	go func() {
		for {
			connection, err := silent.Accept()
			if err != nil {
				return
			}
			accepted <- connection
		}
	}()
	tenant, _ := service(t)
	url := "http://" + silent.Addr().String()
	traced := host(t)
	traced.Trace = filepath.Join(t.TempDir(), "trace")
	p := launch(t, traced, flbhost.Options{Inputs: []string{
		input(t, tenant, url, "Alias first", "Threaded off"), input(t, tenant, url, "Alias second", "Threaded off")}})
	for range 2 {
		select {
		case <-accepted:
		case <-patience(t).Done():
			t.Fatalf("no request came; the log:\n%s", strings.Join(p.Log(), "\n"))
		}
	}
	check(t, p.Stop(patience(t)))
	exits := 0
	for line := range strings.Lines(string(must[[]byte](t)(os.ReadFile(traced.Trace)))) {
		f := strings.Split(line, "\t") // thread, call, instance, result, µs, detail
		took := time.Duration(must[int](t)(strconv.Atoi(f[4]))) * time.Microsecond
		switch {
		case f[1] == "FLBPluginExit":
			exits++
			if took > 2*time.Second {
				t.Errorf("the exit of %s took %v", f[2], took)
			}
		case strings.HasPrefix(f[1], "FLBPluginInput") && took > 20*time.Millisecond:
			t.Errorf("%s of %s took %v", f[1], f[2], took)
		}
	}
	if exits != 2 {
		t.Errorf("%d exits", exits)
	}
}

// A nil dereference is recovered also after the engine has installed its signal
// handlers again, which it does on SIGHUP and SIGCONT.
func TestFaultsAreSurvived(t *testing.T) {
	tenant, server := service(t)
	p := launch(t, host(t), flbhost.Options{Inputs: []string{input(t, tenant, server.URL, "Threaded off")}})
	must[string](t)(p.WaitLog(patience(t), "version"))
	survives := func(after string) {
		check(t, p.Command(patience(t), "collect"))
		if err := p.Command(patience(t), "call defenderFault"); err != nil {
			t.Fatalf("%s: %v", after, err)
		}
	}
	survives("at first")
	check(t, p.Reload(patience(t)))
	survives("after SIGHUP")
	check(t, p.Signal(syscall.SIGCONT))
	must[string](t)(p.WaitLog(patience(t), "caught SIGCONT"))
	survives("after SIGCONT")
	check(t, p.Stop(patience(t)))
	if n := strings.Count(strings.Join(p.Log(), "\n"), "a fault while reading address 0 was caught"); n != 3 {
		t.Errorf("%d faults are told of, not 3", n)
	}
}

// After a fork the Go runtime is dead: the plugin says so and is not entered.
func TestForkIsRefused(t *testing.T) {
	tenant, server := service(t)
	forked := host(t)
	forked.Forked = true
	p := launch(t, forked, flbhost.Options{Inputs: []string{input(t, tenant, server.URL, "Threaded off")}})
	must[string](t)(p.WaitLog(patience(t), "Set `Daemon Off`"))
	if err := p.Wait(patience(t)); err == nil {
		t.Error("the engine started all the same")
	}
}

// Two instances keep their alerts and tags apart, and neither holds up a reload
// or the end, although Fluent Bit stops the collector of the last one only.
func TestTwoInstances(t *testing.T) {
	for name, threaded := range modes {
		t.Run(name, func(t *testing.T) {
			inBoth(t, func(t *testing.T, e flbhost.Engine) {
				sim := simulator.New(simulator.Options{})
				server := must[*simulator.Server](t)(sim.Listen("127.0.0.1:0", false))
				defer server.Close()
				state := t.TempDir()
				var inputs []string
				for _, name := range []string{"contoso", "fabrikam"} {
					tenant := must[*simulator.Tenant](t)(sim.AddTenant(simulator.TenantOptions{Name: name}))
					tenant.AddBurst(20, time.Hour)
					inputs = append(inputs, strings.Replace(input(t, tenant, server.URL, "Alias "+name, "Tag of."+name, threaded,
						"State_Path "+state), "Tenant_Name contoso", "Tenant_Name "+name, 1))
				}
				sink := must[*flbhost.Sink](t)(flbhost.NewSink())
				defer sink.Close()
				p := launch(t, e, flbhost.Options{Sink: sink, Inputs: inputs})
				check(t, sink.Wait(p.While(patience(t)), count(40)))
				check(t, p.Reload(patience(t)))
				check(t, p.Stop(patience(t)))
				for _, record := range sink.Records() {
					if want := "of." + record.Fields["tenant_name"].(string); record.Tag != want {
						t.Errorf("a record of %s has the tag %s", record.Fields["tenant_name"], record.Tag)
					}
				}
			})
		})
	}
}
