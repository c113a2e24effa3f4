package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fluent-bit-defender/internal/simulator"
)

// served is a simulator with one tenant, and a configuration of it.
func served(t *testing.T, settings string) (sim *simulator.Simulator, tenant *simulator.Tenant, file string) {
	t.Helper()
	sim = simulator.New(simulator.Options{Seed: 1})
	server, err := sim.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	tenant, err = sim.AddTenant(simulator.TenantOptions{Name: "contoso"})
	if err != nil {
		t.Fatal(err)
	}
	app := tenant.Apps()[0]
	file = filepath.Join(t.TempDir(), "fluent-bit.conf")
	text := fmt.Sprintf(`[INPUT]
    Name           defender
    State_Path     %s
    Login_Url      %s
    Graph_Url      %s
    Tenant_Name    contoso
    Tenant_Id      %s
    Client_Id      %s
    Client_Secret  %s
%s[OUTPUT]
    Name           stdout
    Match          *
`, filepath.Join(t.TempDir(), "none"), server.URL, server.URL, tenant.ID, app.ClientID, app.ClientSecret, settings)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return sim, tenant, file
}

// With --follow every new version is printed, once, and what was wrong for a while is told twice: when it begins and
// when it ends.
func TestTailFollows(t *testing.T) {
	sim, tenant, file := served(t, "    Poll_Interval  1s\n")
	tenant.AddAged(2 * time.Hour)
	newest := tenant.AddAged(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, stdout := io.Pipe()
	told, stderr := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, []string{"tail", "-c", file, "--follow", "-n", "1"}, stdout, stderr)
		_, _ = stdout.Close(), stderr.Close()
	}()
	lines, remarks := bufio.NewScanner(reader), bufio.NewScanner(told)
	lines.Buffer(nil, 1<<20)
	expect := func(want simulator.Version) {
		t.Helper()
		var got struct{ ID, LastUpdateDateTime string }
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &got) != nil || got.ID != want.ID || got.LastUpdateDateTime != want.Version {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
	hear := func(want string) {
		t.Helper()
		for remarks.Scan() {
			if strings.Contains(remarks.Text(), want) {
				return
			}
		}
		t.Fatalf("it never said %q", want)
	}

	expect(newest)
	expect(tenant.Add())
	updated, err := tenant.Update(newest.ID)
	if err != nil {
		t.Fatal(err)
	}
	expect(updated)
	if err := sim.Fault(simulator.Fault{Kind: simulator.Status, Endpoint: simulator.Alerts, Status: 500}); err != nil {
		t.Fatal(err)
	}
	hear("error: tenant contoso: feed alerts: server (HTTP 500)")
	late := tenant.Add()
	sim.ClearFaults()
	expect(late)
	hear("tenant contoso: the feed alerts is read again")
	cancel()
	if lines.Scan() {
		t.Errorf("printed again: %s", lines.Bytes())
	}
	if code := <-exit; code != 0 {
		t.Errorf("interrupted: exit code %d", code)
	}
}

// A host whose clock is a day off reads the same alerts.
func TestTailGoesByMicrosoftsClock(t *testing.T) {
	for _, offset := range []time.Duration{36 * time.Hour, -36 * time.Hour} {
		sim, tenant, file := served(t, "")
		sim.SetClock(offset)
		tenant.AddAged(30 * time.Hour)
		tenant.AddAged(time.Hour)
		var stdout, stderr strings.Builder
		code := run(t.Context(), []string{"tail", "-c", file}, &stdout, &stderr)
		if code != 0 || strings.Count(stdout.String(), "\n") != 1 {
			t.Errorf("%v: %d lines, exit code %d %s", offset, strings.Count(stdout.String(), "\n"), code, stderr.String())
		}
	}
}

// Whoever closes stdout has read enough.
func TestTailEndsWithItsReader(t *testing.T) {
	_, tenant, file := served(t, "")
	tenant.Add()
	for err, want := range map[error]string{
		syscall.EPIPE:  "",
		syscall.ENOSPC: "defenderctl: error: no space left on device\n",
	} {
		var stderr strings.Builder
		code := run(t.Context(), []string{"tail", "-c", file, "--follow"}, failing{err}, &stderr)
		if stderr.String() != want || (code == 0) != (want == "") {
			t.Errorf("%v: exit code %d %q", err, code, stderr.String())
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Interrupted, check shows what it knows and says that it is not all.
func TestCheckInterrupted(t *testing.T) {
	sim, _, file := served(t, "")
	if err := sim.Fault(simulator.Fault{Kind: simulator.Hang, Endpoint: simulator.Token}); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"check", "tail"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var stdout, stderr strings.Builder
		if code := run(ctx, []string{command, "-c", file}, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "interrupted\n") {
			t.Errorf("%s: exit code %d\n%s%s", command, code, stdout.String(), stderr.String())
		}
		if command == "check" && !strings.Contains(stdout.String(), "contoso  alerts  untried\n") {
			t.Errorf("%s", stdout.String())
		}
	}
}
