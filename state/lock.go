package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lockPatience is how long Open waits for a predecessor that is just leaving.
const lockPatience = time.Second

// lock takes the folder for this process and writes into the lock file who holds
// it. The kernel frees it when the process ends, however it ends; the file stays.
func lock(dir string) (*os.File, error) {
	f, err := openOwn(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	err = flock(f)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = inUse(dir, f)
	case err != nil:
		err = fault(f.Name(), "locking", err)
	default:
		err = sign(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func flock(f *os.File) error {
	end := time.Now().Add(lockPatience)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		held := errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR)
		if !held || time.Now().After(end) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sign writes pid, command, host and pid namespace, a line each.
func sign(f *os.File) error {
	text := fmt.Sprintf("%d\n%s\n%s\n%s\n", os.Getpid(), command(os.Getpid()), host(), pidSpace())
	if err := f.Truncate(0); err != nil {
		return fault(f.Name(), "writing the lock file", err)
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return fault(f.Name(), "writing the lock file", err)
	}
	return nil
}

// inUse reads who holds the lock. What a process that is gone left there is not believed.
func inUse(dir string, f *os.File) error {
	e := &InUseError{Dir: dir}
	text, err := readSmall(f, 4096)
	if err != nil {
		return e
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 {
		return e
	}
	pid, err := strconv.Atoi(lines[0])
	if err != nil || pid < 1 {
		return e
	}
	name := printable(lines[1])
	switch {
	case lines[2] != host() || lines[3] != pidSpace():
		e.PID, e.Command, e.Host = pid, name, printable(lines[2])
	case pid == os.Getpid():
		e.PID, e.Command, e.Self = pid, name, true
	case name == "" || name == command(pid):
		e.PID, e.Command = pid, name
	}
	return e
}

// command is what the kernel calls the process, "" when there is none.
func command(pid int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return printable(string(bytes.TrimSuffix(comm, []byte("\n"))))
}

func host() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// pidSpace tells containers apart that share a host name: their pids mean different processes.
func pidSpace() string {
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return space
}

// printable keeps a foreign name from forging log lines.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
