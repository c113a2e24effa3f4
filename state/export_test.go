package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// carry exports the store in dir, as JSON and back.
func carry(t *testing.T, dir, tokensKey string) (*Export, []byte) {
	t.Helper()
	s := mustOpen(t, dir)
	defer s.Close()
	e, err := s.Export(tokensKey)
	must(t, err)
	text, err := json.Marshal(e)
	must(t, err)
	back := new(Export)
	must(t, json.Unmarshal(text, back))
	return back, text
}

func TestExportIsImportedWhole(t *testing.T) {
	from, to, key := filled(t, Options{}), stateDir(t), keyFile(t, "m", 0o600)
	e, text := carry(t, from, key)
	if bytes.Contains(text, []byte("token1")) {
		t.Error("a token stands in the export")
	}
	s := mustOpen(t, to)
	for _, want := range []Imported{{Added: crashTenants + rekeyTokens}, {Same: crashTenants + rekeyTokens}} {
		if done, err := s.Import(e, key, Refuse); err != nil || !reflect.DeepEqual(done, want) {
			t.Errorf("%+v, %v", done, err)
		}
	}
	must(t, s.Close())
	whole(t, to, Options{})
	again, _ := carry(t, to, "")
	e, _ = carry(t, from, "")
	again.Made = e.Made
	if !cmp.Equal(again, e) {
		t.Error(cmp.Diff(e, again))
	}
}

// TestExportWithoutTokens says whose there are and brings none.
func TestExportWithoutTokens(t *testing.T) {
	e, text := carry(t, filled(t, Options{}), "")
	if len(e.Tokens) != rekeyTokens || bytes.Contains(text, []byte("sealed")) {
		t.Errorf("%d tokens", len(e.Tokens))
	}
	s := mustOpen(t, stateDir(t))
	if done, err := s.Import(e, "", Refuse); err != nil || done.Added != crashTenants || done.Omitted != rekeyTokens {
		t.Errorf("%+v, %v", done, err)
	}
	if _, found, err := s.LoadToken("tenant1"); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestSwappedTokensInAnExport: neither another tenant's value, nor one taken
// out of a store, nor another key passes; and nothing of the export is taken.
func TestSwappedTokensInAnExport(t *testing.T) {
	from, key := filled(t, Options{}), keyFile(t, "m", 0o600)
	stored := sealer{[]byte(strings.Repeat("m", 32))}.seal(kindToken, "tenant1", []byte("token1"))
	for what, spoil := range map[string]func(*Export) string{
		"swapped": func(e *Export) string {
			e.Tokens[0].Sealed, e.Tokens[1].Sealed = e.Tokens[1].Sealed, e.Tokens[0].Sealed
			return key
		},
		"renamed":  func(e *Export) string { e.Tokens[3].Key = "tenantX"; return key },
		"of store": func(e *Export) string { e.Tokens[0] = ExportToken{Key: "tenant1", Sealed: stored}; return key },
		"cut":      func(e *Export) string { e.Tokens[0].Sealed = e.Tokens[0].Sealed[:5]; return key },
		"flipped":  func(e *Export) string { e.Tokens[0].Sealed[20] ^= 1; return key },
		"key":      func(*Export) string { return keyFile(t, "n", 0o600) },
	} {
		e, _ := carry(t, from, key)
		with := spoil(e)
		s := mustOpen(t, stateDir(t))
		var fault *KeyError
		if _, err := s.Import(e, with, Replace); !errors.As(err, &fault) {
			t.Errorf("%s: %v", what, err)
		}
		if keys, err := s.Keys(); err != nil || len(keys) > 0 {
			t.Errorf("%s: %d checkpoints were imported, %v", what, len(keys), err)
		}
	}
}

// TestImportClashes: each way does what it says, and refusing leaves all as it was.
func TestImportClashes(t *testing.T) {
	dir, key := filled(t, Options{}), keyFile(t, "m", 0o600)
	e, _ := carry(t, dir, key)
	s := mustOpen(t, dir)
	must(t, s.Commit(round(2)[:1]))
	must(t, s.SaveToken("tenant3", []byte("younger")))
	moved := round(2)[0].Key
	for _, c := range []struct {
		clash     Clash
		watermark int
		token     string
	}{{Refuse, 2, "younger"}, {Keep, 2, "younger"}, {Replace, 1, "token3"}} {
		done, err := s.Import(e, key, c.clash)
		var refused *ClashError
		if errors.As(err, &refused) != (c.clash == Refuse) || err != nil && refused == nil || len(done.Clashes) != 2 {
			t.Errorf("%s: %+v, %v", c.clash, done, err)
		}
		if cp, _, err := s.Load(moved); err != nil || !cp.Watermark.Equal(second(c.watermark)) || len(cp.Seen) != 5*c.watermark {
			t.Errorf("%s: %v, %d seen, %v", c.clash, cp.Watermark, len(cp.Seen), err)
		}
		if token, _, err := s.LoadToken("tenant3"); err != nil || string(token) != c.token {
			t.Errorf("%s: %q, %v", c.clash, token, err)
		}
	}
	noLeftovers(t, s)
}

// noLeftovers sees that no entry of a seen set is without its checkpoint.
func noLeftovers(t *testing.T, s *Store) {
	t.Helper()
	facts, err := s.Facts()
	must(t, errors.Join(err, facts.Sound()))
	want, have := 0, 0
	for _, c := range facts.Checkpoints {
		want += c.Seen
	}
	must(t, s.view("counting", func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketSeen).ForEach(func(_, _ []byte) error { have++; return nil })
	}))
	if have != want {
		t.Errorf("%d entries are kept for seen sets of %d", have, want)
	}
}

