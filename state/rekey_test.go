package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

const rekeyTokens = 200

// filled is a store with something of everything.
func filled(t testing.TB, o Options) (dir string) {
	t.Helper()
	dir = stateDir(t)
	s, err := Open(dir, o)
	must(t, err)
	must(t, s.Commit(round(1)))
	must(t, s.update("filling", func(tx *bbolt.Tx) error {
		a, err := getAbout(tx)
		must(t, err)
		a.tokens = rekeyTokens
		must(t, putAbout(tx, a))
		for n := range rekeyTokens {
			must(t, putToken(tx, s.sealer, fmt.Sprint("tenant", n), []byte(fmt.Sprint("token", n)), day(1)))
		}
		return nil
	}))
	must(t, s.Close())
	return dir
}

// whole sees that nothing of what filled wrote is missing or damaged.
func whole(t testing.TB, dir string, o Options) {
	t.Helper()
	s, err := Open(dir, o)
	must(t, err)
	defer s.Close()
	facts, err := s.Facts()
	must(t, errors.Join(err, facts.Sound()))
	if len(facts.Checkpoints) != crashTenants || len(facts.Tokens) != rekeyTokens || facts.Checkpoints[0].Seen != 5 {
		t.Fatalf("%d checkpoints, %d tokens", len(facts.Checkpoints), len(facts.Tokens))
	}
	for n, token := range facts.Tokens {
		value, found, err := s.LoadToken(token.Key)
		if err != nil || !found || string(value) != strings.Replace(token.Key, "tenant", "token", 1) || !token.Saved.Equal(day(1)) {
			t.Fatalf("token %d: %q, %v, %v", n, value, found, err)
		}
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if e.Name() != dbName && e.Name() != keyName && e.Name() != lockName {
			t.Fatalf("left behind: %s", e.Name())
		}
	}
}

func TestRekey(t *testing.T) {
	dir := filled(t, Options{})
	own := filepath.Join(dir, keyName)
	oldKey, oldDB := readFile(t, own), readFile(t, filepath.Join(dir, dbName))
	done, err := Rekey(dir, Options{}, RekeyOptions{})
	if err != nil || done.Tokens != rekeyTokens || done.Forgotten != 0 || done.KeyPath != own {
		t.Fatalf("%+v, %v", done, err)
	}
	newKey := readFile(t, own)
	if bytes.Equal(oldKey, newKey) {
		t.Fatal("the key is the old one")
	}
	whole(t, dir, Options{})

	// The old key opens nothing of the new file, not even on pages given up.
	must(t, os.WriteFile(own, oldKey, 0o600))
	var wrong *KeyError
	if _, err := Open(dir, Options{}); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "defenderctl state reset --path "+dir+" --all") {
		t.Errorf("the old key: %v", err)
	}
	must(t, os.WriteFile(own, newKey, 0o600))
	fresh := readFile(t, filepath.Join(dir, dbName))
	for n := 0; n+64 <= len(oldDB); n++ { // a sealed token is 8 bytes of time, nonce, ciphertext, tag
		if at := oldDB[n : n+24]; bytes.HasPrefix(at, ticksOf(day(1))) && bytes.Contains(fresh, at) {
			t.Fatal("a token sealed with the old key stands in the new file")
		}
	}
	for _, name := range []string{dbName, keyName} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func ticksOf(at time.Time) []byte {
	ticks, _ := toTicks(at)
	return token{saved: ticks}.encode()
}

// TestRekeyBetweenKeyFiles: from the folder's own key to one elsewhere, on to
// another that has to be made, and back.
func TestRekeyBetweenKeyFiles(t *testing.T) {
	dir := filled(t, Options{})
	first, second := keyFile(t, "b", 0o600), filepath.Join(t.TempDir(), "second")
	_, err := Rekey(dir, Options{}, RekeyOptions{KeyFile: first})
	must(t, err)
	if _, err := os.Lstat(filepath.Join(dir, keyName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder's own key is still there: %v", err)
	}
	whole(t, dir, Options{KeyFile: first})

	_, err = Rekey(dir, Options{KeyFile: first}, RekeyOptions{KeyFile: second})
	must(t, err)
	whole(t, dir, Options{KeyFile: second})
	var wrong *KeyError
	for what, to := range map[string]string{"only ever read": "", "in use already": second} {
		if _, err := Rekey(dir, Options{KeyFile: second}, RekeyOptions{KeyFile: to}); !errors.As(err, &wrong) || !strings.Contains(err.Error(), what) {
			t.Errorf("to %q: %v", to, err)
		}
	}
	if _, err := Open(dir, Options{KeyFile: first}); !errors.As(err, &wrong) {
		t.Errorf("the key before: %v", err)
	}

	_, err = Rekey(dir, Options{KeyFile: second}, RekeyOptions{KeyFile: filepath.Join(dir, keyName)})
	must(t, err)
	whole(t, dir, Options{})
}

// TestRekeyOverDamage: a token that does not unseal is not lost unasked.
func TestRekeyOverDamage(t *testing.T) {
	dir := filled(t, Options{})
	s := mustOpen(t, dir)
	must(t, s.update("harm", func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketTokens).Put([]byte("tenant7"), []byte("no record at all"))
	}))
	must(t, s.Close())
	before := readFile(t, s.path)
	var damaged *CorruptError
	if _, err := Rekey(dir, Options{}, RekeyOptions{}); !errors.As(err, &damaged) {
		t.Fatalf("got %v", err)
	}
	if !bytes.Equal(before, readFile(t, s.path)) {
		t.Error("a refused change of key changed the store")
	}
	mustOpen(t, dir).Close()
	done, err := Rekey(dir, Options{}, RekeyOptions{ForgetDamaged: true})
	if err != nil || done.Tokens != rekeyTokens-1 || done.Forgotten != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	s = mustOpen(t, dir)
	if facts, err := s.Facts(); err != nil || facts.Sound() != nil || len(facts.Tokens) != rekeyTokens-1 {
		t.Errorf("%d tokens, %v, %v", len(facts.Tokens), err, facts.Sound())
	}
}

