package scenarios

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

// hangingRequests: the engine ends at once although nobody answers.
func hangingRequests(w *world) {
	w.customers("contoso", "fabrikam")
	check(w.T, w.service.sim.Fault(simulator.Fault{Tenant: "contoso", Endpoint: simulator.Token, Kind: simulator.Hang}))
	check(w.T, w.service.sim.Fault(simulator.Fault{Tenant: "fabrikam", Endpoint: simulator.Alerts, Kind: simulator.Hang}))
	w.options.Service = "Grace 1"
	w.start(w.inputOf(w.tenants))
	check(w.T, w.service.until(w.patience(), func() bool {
		return w.service.requests("/token") >= 2 && w.service.requests("alerts_v2") >= 1
	}))
	began := time.Now()
	w.stop()
	took := time.Since(began)
	if w.Logf("the end took %v", took); took > 5*time.Second {
		w.Errorf("the end took %v", took)
	}
	if lines := w.lines("stopping without waiting any longer"); len(lines) > 0 {
		w.Error(lines[0])
	}
}

// deadOutput: the output is dead until the engine pauses us, from inside our own
// append; when it is back everything arrives.
func deadOutput(paused string, lines ...string) func(*world) {
	return func(w *world) {
		w.customers("contoso", "fabrikam")
		for _, t := range w.tenants {
			t.AddBurst(400, time.Hour)
		}
		w.options.Service = "Storage.Max_Chunks_Up 2"
		w.sink.SetDead(true)
		w.start(w.inputOf(w.tenants, append(lines, "Alias stuck", "Batch_Limit 100k", "Raw_Key raw")...))
		w.says(paused)
		for _, t := range w.tenants {
			t.AddBurst(50, 0)
		}
		w.sink.SetDead(false)
		w.settle(nil, w.tenants...)
		w.stop()
		w.Log(w.once(w.tenants...))
	}
}

// threadedKills: with a thread of its own an instance says what would be better,
// and loses nothing to crashes all the same.
func threadedKills(w *world) {
	random := rand.New(rand.NewPCG(seed, 3))
	w.customers("contoso", "fabrikam")
	w.start(w.inputOf(w.tenants, "Alias threads", "Threaded on", "Commit_Delay 2s", "Batch_Limit 50k"))
	w.says("set `threaded off` in this [INPUT]")
	for n := range 4 {
		for _, t := range w.tenants {
			t.AddBurst(100, time.Minute)
			t.AddLate(time.Second)
		}
		if n == 2 {
			w.polled(1, w.tenants...)
			w.stop()
		} else {
			w.killAtRandom(random, 0) // after records
		}
		w.start()
	}
	w.settle(nil, w.tenants...)
	w.stop()
	w.Log(w.audit(w.sink.Records(), w.tenants...))
}

// fullStorage: what the engine cannot take waits, and comes when it can; a batch
// that is too large for it comes in parts.
func fullStorage(w *world) {
	w.customers("contoso", "fabrikam")
	w.start(w.inputOf(w.tenants, "Alias full"))
	for n, fault := range [][2]string{{"storage full on", "storage full off"}, {"refuse over 30000", ""}} {
		w.command(fault[0])
		for _, t := range w.tenants {
			t.AddBurst(100, 0)
		}
		w.polled(2, w.tenants...)
		if fault[1] != "" {
			if came := len(w.sink.Records()); came > 0 {
				w.Errorf("%d records came through a full storage", came)
			}
			w.command(fault[1])
		}
		w.settle(nil, w.tenants...)
		w.Logf("%s: %d records", fault[0], len(w.sink.Records()))
		if want := 200 * (n + 1); len(w.sink.Records()) != want {
			w.Errorf("%s: %d records, not %d", fault[0], len(w.sink.Records()), want)
		}
	}
	w.stop()
	w.once(w.tenants...)
}

// pause: while the engine holds us back nothing is handed over, and what was only
// read when the engine ends, in order or by a crash, is read again.
func pause(w *world) {
	w.customers("contoso")
	contoso := w.tenants[0]
	contoso.AddBurst(50, time.Hour)
	w.start(w.inputOf(w.tenants, "Alias held", "Overlap 1s")) // what was read is behind it soon
	w.settle(nil, contoso)
	w.command("pause")
	contoso.AddBurst(50, 0)
	w.polled(2, contoso)
	if came := len(w.sink.Records()); came != 50 {
		w.Errorf("%d records came through a pause", came-50)
	}
	w.command("resume")
	w.command("busy 300")
	w.settle(nil, contoso)
	for _, end := range []func(){w.stop, w.kill} {
		w.command("pause")
		contoso.AddBurst(50, 0)
		w.polled(12, contoso) // time enough to commit what must not be
		end()
		w.start()
		w.settle(nil, contoso)
	}
	w.stop()
	w.Log(w.once(contoso))
}

// withoutAppend: an engine that does not export its append gets bytes, and
// restarts lose nothing.
func withoutAppend(w *world) {
	old := w.engine.(flbhost.Host)
	old.Path = must[string](w.T)(oldHostPath())
	w.engine = old
	w.customers("contoso", "fabrikam")
	for n := range 3 {
		for _, t := range w.tenants {
			t.AddBurst(100, time.Minute)
		}
		w.start(w.inputOf(w.tenants, "Alias old", fmt.Sprint("Commit_Delay ", n+1, "s"), "Batch_Limit 50k"))
		w.says("this Fluent Bit does not export flb_input_log_append")
		if n < 2 {
			w.arrives(100 * (n + 1))
			w.stop()
		}
	}
	w.settle(nil, w.tenants...)
	w.stop()
	w.Log(w.audit(w.sink.Records(), w.tenants...))
	if strings.Contains(strings.Join(w.log(), "\n"), "set `threaded off`") {
		w.Error("advice that does not help this engine")
	}
}
