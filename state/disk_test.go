package state

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

const nobody = 65534

// loseRole loses every permission on an open store, as a user who is not root.
func loseRole() {
	dir := os.Args[1]
	if os.Getuid() == 0 {
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, nobody, nobody), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			panic(err)
		}
	}
	s, err := Open(dir, Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println("first:", s.Commit(round(1)))
	if err := errors.Join(os.Chmod(s.path, 0), os.Chmod(dir, 0)); err != nil {
		panic(err)
	}
	fmt.Println("then:", s.Commit(round(2)), s.SaveToken("k", []byte("v")))
	fmt.Println("closed:", s.Close())
	_, err = Open(dir, Options{})
	fault := (*DiskError)(nil)
	fmt.Println("again:", errors.As(err, &fault), err)
	os.Exit(0)
}

// TestPermissionLostWhileRunning: an open store goes on, for its file is open;
// the next start says who needs what.
func TestPermissionLostWhileRunning(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	for up := filepath.Dir(dir); up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		must(t, os.Chmod(up, 0o711)) // nobody may pass
	}
	cmd, out := helper(t, "lose", dir)
	var said []string
	for out.Scan() {
		said = append(said, out.Text())
	}
	must(t, cmd.Wait())
	must(t, os.Chmod(dir, 0o700))
	must(t, os.Chmod(filepath.Join(dir, dbName), 0o600))
	want := []string{"first: <nil>", "then: <nil> <nil>", "closed: <nil>", "again: true state: opening the file in " + dir}
	for i, line := range want {
		if i >= len(said) || !strings.HasPrefix(said[i], line) {
			t.Fatalf("said %q", said)
		}
	}
	if !strings.Contains(said[3], "permission denied (it must belong to user ") {
		t.Errorf("said %q", said[3])
	}
	s := mustOpen(t, dir) // root may open it; its files stay nobody's
	if cp, _, err := s.Load(round(2)[0].Key); err != nil || !cp.Watermark.Equal(second(2)) {
		t.Errorf("%v, %v", cp.Watermark, err)
	}
	if os.Getuid() == 0 {
		for _, name := range []string{dbName, keyName, lockName} {
			ownedBy(t, filepath.Join(dir, name), nobody)
		}
	}
}

func ownedBy(t *testing.T, path string, want uint32) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
		t.Errorf("%s belongs to user %d, not %d", path, got, want)
	}
}

// TestRootKeepsNobodyOut: what root makes belongs to the folder's owner.
func TestRootKeepsNobodyOut(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("takes root")
	}
	dir := stateDir(t)
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chown(dir, nobody, nobody))
	must(t, mustOpen(t, dir).Close())
	for range 2 {
		for _, name := range []string{dbName, keyName, lockName} {
			ownedBy(t, filepath.Join(dir, name), nobody)
		}
		_, err := Rekey(dir, Options{}, RekeyOptions{})
		must(t, err)
	}
	elsewhere := filepath.Join(t.TempDir(), "key")
	_, err := Rekey(dir, Options{}, RekeyOptions{KeyFile: elsewhere})
	must(t, err)
	ownedBy(t, elsewhere, nobody)
}

// TestFolderBecomesALink: an open store stays where it is; the next start
// follows no link to a folder that may be another, and empty.
func TestFolderBecomesALink(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	must(t, s.Commit(round(1)))
	moved, other := dir+"-moved", t.TempDir()
	must(t, os.Rename(dir, moved))
	must(t, os.Symlink(other, dir))
	must(t, s.Commit(round(2)))
	must(t, s.SaveToken("k", []byte("v")))
	must(t, s.Close())
	if entries, err := os.ReadDir(other); err != nil || len(entries) > 0 {
		t.Errorf("written behind the link: %v, %v", entries, err)
	}
	for _, o := range []Options{{}, {Existing: true}} {
		if _, err := Open(dir, o); err == nil || !strings.Contains(err.Error(), "symbolic link, which is not followed: name "+other) {
			t.Errorf("opening the link: %v", err)
		}
	}
	s = mustOpen(t, moved)
	if cp, _, err := s.Load(round(2)[0].Key); err != nil || !cp.Watermark.Equal(second(2)) {
		t.Errorf("%v, %v", cp.Watermark, err)
	}
}

