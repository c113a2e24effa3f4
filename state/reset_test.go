package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// TestReset: back forgets what was delivered since, forward keeps what lies
// after, a damaged checkpoint is whole again, and one that is missing is made.
func TestReset(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	for n := 1; n <= 10; n++ {
		must(t, s.Commit(round(n)))
	}
	late := second(20)
	must(t, s.Commit([]Commit{{Key: round(0)[1].Key, Add: []Seen{{hash(1), late}}}}))
	back, forth, bad, missing := round(0)[0].Key, round(0)[1].Key, round(0)[2].Key, contoso
	must(t, s.update("harm", func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketCheckpoints).Put(appendKey(nil, bad), []byte("no record at all"))
	}))
	must(t, s.Close())
	s = mustOpen(t, dir)
	must(t, s.Reset([]Key{back, bad, missing}, second(4)))
	must(t, s.Reset([]Key{forth}, second(15)))
	must(t, s.Close())

	s = mustOpen(t, dir)
	for k, want := range map[Key]struct{ at, seen int }{back: {4, 0}, forth: {15, 1}, bad: {4, 0}, missing: {4, 0}, round(0)[3].Key: {10, 50}} {
		cp, found, err := s.Load(k)
		if err != nil || !found || !cp.Watermark.Equal(second(want.at)) || len(cp.Seen) != want.seen {
			t.Errorf("%s: %v, %d seen, %v, %v", k, cp.Watermark, len(cp.Seen), found, err)
		}
		if k != round(0)[3].Key && !cp.Since.Equal(cp.Watermark) {
			t.Errorf("%s: since %v", k, cp.Since)
		}
	}
	if facts, err := s.Facts(); err != nil || facts.Sound() != nil {
		t.Errorf("%v, %v", err, facts.Sound())
	}
	must(t, s.Commit(round(30)))
}

func TestResetIsAllOrNothing(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	must(t, s.Commit(round(1)))
	if err := s.Reset([]Key{round(1)[0].Key, round(1)[1].Key}, day(1).AddDate(9000, 0, 0)); err == nil {
		t.Error("a time in the year 11026")
	}
	must(t, s.Reset([]Key{round(1)[0].Key}, second(0)))
	noLeftovers(t, s)
}

// TestSetAside goes through all that keeps a store from opening: the error
// names the command, nothing begins anew by itself, and the command loses no byte.
func TestSetAside(t *testing.T) {
	type files = map[string][]byte
	newer := func(dir string) {
		s := mustOpen(t, dir)
		must(t, s.update("harm", func(tx *bbolt.Tx) error { return putAbout(tx, about{schema: schema + 1}) }))
		must(t, s.Close())
	}
	write := func(name, text string) func(string) {
		return func(dir string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)) }
	}
	for what, c := range map[string]struct {
		harm  func(dir string)
		aside int
	}{
		"garbage":     {write(dbName, "garbage"), 1},
		"empty":       {write(dbName, ""), 1},
		"cut":         {func(dir string) { must(t, os.Truncate(filepath.Join(dir, dbName), 9000)) }, 1},
		"newer":       {newer, 1},
		"wrong key":   {func(dir string) { must(t, os.Rename(keyFile(t, "x", 0o600), filepath.Join(dir, keyName))) }, 1},
		"garbage key": {write(keyName, "garbage"), 2},
		"empty key":   {write(keyName, ""), 2},
		"missing key": {func(dir string) { must(t, os.Remove(filepath.Join(dir, keyName))) }, 1},
		"two keys":    {func(dir string) { write(dbName, "garbage")(dir); write(nextName, "another")(dir) }, 2},
	} {
		t.Run(what, func(t *testing.T) {
			dir := filled(t, Options{})
			c.harm(dir)
			before := files{}
			for _, name := range []string{dbName, keyName, nextName} {
				if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
					before[name] = b
				}
			}
			for range 2 {
				_, err := Open(dir, Options{})
				if err == nil || !strings.Contains(err.Error(), "defenderctl state reset --path "+dir+" --all") {
					t.Errorf("opening it: %v", err)
				}
			}
			done, err := SetAside(dir, Options{}, day(1))
			if err != nil || len(done.Files) != c.aside || done.Fault == nil {
				t.Fatalf("%+v, %v", done, err)
			}
			for _, file := range done.Files {
				name, _, _ := strings.Cut(filepath.Base(file), ".unreadable-2026-01-01T00-00-00Z")
				if string(readFile(t, file)) != string(before[name]) {
					t.Errorf("%s is not what %s was", file, name)
				}
			}
			s := mustOpen(t, dir)
			if facts, err := s.Facts(); err != nil || facts.Sound() != nil || len(facts.Checkpoints)+len(facts.Tokens) > 0 {
				t.Errorf("not empty: %+v, %v", facts, err)
			}
			must(t, s.SaveToken("k", []byte("v")))
		})
	}
}

// TestSetAsideTwice in one second: neither is written over.
func TestSetAsideTwice(t *testing.T) {
	dir := stateDir(t)
	must(t, mustOpen(t, dir).Close())
	for n := range 3 {
		must(t, os.WriteFile(filepath.Join(dir, dbName), fmt.Append(nil, n), 0o600))
		if _, err := SetAside(dir, Options{}, day(1)); err != nil {
			t.Fatal(err)
		}
	}
	for n, suffix := range []string{"", "-2", "-3"} {
		if got := readFile(t, filepath.Join(dir, dbName+".unreadable-2026-01-01T00-00-00Z"+suffix)); string(got) != fmt.Sprint(n) {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// TestSetAsideRefused: in use, not there, or a key of the operator's that
// cannot be read: no new start cures that.
func TestSetAsideRefused(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	if _, err := SetAside(dir, Options{}, day(1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
	s := mustOpen(t, dir)
	var used *InUseError
	if _, err := SetAside(dir, Options{}, day(1)); !errors.As(err, &used) {
		t.Errorf("in use: %v", err)
	}
	must(t, s.Close())
	var key *KeyError
	if _, err := SetAside(dir, Options{KeyFile: filepath.Join(t.TempDir(), "none")}, day(1)); !errors.As(err, &key) {
		t.Errorf("no key: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
}