// TestRekeyStoppedAtEveryStep lays out what a kill after each step leaves.
func TestRekeyStoppedAtEveryStep(t *testing.T) {
	base := filled(t, Options{})
	file := func(dir, name string) string { return filepath.Join(dir, name) }
	oldDB, oldKey := readFile(t, file(base, dbName)), readFile(t, file(base, keyName))
	_, err := Rekey(base, Options{}, RekeyOptions{})
	must(t, err)
	newDB, newKey := readFile(t, file(base, dbName)), readFile(t, file(base, keyName))

	for what, files := range map[string]map[string][]byte{
		"half a key":           {dbName: oldDB, keyName: oldKey, nextName + halfSuffix: newKey[:9]},
		"the key lies ready":   {dbName: oldDB, keyName: oldKey, nextName: newKey},
		"half a store":         {dbName: oldDB, keyName: oldKey, nextName: newKey, dbName + halfSuffix: newDB[:5000]},
		"the store lies ready": {dbName: oldDB, keyName: oldKey, nextName: newKey, dbName + halfSuffix: newDB},
		"the store is in":      {dbName: newDB, keyName: oldKey, nextName: newKey},
		"all is done":          {dbName: newDB, keyName: newKey},
		"before, then no key":  {dbName: newDB, nextName: newKey}, // from a key file to the folder's own
	} {
		t.Run(what, func(t *testing.T) {
			dir := stateDir(t)
			must(t, os.Mkdir(dir, 0o700))
			for name, content := range files {
				must(t, os.WriteFile(file(dir, name), content, 0o600))
			}
			whole(t, dir, Options{})
			whole(t, dir, Options{})
		})
	}
}

// TestWrongKeyDoesNotCostTheNextOne: what may be the only key that opens the store is kept.
func TestWrongKeyDoesNotCostTheNextOne(t *testing.T) {
	dir := filled(t, Options{})
	must(t, os.Rename(keyFile(t, "x", 0o600), filepath.Join(dir, nextName)))
	must(t, os.Rename(keyFile(t, "y", 0o600), filepath.Join(dir, keyName)))
	var wrong *KeyError
	if _, err := Open(dir, Options{}); !errors.As(err, &wrong) {
		t.Fatalf("got %v", err)
	}
	readFile(t, filepath.Join(dir, nextName))
}

// rekeyRole changes the key again and again: the folder's own, or to and fro between two files.
func rekeyRole() {
	dir, files := os.Args[1], os.Args[2:]
	for n := 0; ; n++ {
		var o Options
		var to RekeyOptions
		if len(files) == 2 {
			o.KeyFile, to.KeyFile = files[n%2], files[(n+1)%2]
		}
		fmt.Println("next")
		if _, err := Rekey(dir, o, to); err != nil {
			panic(err)
		}
	}
}

// TestKilledWhileRekeying kills it at random moments: the store opens, with one
// of the two keys, and all of it is there.
func TestKilledWhileRekeying(t *testing.T) {
	t.Parallel()
	kills := max(fewer(40), 12)
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprint("elsewhere ", elsewhere), func(t *testing.T) {
			t.Parallel()
			var files []string
			var o Options
			if elsewhere {
				files = []string{keyFile(t, "a", 0o600), keyFile(t, "b", 0o600)}
				o.KeyFile = files[0]
			}
			dir := filled(t, o)
			changed := 0
			for range kills {
				cmd, out := helper(t, "rekey", append([]string{dir}, files...)...)
				for range 1 + rand.IntN(2) {
					if !out.Scan() {
						t.Fatal("it ended by itself")
					}
				}
				wait := time.NewTimer(time.Duration(rand.IntN(12_000)) * time.Microsecond)
				<-wait.C
				must(t, cmd.Process.Kill())
				for out.Scan() {
				}
				_ = cmd.Wait()
				if elsewhere && !opens(dir, files[0]) {
					files[0], files[1] = files[1], files[0]
					o.KeyFile = files[0]
					changed++
				}
				whole(t, dir, o)
			}
			t.Logf("%d kills; %d left the other of two key files", kills, changed)
		})
	}
}

func opens(dir, key string) bool {
	s, err := Open(dir, Options{KeyFile: key})
	if err != nil {
		return false
	}
	return s.Close() == nil
}
