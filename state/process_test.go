package state

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary is also the second process: this variable tells it what to do.
const roleVariable = "STATE_TEST_ROLE"

// quickExit: under the race detector a process lingers a second at its end.
const quickExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "hold":
		holdRole()
	case "write":
		writeRole()
	case "full":
		fullRole()
	case "rekey":
		rekeyRole()
	case "lose":
		loseRole()
	case "retry":
		retryRole()
	default:
		panic("unknown role " + role)
	}
}

func helper(t *testing.T, role string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, quickExit)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

func holdRole() {
	if _, err := Open(os.Args[1], Options{}); err != nil {
		panic(err)
	}
	fmt.Println("open")
	select {}
}

func TestSecondProcessIsRefusedByName(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	cmd, out := helper(t, "hold", dir)
	if !out.Scan() {
		t.Fatal("the holder did not start")
	}
	_, err := Open(dir, Options{})
	var used *InUseError
	if !errors.As(err, &used) || used.PID != cmd.Process.Pid || used.Command != command(cmd.Process.Pid) || used.Self {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) || !strings.Contains(err.Error(), used.Command) {
		t.Errorf("the message does not name it: %v", err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	mustOpen(t, dir) // a killed holder leaves nothing in the way
}

func TestSecondOpenInProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	mustOpen(t, dir)
	_, err := Open(dir, Options{})
	var used *InUseError
	if !errors.As(err, &used) || !used.Self || !strings.Contains(err.Error(), "already open in this process") {
		t.Errorf("got %v", err)
	}
}

// TestStaleOwnerIsNotNamed: the lock is held, but who wrote the file is gone.
func TestStaleOwnerIsNotNamed(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	for text, want := range map[string]string{
		fmt.Sprintf("1\nno such thing\n%s\n%s\n", host(), pidSpace()): "another process",
		"7\nfluent-bit\nelsewhere\npid:[1]\n":                         "process 7 (fluent-bit) on elsewhere",
		"":                                                            "another process",
		"x\ny\nz\n\n":                                                 "another process",
		"7\nbad\x1b[31m\nelse\x07where\npid:[1]\n": "process 7 (bad?[31m) on else?where",
	} {
		must(t, s.lock.Truncate(0))
		_, err := s.lock.WriteAt([]byte(text), 0)
		must(t, err)
		f, err := os.Open(s.lock.Name())
		must(t, err)
		if err := inUse(dir, f); err == nil || !strings.Contains(err.Error(), want+":") {
			t.Errorf("%q: %v", text, err)
		}
		must(t, f.Close())
	}
}

// writeRole commits and saves tokens for ever and prints a number after each acknowledged round.
func writeRole() {
	s, err := Open(os.Args[1], Options{})
	if err != nil {
		panic(err)
	}
	from, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	for n := from; ; n++ {
		if err := s.Commit(round(n)); err != nil {
			panic(err)
		}
		if err := s.SaveToken(fmt.Sprint("tenant", n%5), []byte(strconv.Itoa(n))); err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

const crashTenants = 20

// round n moves twenty tenants to second n and keeps the seen entries of the last thirty.
func round(n int) (cs []Commit) {
	for i := range crashTenants {
		c := Commit{Key: contoso, Watermark: second(n), Since: second(n - 30)}
		c.Key.TenantID = fmt.Sprint("tenant", i)
		for j := range 5 {
			var h [16]byte
			binary.BigEndian.PutUint64(h[:], uint64(n*5+j))
			c.Add = append(c.Add, Seen{h, second(n)})
		}
		cs = append(cs, c)
	}
	return cs
}

func second(n int) time.Time { return day(1).Add(time.Duration(n) * time.Second) }

// TestKilledWhileWriting kills the writer at random moments, time and again over
// one folder: all that it acknowledged is there, whole, and all tenants are at one step.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	kills := max(fewer(40), 15)
	dir, last := stateDir(t), 0
	for range kills {
		cmd, out := helper(t, "write", dir, strconv.Itoa(last+1))
		for range 1 + rand.IntN(15) {
			if !out.Scan() {
				t.Fatal("the writer ended by itself")
			}
			last = atoi(t, out.Text())
		}
		wait := time.NewTimer(time.Duration(rand.IntN(3000)) * time.Microsecond) // somewhere in the next commit
		<-wait.C
		must(t, cmd.Process.Kill())
		for out.Scan() {
			last = atoi(t, out.Text())
		}
		_ = cmd.Wait()
		checkRound(t, dir, last)
	}
	t.Logf("%d kills, %d rounds of %d tenants", kills, last, crashTenants)
}

// checkRound sees that the store is at the acknowledged round, or at the next.
func checkRound(t *testing.T, dir string, acknowledged int) {
	t.Helper()
	s := mustOpen(t, dir)
	defer s.Close()
	at := -1
	for i, c := range round(0) {
		cp, found, err := s.Load(c.Key)
		if err != nil || !found {
			t.Fatalf("%v: found %v, err %v", c.Key, found, err)
		}
		n := int(cp.Watermark.Sub(second(0)) / time.Second)
		if i == 0 {
			at = n
		}
		if n != at || n < acknowledged || n > acknowledged+1 || len(cp.Seen) != 5*min(n, 31) {
			t.Fatalf("%v: at round %d with %d seen, acknowledged %d, others at %d", c.Key, n, len(cp.Seen), acknowledged, at)
		}
	}
	for n := max(1, acknowledged-4); n <= acknowledged; n++ {
		v, found, err := s.LoadToken(fmt.Sprint("tenant", n%5))
		if err != nil || !found || atoi(t, string(v)) != n && atoi(t, string(v)) != n+5 {
			t.Fatalf("token of round %d: %q, %v, %v", n, v, found, err)
		}
	}
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
