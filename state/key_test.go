package state

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func keyFile(t testing.TB, fill string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, 32)))
	must(t, os.WriteFile(path, []byte(text+"\n"), mode))
	must(t, os.Chmod(path, mode))
	return path
}

func TestKeyIsMadeOnceAndSaidSo(t *testing.T) {
	dir := stateDir(t)
	for start, want := range []int{1, 0} {
		var said remarks
		s, err := Open(dir, said.options())
		must(t, err)
		must(t, s.Close())
		if len(said) != want || want == 1 && !strings.Contains(said[0], filepath.Join(dir, keyName)) {
			t.Errorf("start %d said %q", start, said)
		}
	}
}

func TestKeyFile(t *testing.T) {
	dir, path := stateDir(t), keyFile(t, "a", 0o600)
	for range 2 {
		s, err := Open(dir, Options{KeyFile: path})
		must(t, err)
		must(t, s.SaveToken("k", []byte("v")))
		must(t, s.Close())
	}
	if _, err := os.Stat(filepath.Join(dir, keyName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key was made all the same: %v", err)
	}
}

func TestUnusableKeyIsRefused(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	must(t, os.WriteFile(short, []byte("c2hvcnQ="), 0o600))
	for what, path := range map[string]string{
		"cannot be read":    filepath.Join(t.TempDir(), "none"),
		"32 bytes":          short,
		"written by others": keyFile(t, "a", 0o622),
	} {
		_, err := Open(stateDir(t), Options{KeyFile: path})
		var fault *KeyError
		if !errors.As(err, &fault) || fault.Path != path || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "c2hvcnQ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestReadableKeyIsRemarked(t *testing.T) {
	var said remarks
	o := said.options()
	o.KeyFile = keyFile(t, "a", 0o644)
	s, err := Open(stateDir(t), o)
	must(t, err)
	must(t, s.Close())
	if len(said) != 2 || !strings.Contains(said[0], "read by others") {
		t.Errorf("said %q", said)
	}
}

// TestLostKey: with sealed tokens a missing or another key is refused and
// changes nothing; without any it is replaced.
func TestLostKey(t *testing.T) {
	for _, other := range []bool{false, true} {
		dir := stateDir(t)
		path := filepath.Join(dir, keyName)
		must(t, mustOpen(t, dir).Close())
		lose := func() []byte {
			old, err := os.ReadFile(path)
			must(t, err)
			must(t, os.Remove(path))
			if other {
				must(t, os.Rename(keyFile(t, "b", 0o600), path))
			}
			return old
		}
		lose()
		s := mustOpen(t, dir)
		must(t, s.SaveToken("k", []byte("v")))
		must(t, s.Close())

		old := lose()
		if other {
			must(t, os.Rename(keyFile(t, "c", 0o600), path))
		}
		before, err := os.ReadFile(filepath.Join(dir, dbName))
		must(t, err)
		var fault *KeyError
		if _, err := Open(dir, Options{}); !errors.As(err, &fault) {
			t.Fatalf("another key %v: %v", other, err)
		}
		after, err := os.ReadFile(filepath.Join(dir, dbName))
		must(t, err)
		if string(before) != string(after) {
			t.Error("a refused key changed the store")
		}
		must(t, os.WriteFile(path, old, 0o600))
		s = mustOpen(t, dir)
		if v, found, err := s.LoadToken("k"); err != nil || !found || string(v) != "v" {
			t.Errorf("with the key back: %q %v %v", v, found, err)
		}
	}
}

// TestTokenIsSealed looks for the value in the file.
func TestTokenIsSealed(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	must(t, s.SaveToken("k", []byte("very-secret-token")))
	raw, err := os.ReadFile(filepath.Join(dir, dbName))
	must(t, err)
	if strings.Contains(string(raw), "very-secret") {
		t.Error("the token stands in the file")
	}
}

// TestSwappedTokensAreFound moves one account's sealed value to another, with a good checksum.
func TestSwappedTokensAreFound(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	must(t, s.SaveToken("contoso", []byte("one")))
	must(t, s.SaveToken("fabrikam", []byte("two")))
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketTokens)
		sealed, err := unframe(bucketTokens, []byte("contoso"), b.Get([]byte("contoso")))
		must(t, err)
		return b.Put([]byte("fabrikam"), frame(bucketTokens, []byte("fabrikam"), append([]byte{}, sealed...)))
	}))
	var fault *CorruptError
	if v, found, err := s.LoadToken("fabrikam"); !errors.As(err, &fault) || found || v != nil {
		t.Errorf("got %q, %v, %v", v, found, err)
	}
	if v, _, err := s.LoadToken("contoso"); err != nil || string(v) != "one" {
		t.Errorf("the other: %q, %v", v, err)
	}
}

// TestSealBindsNameAndKind: neither may differ.
func TestSealBindsNameAndKind(t *testing.T) {
	a := sealer{[]byte(strings.Repeat("a", 32))}
	b := sealer{[]byte(strings.Repeat("b", 32))}
	sealed := a.seal("token", "contoso", []byte("v"))
	if v, err := a.open("token", "contoso", sealed); err != nil || string(v) != "v" {
		t.Fatalf("%q %v", v, err)
	}
	for i, try := range []func() ([]byte, error){
		func() ([]byte, error) { return a.open("token", "fabrikam", sealed) },
		func() ([]byte, error) { return a.open("other", "contoso", sealed) },
		func() ([]byte, error) { return b.open("token", "contoso", sealed) },
		func() ([]byte, error) { return a.open("token", "contoso", sealed[:5]) },
	} {
		if _, err := try(); err == nil {
			t.Errorf("case %d opened", i)
		}
	}
}
