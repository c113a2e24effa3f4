package flbhost

import (
	"bufio"
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "record testdata/traces from the Fluent Bit that is found")

// scenarios are what an engine is put through with the tracer as its plugin.
var scenarios = []struct {
	name   string
	inputs []string
	memory bool // the sink is dead at first, so that memory fills
	run    func(t *testing.T, p *Process, s *Sink, calls calls)
	cut    string // the recording ends with the first call of this name
}{
	{
		name:   "unthreaded",
		inputs: []string{"Name tracer\nBytes 10\nThreaded off"},
		run:    collectAndStop("tracer.0"),
	},
	{
		name:   "threaded",
		inputs: []string{"Name tracer\nBytes 10"},
		run:    collectAndStop("tracer.0"),
	},
	{
		name:   "two unthreaded",
		inputs: []string{"Name tracer\nThreaded off", "Name tracer\nAlias second\nThreaded off"},
		run:    collectAndStop("tracer.0", "second"),
	},
	{
		name:   "two threaded",
		inputs: []string{"Name tracer", "Name tracer\nAlias second"},
		run:    collectAndStop("tracer.0", "second"),
	},
	{
		name:   "hot reload",
		inputs: []string{"Name tracer\nBytes 10\nThreaded off"},
		run:    reloadAndStop("tracer.0"),
	},
	{
		name:   "hot reload threaded",
		inputs: []string{"Name tracer\nBytes 10"},
		run:    reloadAndStop("tracer.0"),
	},
	{
		name:   "hot reload two unthreaded",
		inputs: []string{"Name tracer\nThreaded off", "Name tracer\nAlias second\nThreaded off"},
		run:    reloadAndStop("tracer.0", "second"),
	},
	{
		name:   "memory limit",
		inputs: []string{"Name tracer\nBytes 6000\nThreaded off\nMem_Buf_Limit 5000"},
		memory: true,
		run: func(t *testing.T, p *Process, s *Sink, calls calls) {
			calls.wait(t, "InputPause", "")
			s.SetDead(false)
			calls.wait(t, "InputResume", "")
		},
		cut: "InputResume",
	},
	{
		name:   "memory limit threaded",
		inputs: []string{"Name tracer\nBytes 6000\nMem_Buf_Limit 5000"},
		memory: true,
		run: func(t *testing.T, p *Process, s *Sink, calls calls) {
			calls.wait(t, "InputPause", "")
			s.SetDead(false)
			calls.wait(t, "InputResume", "")
		},
		cut: "InputResume",
	},
	{
		name:   "second refuses to start",
		inputs: []string{"Name tracer\nThreaded off", "Name tracer\nAlias second\nThreaded off\nFail on"},
		run: func(t *testing.T, p *Process, s *Sink, calls calls) {
			if err := p.Wait(patience(t)); err == nil {
				t.Error("the engine ended without an error, though an input refused to start")
			}
		},
	},
}

func collectAndStop(instances ...string) func(*testing.T, *Process, *Sink, calls) {
	return func(t *testing.T, p *Process, s *Sink, calls calls) {
		for _, name := range instances {
			calls.wait(t, "InputCallbackCtx("+name+")", "")
		}
		check(t, p.Stop(patience(t)))
	}
}

func reloadAndStop(instances ...string) func(*testing.T, *Process, *Sink, calls) {
	return func(t *testing.T, p *Process, s *Sink, calls calls) {
		for _, name := range instances {
			calls.wait(t, "InputCallbackCtx("+name+")", "")
		}
		check(t, p.Reload(patience(t)))
		calls.wait(t, "Unregister", "") // the recording may lag behind the log
		for _, name := range instances {
			calls.wait(t, "InputCallbackCtx("+name+")", "Unregister")
		}
		check(t, p.Stop(patience(t)))
	}
}

