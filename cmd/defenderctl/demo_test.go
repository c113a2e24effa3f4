package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

const demoBuild = "../../build/demotest"

// demoPlugin is the plugin, and the stand-in beside it, built once.
var demoPlugin = sync.OnceValues(func() (string, error) {
	path, err := flbhost.BuildPlugin(context.Background(), ".", demoBuild)
	if err == nil {
		_, err = flbhost.CompileHost(context.Background(), filepath.Join(demoBuild, "demo"), false)
	}
	return path, err
})

// playing runs the demo, whose goroutines must all end with it, and returns what it printed.
func playing(t *testing.T, ctx context.Context, stdout io.Writer, args ...string) (code int, stderr string) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	var messages strings.Builder
	code = run(ctx, append([]string{"demo"}, args...), stdout, &messages)
	goleak.VerifyNone(t, before)
	return code, messages.String()
}

func builtPlugin(t *testing.T) string {
	t.Helper()
	path, err := demoPlugin()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDemo(t *testing.T) {
	plugin := builtPlugin(t)
	for _, engine := range []string{"host", "fluent-bit"} {
		t.Run(engine, func(t *testing.T) {
			if _, err := flbhost.FindFluentBit(t.Context()); engine == "fluent-bit" && err != nil {
				t.Skip(err)
			}
			var stdout bytes.Buffer
			code, stderr := playing(t, t.Context(), &stdout, "--plugin", plugin, "--engine", engine, "--within", "3m")
			shown := stdout.String()
			if code != 0 || stderr != "" {
				t.Fatalf("exit code %d; %s\n%s", code, stderr, shown)
			}
			for _, want := range []string{
				"  contoso  ", "  fabrikam  ", "  adatum  ", "updated: ", "4s late: ", "AADSTS50173", "is read again", "the engine is down",
				"owed 31, delivered 31, missing 0, doubled 0 (3 tenants, 29 alerts and 2 updates of them)", "{\"record_id\": ", "check -c fluent-bit.conf",
			} {
				if !strings.Contains(shown, want) {
					t.Errorf("%q is not shown", want)
				}
			}
			rows := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  \w+ +(high|medium|low|info) `).FindAllString(shown, -1)
			if len(rows) != 31 {
				t.Errorf("%d alerts are shown", len(rows))
			}
			if strings.Contains(shown, "\x1b") || strings.Contains(shown, "left out") {
				t.Error("colours where there is no terminal, or an act left out")
			}
			kept := demoKeeps(t)
			if lines := bytes.Split(bytes.TrimSpace(kept["records.jsonl"]), []byte("\n")); len(lines) != 31 {
				t.Errorf("%d records are kept", len(lines))
			} else if err := json.Unmarshal(lines[30], &map[string]any{}); err != nil {
				t.Error(err)
			}
			if secret := regexp.MustCompile(`(?i)fake-?(secret|refresh)`).FindString(shown + string(kept["engine.log"])); secret != "" {
				t.Errorf("it shows the secret %q…", secret)
			}
			if t.Failed() {
				t.Log(shown)
			}
		})
	}
}

// demoKeeps is what a demo has left behind: nothing but these.
func demoKeeps(t *testing.T) map[string][]byte {
	t.Helper()
	kept := map[string][]byte{}
	files, err := os.ReadDir(filepath.Join(demoBuild, "demo"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := file.Name()
		if name != "records.jsonl" && name != "engine.log" && !strings.HasPrefix(name, "flbhost-") {
			t.Errorf("%s is left behind", name)
			continue
		}
		if kept[name], err = os.ReadFile(filepath.Join(demoBuild, "demo", name)); err != nil {
			t.Fatal(err)
		}
	}
	return kept
}

// interrupter is a reader at the terminal who presses Ctrl-C when it says a word.
type interrupter struct {
	at    string
	press func()
}

func (i interrupter) Write(b []byte) (int, error) {
	if strings.Contains(string(b), i.at) {
		i.press()
	}
	return len(b), nil
}

// An interrupted demo stops its engine and tidies up, whatever it was waiting for.
func TestDemoInterrupted(t *testing.T) {
	plugin := builtPlugin(t)
	for _, at := range []string{"TIME UTC", "  contoso  ", "Live: "} {
		t.Run(at, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			code, stderr := playing(t, ctx, interrupter{at, cancel}, "--plugin", plugin, "--engine", "host", "--within", "3m")
			if code != 1 || stderr != "defenderctl: error: interrupted; the engine has been stopped\n" {
				t.Errorf("exit code %d; %s", code, stderr)
			}
			demoKeeps(t)
			var engines usage
			if engines.add(filepath.Join(filepath.Dir(plugin), "demo", "run-")); engines.memory > 0 {
				t.Error("the engine is still running")
			}
		})
	}
}

// It ends by itself when alerts do not arrive.
func TestDemoGivesUp(t *testing.T) {
	code, stderr := playing(t, t.Context(), io.Discard, "--plugin", builtPlugin(t), "--engine", "host", "--within", "4s")
	if code != 1 || !strings.HasPrefix(stderr, "defenderctl: error: not all alerts had arrived after 4s: ") || strings.Count(stderr, "\n") != 2 {
		t.Errorf("exit code %d; %s", code, stderr)
	}
	demoKeeps(t)
}

func TestDemoRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "in_defender.so")
	broken := filepath.Join(t.TempDir(), "in_defender.so")
	if err := os.WriteFile(broken, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLUENT_BIT", missing)
	t.Setenv("CC", missing)
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no plugin", []string{"--plugin", missing}, "\"make build\" builds it"},
		{"no Fluent Bit", []string{"--plugin", broken, "--engine", "fluent-bit"}, "--engine host runs"},
		{"no compiler", []string{"--plugin", broken, "--engine", "auto"}, "no C compiler is needed"},
		{"no time", []string{"--plugin", broken, "--within", "1s"}, "--within must be more than"},
		{"no such engine", []string{"--plugin", broken, "--engine", "vector"}, "--engine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if code, stderr := playing(t, t.Context(), io.Discard, test.args...); code == 0 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d; %s", code, stderr)
			}
		})
	}
}

// An engine that does not even start is told of at once, with its log.
func TestDemoEngineFails(t *testing.T) {
	builtPlugin(t)
	broken := filepath.Join(demoBuild, "broken.so")
	if err := os.WriteFile(broken, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stderr := playing(t, t.Context(), io.Discard, "--plugin", broken, "--engine", "host", "--within", "3m")
	if code != 1 || !strings.Contains(stderr, "error opening plugin") {
		t.Errorf("exit code %d; %s", code, stderr)
	}
}

func TestDemoHelp(t *testing.T) {
	var stdout strings.Builder
	if code, _ := playing(t, t.Context(), &stdout, "--help"); code != 0 || !strings.Contains(stdout.String(), "\n    make build && build/defenderctl demo") {
		t.Errorf("exit code %d; %s", code, stdout.String())
	}
}

// What is missing and what came twice is found, and makes the demo fail.
func TestDemoAccount(t *testing.T) {
	tenant, err := simulator.New(simulator.Options{}).AddTenant(simulator.TenantOptions{Name: "contoso"})
	if err != nil {
		t.Fatal(err)
	}
	a := newAccount([]*simulator.Tenant{tenant})
	record := func(v simulator.Version) flbhost.Record {
		return flbhost.Record{Fields: map[string]any{"tenant_id": tenant.ID, "id": v.ID, "lastUpdateDateTime": v.Version,
			"alert_uid": v.ID, "record_id": v.ID + v.Version}}
	}
	first := tenant.Add()
	a.expect(tenant, first)
	if what := a.enter(record(first), first.Since.Add(time.Second)); what != (arrival{}) {
		t.Errorf("%+v", what)
	}
	update, err := tenant.Update(first.ID)
	if err != nil {
		t.Fatal(err)
	}
	a.expectLate(tenant, update, time.Minute)
	if a.owed() != 2 || a.missing(tenant) != 1 || a.doubled() != 0 {
		t.Errorf("owed %d, missing %d, doubled %d", a.owed(), a.missing(tenant), a.doubled())
	}
	if what := a.enter(record(update), update.Since.Add(3*time.Second)); what != (arrival{updated: true, late: time.Minute}) {
		t.Errorf("%+v", what)
	}
	a.enter(record(first), time.Now())
	if a.missing(tenant) != 0 || a.doubled() != 1 {
		t.Errorf("missing %d, doubled %d", a.missing(tenant), a.doubled())
	}
	if median, longest := a.delays(); median != 3*time.Second || longest != 3*time.Second {
		t.Errorf("median %v, longest %v", median, longest)
	}
	var shown strings.Builder
	d := &demo{screen: &screen{to: &shown, width: 100, colour: true}, account: a, sim: simulator.New(simulator.Options{})}
	if err := d.closing(); err == nil || !strings.Contains(shown.String(), "\x1b[31mowed 2, delivered 3, missing 0, doubled 1") {
		t.Errorf("%v\n%s", err, shown.String())
	}
}

func TestDemoScreen(t *testing.T) {
	if got := pad("größer", 8) + "|" + pad("größer", 4) + "|"; got != "größer  |grö…|" {
		t.Errorf("padded %q", got)
	}
	text := strings.Repeat("eins zwei ", 30)
	for line := range strings.Lines(wrap(text, 40, "   ")) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 40 {
			t.Errorf("a line of %d", n)
		}
	}
	if got := strings.Join(strings.Fields(wrap(text, 40, "   ")), " "); got != strings.TrimSpace(text) {
		t.Errorf("wrapped %q", got)
	}
	record := flbhost.Record{Time: time.Unix(0, 0), Fields: map[string]any{
		"tenant_name": "contoso", "severity": "informational", "title": "A title", "productName": "Microsoft Defender for Endpoint",
		"evidence.user.userAccount.accountName": []any{nil, "somebody"},
	}}
	for _, test := range []struct {
		screen screen
		want   string
	}{
		{screen{width: 80}, "00:00:00  contoso    info      updated: A title                 somebody"},
		{screen{width: 116}, "00:00:00  contoso    info      updated: A title                                     Endpoint        somebody"},
		{screen{width: 80, colour: true}, "00:00:00  contoso    info      \x1b[1mupdated: \x1b[0mA title                 somebody"},
	} {
		var shown strings.Builder
		test.screen.to = &shown
		test.screen.alert(record, arrival{updated: true})
		if shown.String() != test.want+"\n" {
			t.Errorf("%q, want %q", shown.String(), test.want)
		}
	}
	if s := newScreen(&strings.Builder{}, false); s.colour || s.width == 0 {
		t.Errorf("%+v", s)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if s := newScreen(file, false); s.colour {
		t.Error("colours in a file")
	}
}
