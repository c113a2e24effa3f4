package flbhost

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inBoth runs test in the stand-in and, where it is found, in Fluent Bit: what
// the one does the other must do.
func inBoth(t *testing.T, test func(t *testing.T, e Engine)) {
	t.Run("host", func(t *testing.T) {
		t.Parallel()
		test(t, host(t))
	})
	t.Run("fluent-bit", func(t *testing.T) {
		t.Parallel()
		test(t, fluentBit(t))
	})
}

// traced starts e with the tracer as its plugin.
func traced(t *testing.T, e Engine, o Options) (*Process, calls) {
	t.Helper()
	c := follow(t, filepath.Join(t.TempDir(), "calls"))
	o.Plugin = tracer(t)
	o.Env = append(o.Env, "TRACER_FILE="+c.pipe.Name())
	p := launch(t, e, o)
	t.Cleanup(func() {
		p.Kill()
		c.close()
	})
	return p, c
}

const taken, refused = "InputCallbackCtx(tracer.0) append = 0", "InputCallbackCtx(tracer.0) append = -1"

// lengths counts the records by the length of their text.
func lengths(records []Record) map[int]int {
	n := map[int]int{}
	for _, record := range records {
		n[len(record.Fields["n"].(string))]++
	}
	return n
}

// What a chunk on disk holds comes after a SIGKILL; what memory held does not.
func TestKill(t *testing.T) {
	for storage, want := range map[string]bool{"filesystem": true, "memory": false} {
		t.Run(storage, func(t *testing.T) {
			inBoth(t, func(t *testing.T, e Engine) {
				dir, s := t.TempDir(), sink(t)
				s.SetDead(true)
				run := func(bytes int) (*Process, calls) {
					return traced(t, e, Options{Dir: dir, Sink: s, Inputs: []string{
						fmt.Sprintf("Name tracer\nThreaded off\nBytes %d\nStorage.Type %s", bytes, storage)}})
				}
				p, c := run(10)
				c.wait(t, taken, "")
				p.Kill()
				s.SetDead(false)
				p, c = run(20)
				c.wait(t, taken, "")
				check(t, s.Wait(p.While(patience(t)), func(r []Record) bool {
					n := lengths(r)
					return n[20] > 0 && (n[10] > 0 || !want)
				}))
				if n := lengths(s.Records()); n[10] > 0 && !want {
					t.Errorf("%d records of the killed process came from memory", n[10])
				}
			})
		})
	}
}

// What waits in the ring buffer of a threaded input dies with the process.
func TestKillBeforeDrain(t *testing.T) {
	dir, s, h := t.TempDir(), sink(t), host(t)
	h.Drain = time.Hour
	input := "Name tracer\nStorage.Type filesystem\nBytes "
	p, c := traced(t, h, Options{Dir: dir, Sink: s, Inputs: []string{input + "10"}})
	c.wait(t, taken, "")
	p.Kill()
	p, _ = traced(t, host(t), Options{Dir: dir, Sink: s, Inputs: []string{input + "20"}})
	check(t, s.Wait(p.While(patience(t)), func(r []Record) bool { return lengths(r)[20] > 0 }))
	if n := lengths(s.Records()); n[10] > 0 {
		t.Errorf("%d records came out of a ring buffer that was lost", n[10])
	}
}

// The chosen moment is exact: the last append is in its chunk, and the plugin
// never learnt of it.
func TestKillAfterAppend(t *testing.T) {
	dir, s := t.TempDir(), sink(t)
	s.SetDead(true)
	input := "Name tracer\nThreaded off\nStorage.Type filesystem\nBytes "
	p, c := traced(t, host(t), Options{Dir: dir, Sink: s, Inputs: []string{input + "10"}})
	c.wait(t, taken, "")
	check(t, p.Command(patience(t), "kill after append 3"))
	if err := p.Wait(patience(t)); err == nil || !strings.Contains(err.Error(), syscall.SIGKILL.String()) {
		t.Fatalf("the process ended with %v, not by SIGKILL", err)
	}
	learnt := strings.Count(strings.Join(c.all(t), "\n"), taken)
	s.SetDead(false)
	p, _ = traced(t, host(t), Options{Dir: dir, Sink: s, Inputs: []string{input + "20"}})
	check(t, s.Wait(p.While(patience(t)), func(r []Record) bool { return lengths(r)[20] > 0 && lengths(r)[10] > 0 }))
	if n := lengths(s.Records())[10]; n != learnt+1 {
		t.Errorf("%d records came, the plugin knew of %d: want one more", n, learnt)
	}
}

