package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"fluent-bit-defender/internal/secret/secrettest"
	"fluent-bit-defender/internal/simulator"
	"fluent-bit-defender/state"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"defenderctl": main})
}

// TestScripts runs the tool as an operator does, against the simulator. Beside
// testscript's own commands there are:
//
//	simulator TENANT…   starts one; sets $login, and $TENANT_id, _client, _secret, _token for each
//	fault SPEC          makes something go wrong, as defenderctl simulate --fault
//	rotate KIND         keep, or revoke: a used refresh token is dead at once
//	expand FILE…        replaces ${…} in a file that Fluent Bit would not replace them in
//	state make|hold|free|empty DIR
//	                    makes a state folder, holds it as Fluent Bit would, frees it; empty: it has no checkpoint
//	lines FILE N        FILE (or stdout, stderr) has N lines
//	plugin …            runs the plugin's engine: see handlePlugin
//	nosecrets           neither stdout nor stderr of the last command shows a secret
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Values["world"] = &world{held: map[string]*state.Store{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"simulator": startSimulator,
			"fault":     addFault,
			"rotate":    setRotation,
			"expand":    expandFiles,
			"state":     handleState,
			"lines":     countLines,
			"nosecrets": findNoSecrets,
			"plugin":    handlePlugin,
		},
	})
}

// world is what a script has set up.
type world struct {
	sim    *simulator.Simulator
	held   map[string]*state.Store
	plugin *runningPlugin
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func startSimulator(ts *testscript.TestScript, _ bool, names []string) {
	w := worldOf(ts)
	w.sim = simulator.New(simulator.Options{Seed: 1})
	server, err := w.sim.Listen("127.0.0.1:0", false)
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Close()) })
	ts.Setenv("login", server.URL)
	for _, name := range names {
		tenant, err := w.sim.AddTenant(simulator.TenantOptions{Name: name})
		ts.Check(err)
		for age := range 3 {
			tenant.AddAged(time.Duration(age+1) * time.Hour)
		}
		app := tenant.Apps()[0]
		ts.Setenv(name+"_id", tenant.ID)
		ts.Setenv(name+"_client", app.ClientID)
		ts.Setenv(name+"_secret", app.ClientSecret)
		ts.Setenv(name+"_token", app.RefreshToken)
	}
}

func addFault(ts *testscript.TestScript, _ bool, args []string) {
	fault, err := simulator.ParseFault(args[0])
	ts.Check(err)
	ts.Check(worldOf(ts).sim.Fault(fault))
}

func setRotation(ts *testscript.TestScript, _ bool, args []string) {
	worldOf(ts).sim.SetBehaviour(simulator.Behaviour{Rotation: simulator.Rotation(args[0])})
}

func expandFiles(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
		ts.Check(os.Chmod(ts.MkAbs(name), 0o600)) // it was there, readable for everyone, and may hold secrets now
	}
}

func handleState(ts *testscript.TestScript, _ bool, args []string) {
	held, dir := worldOf(ts).held, ts.MkAbs(args[1])
	open := func() *state.Store {
		store, err := state.Open(dir, state.Options{})
		ts.Check(err)
		return store
	}
	switch args[0] {
	case "make":
		ts.Check(open().Close())
	case "hold":
		held[dir] = open()
		ts.Defer(func() { ts.Check(held[dir].Close()) })
	case "free":
		ts.Check(held[dir].Close())
	case "empty":
		store := open()
		keys, err := store.Keys()
		ts.Check(err)
		ts.Check(store.Close())
		if len(keys) > 0 {
			ts.Fatalf("checkpoints were written: %v", keys)
		}
	default:
		ts.Fatalf("state %s?", args[0])
	}
}

func countLines(ts *testscript.TestScript, not bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); (got == want) == not {
		ts.Fatalf("%s has %d lines", args[0], got)
	}
}

func findNoSecrets(ts *testscript.TestScript, _ bool, _ []string) {
	var hunt secrettest.Hunt
	for value, what := range worldOf(ts).sim.Secrets() {
		hunt.Add(what, value)
	}
	for _, where := range []string{"stdout", "stderr"} {
		printed := ts.ReadFile(where)
		if found := hunt.In([]byte(printed)); len(found) > 0 {
			ts.Fatalf("%s shows %v", where, found)
		}
	}
}
