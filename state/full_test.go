package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mount gives a small file system of its own; only root can.
func mount(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a file system of its own takes root")
	}
	at := t.TempDir()
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return at
}

func readOnlyMount(t *testing.T) {
	at := mount(t, "1m")
	must(t, mustOpen(t, at).Close())
	must(t, syscall.Mount("", at, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	_, err := Open(at, Options{})
	if fault := (*DiskError)(nil); !errors.Is(err, syscall.EROFS) || !errors.As(err, &fault) || !strings.Contains(err.Error(), "mount it writable") {
		t.Errorf("read-only file system: %v", err)
	}
}

// fill commits until the disk is full and returns how many commits were acknowledged.
func fill(s *Store) (int, error) {
	for n := 1; ; n++ {
		c := Commit{Key: contoso, Watermark: second(n)}
		for i := range 200 {
			c.Add = append(c.Add, Seen{hash(n*1000 + i), second(n)})
		}
		if err := s.Commit([]Commit{c}); err != nil {
			return n - 1, err
		}
	}
}

// atStep checks that the store holds just the acknowledged commits.
func atStep(s *Store, n int) error {
	cp, found, err := s.Load(contoso)
	if err != nil || !found || !cp.Watermark.Equal(second(n)) || len(cp.Seen) != 200*n {
		return fmt.Errorf("after %d commits: found %v, watermark %v, %d seen, err %w", n, found, cp.Watermark, len(cp.Seen), err)
	}
	return nil
}

// TestDiskFull: the failed commit leaves nothing, what was acknowledged stays
// readable, and once there is room the same store goes on.
func TestDiskFull(t *testing.T) {
	at := mount(t, "2m")
	ballast := filepath.Join(at, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	dir := filepath.Join(at, "defender")
	s := mustOpen(t, dir)
	n, err := fill(s)
	if fault := (*DiskError)(nil); !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &fault) || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("full disk: %v", err)
	}
	must(t, atStep(s, n))
	must(t, os.Remove(ballast))
	must(t, s.Commit([]Commit{{Key: contoso, Since: second(n + 1), Watermark: second(n + 1)}}))
	must(t, s.Close())
	s = mustOpen(t, dir)
	if cp, _, err := s.Load(contoso); err != nil || !cp.Watermark.Equal(second(n+1)) || len(cp.Seen) != 0 {
		t.Errorf("after the disk had room again: %v, %v", cp, err)
	}
}

// fullRole runs into a limit on the size of its files.
func fullRole() {
	s, err := Open(os.Args[1], Options{})
	if err != nil {
		panic(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
		panic(err)
	}
	n, err := fill(s)
	if fault := (*DiskError)(nil); !errors.As(err, &fault) || !errors.Is(err, syscall.EFBIG) {
		panic(err)
	}
	if err := atStep(s, n); err != nil {
		panic(err)
	}
	fmt.Println(n)
	os.Exit(0)
}

// TestFileSizeLimit needs no root: Go programs get EFBIG, not SIGXFSZ.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	cmd, out := helper(t, "full", dir)
	if !out.Scan() {
		t.Fatal("the writer said nothing")
	}
	_ = cmd.Wait() // Open waits a second at most
	s := mustOpen(t, dir)
	must(t, atStep(s, atoi(t, out.Text())))
}