// TestTraces holds the stand-in, and Fluent Bit where it is found, to the
// recordings of Fluent Bit 5.1.1 in testdata/traces.
func TestTraces(t *testing.T) {
	for _, scenario := range scenarios {
		golden := filepath.Join("testdata", "traces", strings.ReplaceAll(scenario.name, " ", "-")+".txt")
		record := func(t *testing.T, e Engine) string {
			s := sink(t)
			s.SetDead(scenario.memory)
			file := filepath.Join(t.TempDir(), "calls")
			calls := follow(t, file)
			p := launch(t, e, Options{Plugin: tracer(t), Inputs: scenario.inputs, Sink: s, Env: []string{"TRACER_FILE=" + file}})
			scenario.run(t, p, s, calls)
			p.Kill()
			return normal(calls.all(t), scenario.cut)
		}
		t.Run("fluent-bit/"+scenario.name, func(t *testing.T) {
			t.Parallel()
			got := record(t, fluentBit(t))
			if *update {
				check(t, os.MkdirAll(filepath.Dir(golden), 0o755))
				check(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			compare(t, golden, got)
		})
		t.Run("host/"+scenario.name, func(t *testing.T) {
			t.Parallel()
			if *update {
				t.Skip("recording")
			}
			compare(t, golden, record(t, host(t)))
		})
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	want := must[[]byte](t)(os.ReadFile(golden))
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("calls differ from %s (-recorded +now):\n%s", golden, diff)
	}
}

// normal takes out of a recording what is up to the moment: how often an
// instance was collected in a row, whether it was once more after a pause, and
// how the instances' own threads interleave.
func normal(lines []string, cut string) string {
	var kept []string
	paused := false
	seen := map[string]bool{} // collects since any other call on an engine's thread
	for _, line := range lines {
		thread, call, _ := strings.Cut(line, " ")
		if strings.HasPrefix(call, "InputCallbackCtx") {
			nested := cut != "" // the pause comes from inside the collect
			if (!paused || nested) && !seen[line] {
				kept = append(kept, line)
			}
			seen[line] = true
			continue
		}
		switch {
		case call == "InputPause":
			paused = true
		case call == "InputResume" || strings.HasPrefix(call, "Init("):
			paused = false
		}
		if thread != "main" {
			clear(seen)
		}
		kept = append(kept, line)
		if call == cut {
			break
		}
	}
	return strings.Join(threadByThread(kept), "\n") + "\n"
}

// threadByThread sorts each run of calls on instances' own threads by thread.
func threadByThread(lines []string) []string {
	own := func(line string) bool { return strings.HasPrefix(line, "flb-in-") }
	for start := 0; start < len(lines); start++ {
		end := start
		for end < len(lines) && own(lines[end]) {
			end++
		}
		slices.SortStableFunc(lines[start:end], func(a, b string) int {
			threadA, _, _ := strings.Cut(a, " ")
			threadB, _, _ := strings.Cut(b, " ")
			return strings.Compare(threadA, threadB)
		})
		start = end
	}
	return lines
}

// calls are the lines that the tracer writes, as they come.
type calls struct {
	pipe  *os.File
	lines *board[string]
}

const lastCall = "the test is over"

// follow makes the named pipe that the tracer writes to, and reads it.
func follow(t *testing.T, path string) calls {
	check(t, syscall.Mkfifo(path, 0o600))
	pipe := must[*os.File](t)(os.OpenFile(path, os.O_RDWR, 0)) // never at its end
	c := calls{pipe, newBoard[string]()}
	go func() {
		for scanner := bufio.NewScanner(pipe); scanner.Scan() && scanner.Text() != lastCall; {
			c.lines.add(scanner.Text())
		}
		c.lines.end()
		pipe.Close()
	}()
	return c
}

// close ends the following, unless all has.
func (c calls) close() { c.pipe.WriteString(lastCall + "\n") }

// all returns every call; nothing more may come.
func (c calls) all(t *testing.T) []string {
	t.Helper()
	c.close()
	must[bool](t)(c.lines.until(context.WithoutCancel(t.Context()), func([]string) bool { return false }))
	return c.lines.all()
}

// wait waits for a call that begins so, behind the last one that begins with after.
func (c calls) wait(t *testing.T, call, after string) {
	t.Helper()
	found, err := c.lines.until(patience(t), func(lines []string) bool {
		for _, line := range slices.Backward(lines) {
			_, name, _ := strings.Cut(line, " ")
			if strings.HasPrefix(name, call) {
				return true
			}
			if after != "" && strings.HasPrefix(name, after) {
				return false
			}
		}
		return false
	})
	if err != nil || !found {
		t.Fatalf("waiting for %s: %v; so far:\n%s", call, err, strings.Join(c.lines.all(), "\n"))
	}
}