// TestExistingMakesNothing: the operator's tool opens what is there and makes nothing else.
func TestExistingMakesNothing(t *testing.T) {
	dir := stateDir(t)
	if _, err := Open(dir, Options{Existing: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	must(t, os.Mkdir(dir, 0o700))
	if _, err := Open(dir, Options{Existing: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no store: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("made %v, %v", entries, err)
	}
}

const retryRounds = 25

// retryRole commits each round until it is acknowledged, and prints it then.
func retryRole() {
	s, err := Open(os.Args[1], Options{})
	if err != nil {
		panic(err)
	}
	failed := 0
	for n := 1; n <= retryRounds; n++ {
		for s.Commit(round(n)) != nil {
			failed++
		}
		for s.SaveToken(fmt.Sprint("tenant", n%5), fmt.Append(nil, n)) != nil {
			failed++
		}
		fmt.Println(n)
	}
	fmt.Println("failed", failed)
	os.Exit(0)
}

// traced runs the retry role under strace and returns what it said and what was seen.
func traced(t *testing.T, dir string, flags ...string) (said, seen []string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	args := append([]string{"-f", "-y", "-o", trace}, flags...)
	cmd := exec.Command(strace, append(args, os.Args[0], dir)...)
	cmd.Env = append(os.Environ(), roleVariable+"=retry", quickExit)
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil && strings.Contains(faults.String(), "ptrace") {
		t.Skip("strace may not trace here")
	}
	if err != nil {
		t.Fatalf("%v: %s", err, faults.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n"), lines(t, trace)
}

func lines(t *testing.T, path string) (all []string) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	for scan := bufio.NewScanner(f); scan.Scan(); {
		all = append(all, scan.Text())
	}
	return all
}

var (
	tracedWrite  = regexp.MustCompile(`pwrite64\(\d+<[^>]*/(state\.db[a-z.]*)>`)
	tracedSync   = regexp.MustCompile(`f(?:data)?sync\(\d+<[^>]*/(state\.[a-z.]+)>`)
	tracedKey    = regexp.MustCompile(` write\(\d+<[^>]*/(state\.key\.new)>`)
	tracedRename = regexp.MustCompile(`rename[a-z0-9]*\(.*"[^"]*/(state\.[a-z.]+)", .*"[^"]*/(state\.[a-z.]+)"`)
	tracedFolder = regexp.MustCompile(`fsync\(\d+<[^>]*/defender>`)
	tracedAck    = regexp.MustCompile(` write\(1<.*"\d+\\n"`)
)

// TestSyncedBeforeAcknowledged watches the system calls: nothing written is
// waiting for the disk when a commit is acknowledged, no file gets its name
// before its content is on disk, and the folder is synced after each new name.
func TestSyncedBeforeAcknowledged(t *testing.T) {
	t.Parallel()
	said, seen := traced(t, stateDir(t), "-e", "trace=pwrite64,write,fsync,fdatasync,rename,renameat,renameat2")
	if len(said) != retryRounds+1 || said[retryRounds] != "failed 0" {
		t.Fatalf("said %q", said)
	}
	waiting := map[string]bool{} // written and not synced; "" is the folder
	acknowledged, renames := 0, 0
	for _, line := range seen {
		if m := tracedWrite.FindStringSubmatch(line); m != nil {
			waiting[m[1]] = true
		} else if m := tracedKey.FindStringSubmatch(line); m != nil {
			waiting[m[1]] = true
		} else if m := tracedSync.FindStringSubmatch(line); m != nil {
			delete(waiting, m[1])
		} else if tracedFolder.MatchString(line) {
			delete(waiting, "")
		} else if m := tracedRename.FindStringSubmatch(line); m != nil {
			if renames++; len(waiting) > 0 {
				t.Fatalf("not on disk: %v, at %s", waiting, line)
			}
			waiting[""] = true
		} else if tracedAck.MatchString(line) {
			if acknowledged++; len(waiting) > 0 {
				t.Fatalf("not on disk: %v, at %s", waiting, line)
			}
		}
	}
	if acknowledged != retryRounds || renames != 2 { // the key and the store
		t.Errorf("saw %d acknowledgements and %d renames in %d lines", acknowledged, renames, len(seen))
	}
}

// TestFailingDisk lets system calls fail now and then: what was acknowledged is
// there, and the store goes on when the disk does.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{
		"fdatasync:error=EIO:when=9+4", "fdatasync:error=ENOSPC:when=10+5",
		"pwrite64:error=EIO:when=40+97", "pwrite64:error=EROFS:when=41+101", "ftruncate:error=EIO:when=3+2",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			must(t, mustOpen(t, dir).Close())
			call, _, _ := strings.Cut(fault, ":")
			said, _ := traced(t, dir, "-e", "trace="+call, "-e", "inject="+fault)
			if last := said[len(said)-1]; len(said) != retryRounds+1 || last == "failed 0" && call != "ftruncate" {
				t.Errorf("said %q", said)
			} else {
				t.Log(last)
			}
			checkRound(t, dir, retryRounds)
			s := mustOpen(t, dir)
			if facts, err := s.Facts(); err != nil || facts.Sound() != nil {
				t.Errorf("%v, %v", err, facts.Sound())
			}
		})
	}
}

// TestDiskErrorSpeaks: every cause has its advice, and the cause can be asked for.
func TestDiskErrorSpeaks(t *testing.T) {
	for code, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "free some space", syscall.EDQUOT: "free some space", syscall.EROFS: "mount it writable",
		syscall.EACCES: "chown", syscall.EPERM: "chown", syscall.EFBIG: "LimitFSIZE", syscall.EIO: "the disk fails",
	} {
		for _, err := range []error{&os.PathError{Op: "write", Path: "/somewhere", Err: code}, fmt.Errorf("file resize error: %s", code)} {
			got := fault("/s/state.db", "saving", err)
			if disk := (*DiskError)(nil); !errors.As(got, &disk) || !errors.Is(got, code) || !strings.Contains(got.Error(), want) || strings.Contains(got.Error(), "/somewhere") {
				t.Errorf("%v: %v", code, got)
			}
			if again := fault("/other", "more", got); again != got {
				t.Errorf("said twice: %v", again)
			}
		}
	}
	if err := fault("/s", "saving", os.ErrDeadlineExceeded); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