func TestImportOfNonsense(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	good := ExportCheckpoint{TenantID: "contoso", Watermark: day(1)}
	for what, e := range map[string]*Export{
		"its format is":    {Format: "fluent-bit-defender state 9"},
		"32 hex digits":    {Format: ExportFormat, Checkpoints: []ExportCheckpoint{good, {Seen: []ExportSeen{{Hash: "0123"}}}}},
		"name the file":    {Format: ExportFormat, Checkpoints: []ExportCheckpoint{good}, Tokens: []ExportToken{{Key: "k", Sealed: []byte("x")}}},
		"outside 1 to 999": {Format: ExportFormat, Checkpoints: []ExportCheckpoint{good, {Watermark: day(1).AddDate(9000, 0, 0)}}},
	} {
		if _, err := s.Import(e, "", Refuse); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if keys, err := s.Keys(); err != nil || len(keys) > 0 {
		t.Errorf("%v, %v", keys, err)
	}
}

// TestRepairByExport: what is damaged is named and left out, and all the rest is saved.
func TestRepairByExport(t *testing.T) {
	dir, key := filled(t, Options{}), keyFile(t, "m", 0o600)
	s := mustOpen(t, dir)
	must(t, s.update("harm", func(tx *bbolt.Tx) error {
		name := appendKey(nil, round(1)[3].Key)
		return errors.Join(
			tx.Bucket(bucketCheckpoints).Put(name, []byte("no record at all")),
			tx.Bucket(bucketTokens).Put([]byte("tenant7"), []byte("no record at all")),
			tx.Bucket(bucketTokens).Delete([]byte("tenant8")))
	}))
	must(t, s.Close())
	s = mustOpen(t, dir)
	e, err := s.Export(key)
	var damaged *CorruptError
	if e == nil || !errors.As(err, &damaged) || len(e.Checkpoints) != crashTenants-1 || len(e.Tokens) != rekeyTokens-2 {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"tenant3", "the refresh token of tenant7", fmt.Sprintf("holds %d refresh tokens and should hold %d", rekeyTokens-1, rekeyTokens)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
	must(t, s.Close())
	done, err := SetAside(dir, Options{}, day(1))
	if err != nil || len(done.Files) != 1 || filepath.Base(done.Files[0]) != "state.db.replaced-2026-01-01T00-00-00Z" {
		t.Fatalf("%+v, %v", done, err)
	}
	s = mustOpen(t, dir)
	if done, err := s.Import(e, key, Refuse); err != nil || done.Added != crashTenants+rekeyTokens-3 {
		t.Errorf("%+v, %v", done, err)
	}
	noLeftovers(t, s)
}