// Appends are refused while the engine cannot take them, and taken afterwards.
func TestRefusals(t *testing.T) {
	for _, fault := range [][2]string{
		{"storage full on", "storage full off"},
		{"refuse over 5", "refuse over 0"},
		{"pause", "resume"},
	} {
		t.Run(fault[0], func(t *testing.T) {
			t.Parallel()
			p, c := traced(t, host(t), Options{Inputs: []string{"Name tracer\nThreaded off\nBytes 10"}})
			again := taken
			c.wait(t, again, "")
			check(t, p.Command(patience(t), fault[0]))
			check(t, p.Command(patience(t), "collect"))
			c.wait(t, refused, "")
			check(t, p.Command(patience(t), fault[1]))
			c.wait(t, again, refused)
		})
	}
}

// A batch larger than an output's storage.total_limit_size is refused.
func TestTotalLimit(t *testing.T) {
	inBoth(t, func(t *testing.T, e Engine) {
		s := sink(t)
		_, c := traced(t, e, Options{Sink: s, Output: "Storage.Total_Limit_Size 2k",
			Inputs: []string{"Name tracer\nThreaded off\nBytes 30000\nStorage.Type filesystem"}})
		c.wait(t, refused, "")
	})
}

// An append that no output wants is taken, and gone.
func TestUnwanted(t *testing.T) {
	inBoth(t, func(t *testing.T, e Engine) {
		s, dir := sink(t), t.TempDir()
		p, c := traced(t, e, Options{Sink: s, Dir: dir, Output: "Match nobody.*",
			Inputs: []string{"Name tracer\nThreaded off\nBytes 10\nStorage.Type filesystem"}})
		c.wait(t, taken, "")
		check(t, p.Stop(patience(t)))
		left := 0
		check(t, filepath.Walk(filepath.Join(dir, "storage"), func(_ string, f os.FileInfo, err error) error {
			if err == nil && f.Mode().IsRegular() && f.Size() > 0 {
				left++
			}
			return err
		}))
		if left > 0 {
			t.Errorf("%d chunks are left", left)
		}
	})
}

// A paused input goes on when its chunks are gone: pause_on_chunks_overlimit.
func TestChunkLimit(t *testing.T) {
	inBoth(t, func(t *testing.T, e Engine) {
		s := sink(t)
		s.SetDead(true)
		_, c := traced(t, e, Options{Sink: s, Service: "Storage.Max_Chunks_Up 2",
			Inputs: []string{"Name tracer\nThreaded off\nBytes 1500000\nStorage.Type filesystem\nStorage.Pause_On_Chunks_Overlimit on"}})
		c.wait(t, "InputPause", "")
		s.SetDead(false)
		c.wait(t, taken, "InputResume")
	})
}

// The file output writes a line a record: tag, time and the record as JSON.
func TestFileOutput(t *testing.T) {
	inBoth(t, func(t *testing.T, e Engine) {
		path := filepath.Join(t.TempDir(), "records")
		check(t, syscall.Mkfifo(path, 0o600))
		pipe := must[*os.File](t)(os.OpenFile(path, os.O_RDWR, 0))
		defer pipe.Close()
		traced(t, e, Options{Output: "Name file\nPath " + filepath.Dir(path) + "\nFile records",
			Inputs: []string{"Name tracer\nThreaded off\nBytes 10"}})
		line := must[string](t)(bufio.NewReader(pipe).ReadString('\n'))
		if want := regexp.MustCompile(`^tracer\.0: \[0\.000000000, \{"n":"xxxxxxxxxx"\}\]\n$`); !want.MatchString(line) {
			t.Errorf("the line is %q", line)
		}
	})
}

// SIGTERM waits for what is pending, but no longer than the grace.
func TestGrace(t *testing.T) {
	inBoth(t, func(t *testing.T, e Engine) {
		s := sink(t)
		s.SetDead(true)
		p, c := traced(t, e, Options{Sink: s, Service: "Grace 2", Inputs: []string{"Name tracer\nThreaded off\nBytes 10"}})
		c.wait(t, taken, "")
		check(t, p.Stop(patience(t)))
		must[string](t)(p.WaitLog(patience(t), "service has stopped"))
	})
}
