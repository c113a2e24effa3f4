package state

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// schema1 lays out a store that the last program of schema 1 wrote: tenant0 to
// tenant2, each a checkpoint with five seen entries and a token.
func schema1(t *testing.T) (dir string, o Options) {
	t.Helper()
	packed, err := os.Open("testdata/schema1.db.gz")
	must(t, err)
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	must(t, err)
	db, err := io.ReadAll(plain)
	must(t, err)
	dir = stateDir(t)
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, dbName), db, 0o600))
	return dir, Options{KeyFile: keyFile(t, "a", 0o600)}
}

func TestEveryOlderSchemaHasItsUpgrade(t *testing.T) {
	if len(upgrades) != schema-oldestSchema {
		t.Errorf("%d upgrades from schema %d to %d", len(upgrades), oldestSchema, schema)
	}
}

// TestOlderSchemaIsUpgraded: all of it is there, twice over, and the next token is dated.
func TestOlderSchemaIsUpgraded(t *testing.T) {
	dir, o := schema1(t)
	for range 2 {
		s, err := Open(dir, o)
		must(t, err)
		for i := range 3 {
			k := contoso
			k.TenantID = fmt.Sprint("tenant", i)
			if cp, found, err := s.Load(k); err != nil || !found || !cp.Watermark.Equal(day(i+1)) || len(cp.Seen) != 5 {
				t.Errorf("%s: %v, %v, %v", k, cp, found, err)
			}
			if value, found, err := s.LoadToken(k.TenantID); err != nil || !found || string(value) != fmt.Sprint("token", i) {
				t.Errorf("%s: %q, %v, %v", k.TenantID, value, found, err)
			}
		}
		facts, err := s.Facts()
		must(t, errors.Join(err, facts.Sound()))
		if facts.Schema != schema || !facts.Tokens[0].Saved.IsZero() {
			t.Errorf("%+v", facts)
		}
		must(t, s.Close())
	}
	s, err := Open(dir, o)
	must(t, err)
	defer s.Close()
	must(t, s.SaveToken("tenant0", []byte("newer")))
	facts, err := s.Facts()
	must(t, err)
	if age := time.Since(facts.Tokens[0].Saved); age < 0 || age > time.Minute {
		t.Errorf("saved %v ago", age)
	}
}

// TestDamageOutlivesAnUpgrade: a token that was damaged before still is, the others are not.
func TestDamageOutlivesAnUpgrade(t *testing.T) {
	dir, o := schema1(t)
	db, err := bbolt.Open(filepath.Join(dir, dbName), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketTokens).Put([]byte("tenant1"), []byte("no record at all"))
	}))
	must(t, db.Close())
	s, err := Open(dir, o)
	must(t, err)
	defer s.Close()
	var damaged *CorruptError
	if _, _, err := s.LoadToken("tenant1"); !errors.As(err, &damaged) {
		t.Errorf("the damaged one: %v", err)
	}
	if _, found, err := s.LoadToken("tenant2"); err != nil || !found {
		t.Errorf("another one: %v, %v", found, err)
	}
}

// TestForeignSchemaIsRefused: newer, or older than anybody can read; the file stays as it is.
func TestForeignSchemaIsRefused(t *testing.T) {
	for _, have := range []uint32{0, schema + 1, 1 << 30} {
		dir := stateDir(t)
		s := mustOpen(t, dir)
		must(t, s.db.Update(func(tx *bbolt.Tx) error {
			return putAbout(tx, about{schema: have})
		}))
		must(t, s.Close())
		before := readFile(t, s.path)
		_, err := Open(dir, Options{})
		var foreign *VersionError
		if !errors.As(err, &foreign) || foreign.Have != have || foreign.Known != schema {
			t.Errorf("opening schema %d: %v", have, err)
		}
		if string(readFile(t, s.path)) != string(before) {
			t.Errorf("schema %d: the refused file was changed", have)
		}
	}
}
