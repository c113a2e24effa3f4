package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var contoso = Key{Instance: "defender.0", Cloud: "login.microsoftonline.com", TenantID: "contoso.example", Feed: "alerts"}

// fewer is how many of n random trials a run makes: everything takes many times
// as long under the race detector, which has no more to find in the last of
// them than in the first; each run tries others.
func fewer(n int) int {
	switch {
	case underRace:
		return max(n/5, 1)
	case testing.Short():
		return max(n/3, 1)
	}
	return n
}

// remarks collects what Open has to say.
type remarks []string

func (r *remarks) options() Options {
	return Options{Notice: func(remark string) { *r = append(*r, remark) }}
}

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func day(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 100, time.UTC) }

func hash(n int) (h [16]byte) {
	copy(h[:], fmt.Sprintf("%016d", n))
	return h
}

func stateDir(t testing.TB) string { return filepath.Join(t.TempDir(), "defender") }

func TestSurvivesReopen(t *testing.T) {
	dir := stateDir(t)
	want := Checkpoint{Watermark: day(3), Since: day(2), Seen: []Seen{{hash(1), day(2)}, {hash(2), day(3)}}}
	s := mustOpen(t, dir)
	must(t, s.Commit([]Commit{{Key: contoso, Watermark: want.Watermark, Since: want.Since, Add: append(want.Seen, Seen{hash(3), day(1)})}}))
	must(t, s.SaveToken("login|contoso|app", []byte("refresh")))
	must(t, s.Close())

	s = mustOpen(t, dir)
	got, found, err := s.Load(contoso)
	if err != nil || !found || !cmp.Equal(got, want) {
		t.Errorf("found %v, err %v: %s", found, err, cmp.Diff(want, got))
	}
	token, found, err := s.LoadToken("login|contoso|app")
	if err != nil || !found || string(token) != "refresh" {
		t.Errorf("token %q, found %v, err %v", token, found, err)
	}
	if keys, err := s.Keys(); err != nil || !cmp.Equal(keys, []Key{contoso}) {
		t.Errorf("keys %v, err %v", keys, err)
	}
}

func TestUnknownIsNotFound(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	if cp, found, err := s.Load(contoso); found || err != nil || !cmp.Equal(cp, Checkpoint{}) {
		t.Errorf("checkpoint %v, %v, %v", cp, found, err)
	}
	if value, found, err := s.LoadToken("x"); found || err != nil || value != nil {
		t.Errorf("token %v, %v, %v", value, found, err)
	}
}

// TestOneBadStepUndoesAll: nothing of a failed transaction stays, and the store goes on.
func TestOneBadStepUndoesAll(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	other := contoso
	other.TenantID = "fabrikam.example"
	late := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, bad := range []Commit{{Key: other, Watermark: late}, {Key: other, Since: late}, {Key: other, Add: []Seen{{Stamp: late}}}} {
		if err := s.Commit([]Commit{{Key: contoso, Watermark: day(1)}, bad}); err == nil || !strings.Contains(err.Error(), "fabrikam.example") {
			t.Errorf("a time in the year 10000: %v", err)
		}
	}
	if _, found, err := s.Load(contoso); found || err != nil {
		t.Errorf("found %v, err %v", found, err)
	}
	must(t, s.Commit([]Commit{{Key: contoso, Watermark: day(1)}}))
}

func TestClosed(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	must(t, s.Close())
	must(t, s.Close())
	_, _, err := s.Load(contoso)
	if !errors.Is(err, ErrClosed) || !errors.Is(s.SaveToken("a", nil), ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestModes(t *testing.T) {
	dir := stateDir(t)
	mustOpen(t, dir)
	want := map[string]os.FileMode{"": 0o700, dbName: 0o600, keyName: 0o600, lockName: 0o600}
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%q has mode %04o, want %04o", name, info.Mode().Perm(), mode)
		}
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 3 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestFolderOfOthers(t *testing.T) {
	for mode, want := range map[os.FileMode]string{0o777: "refused", 0o770: "refused", 0o755: "remark", 0o700: ""} {
		dir := stateDir(t)
		must(t, os.Mkdir(dir, mode))
		must(t, os.Chmod(dir, mode))
		var said remarks
		s, err := Open(dir, said.options())
		got := ""
		if err != nil {
			got = "refused"
		} else {
			must(t, s.Close())
			if strings.Contains(strings.Join(said, "\n"), "entered by others") {
				got = "remark"
			}
		}
		if got != want {
			t.Errorf("mode %04o: %q, want %q (%v, %v)", mode, got, want, err, said)
		}
	}
}

func TestLooseFileIsTightened(t *testing.T) {
	dir := stateDir(t)
	must(t, mustOpen(t, dir).Close())
	path := filepath.Join(dir, dbName)
	must(t, os.Chmod(path, 0o644))
	mustOpen(t, dir)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, err %v", info.Mode(), err)
	}
}

// TestNoSymlinkIsFollowed puts a link where each file belongs.
func TestNoSymlinkIsFollowed(t *testing.T) {
	for _, name := range []string{dbName, keyName, lockName} {
		dir := stateDir(t)
		must(t, os.Mkdir(dir, 0o700))
		target := filepath.Join(t.TempDir(), "target")
		must(t, os.WriteFile(target, []byte("untouched"), 0o644))
		must(t, os.Symlink(target, filepath.Join(dir, name)))
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(target); err != nil || string(got) != "untouched" {
			t.Errorf("%s: the target now holds %q (%v)", name, got, err)
		}
		if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: the target's mode was changed", name)
		}
	}
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Getuid() == 0 {
		readOnlyMount(t)
		return
	}
	dir := stateDir(t)
	must(t, mustOpen(t, dir).Close())
	for _, name := range []string{dbName, lockName, keyName} {
		must(t, os.Chmod(filepath.Join(dir, name), 0o400))
	}
	must(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	_, err := Open(dir, Options{})
	if fault := (*DiskError)(nil); !errors.Is(err, os.ErrPermission) || !errors.As(err, &fault) {
		t.Errorf("read-only folder: %v", err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}
