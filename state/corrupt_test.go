package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// sample is a store closed in order: its bytes, its key, and what it holds.
type sample struct {
	db, key []byte
	now     contents
	before  contents // as the commit before the last one left it
}

type contents struct {
	checkpoints map[Key]Checkpoint
	tokens      map[string]string
}

func makeSample(t *testing.T) sample {
	t.Helper()
	dir := stateDir(t)
	s := mustOpen(t, dir)
	for n := 1; n <= 12; n++ {
		must(t, s.Commit(round(n)))
	}
	for n := range 30 {
		must(t, s.SaveToken(fmt.Sprint("tenant", n), []byte(strings.Repeat("token", 100))))
	}
	before, err := read(s)
	must(t, err)
	must(t, s.Commit(round(13)))
	now, err := read(s)
	must(t, err)
	must(t, s.Close())
	db, err := os.ReadFile(filepath.Join(dir, dbName))
	must(t, err)
	key, err := os.ReadFile(filepath.Join(dir, keyName))
	must(t, err)
	return sample{db, key, now, before}
}

// read loads what a sample's store should hold; what is damaged is left out and its errors joined.
func read(s *Store) (c contents, faults error) {
	c = contents{map[Key]Checkpoint{}, map[string]string{}}
	for _, step := range round(0) {
		cp, found, err := s.Load(step.Key)
		if err == nil && !found {
			c.checkpoints[step.Key] = Checkpoint{}
		} else if err == nil {
			c.checkpoints[step.Key] = cp
		}
		faults = errors.Join(faults, err)
	}
	for n := range 30 {
		key := fmt.Sprint("tenant", n)
		value, found, err := s.LoadToken(key)
		if err == nil {
			c.tokens[key] = fmt.Sprint(found, string(value))
		}
		faults = errors.Join(faults, err)
	}
	return c, faults
}

// within reports whether all that was read is right.
func (c contents) within(want contents) bool {
	for k, cp := range c.checkpoints {
		w := want.checkpoints[k]
		if !cp.Watermark.Equal(w.Watermark) || !cp.Since.Equal(w.Since) || !slices.Equal(cp.Seen, w.Seen) {
			return false
		}
	}
	for k, v := range c.tokens {
		if v != want.tokens[k] {
			return false
		}
	}
	return true
}

// try opens damaged bytes and does everything with them. Whatever comes back is
// a typed error or the right answer.
func (m sample) try(t *testing.T, what string, db []byte) (opened bool) {
	t.Helper()
	dir := stateDir(t)
	must(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, dbName)
	failed := t.Failed()
	defer func() {
		if t.Failed() && !failed {
			m.keep(t, what, db)
		}
	}()
	must(t, os.WriteFile(path, db, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, keyName), m.key, 0o600))
	var said remarks
	s, err := Open(dir, said.options())
	if err != nil {
		checkCorrupt(t, what, path, err)
		kept, err := os.ReadFile(path)
		if err != nil || string(kept) != string(db) {
			t.Errorf("%s: the refused file was changed (%v)", what, err)
		}
		return false
	}
	defer s.Close()
	s.db.NoSync = true // only for speed
	got, err := read(s)
	checkCorrupt(t, what, path, err)
	back := len(said) > 0 && strings.Contains(said[0], "header pages")
	if !got.within(m.now) && !(back && got.within(m.before)) {
		t.Errorf("%s: garbage was read (said %q)", what, said)
	}
	checkCorrupt(t, what, path, s.Commit(round(14)))
	checkCorrupt(t, what, path, s.SaveToken("tenant1", []byte("x")))
	_, err = s.Keys()
	checkCorrupt(t, what, path, err)
	return true
}

// keep leaves what made a test fail where it can be looked at.
func (m sample) keep(t *testing.T, what string, db []byte) {
	at, err := os.MkdirTemp("", "damaged-state-")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(at, dbName), db, 0o600))
	must(t, os.WriteFile(filepath.Join(at, keyName), m.key, 0o600))
	t.Logf("%s: kept in %s", what, at)
}

func checkCorrupt(t *testing.T, what, path string, err error) {
	t.Helper()
	var fault *CorruptError
	if err != nil && (!errors.As(err, &fault) || !strings.Contains(err.Error(), path)) {
		t.Errorf("%s: not a clear error: %v", what, err)
	}
}

// TestCut cuts the file at every page edge and beside it, and at random places.
func TestCut(t *testing.T) {
	t.Parallel()
	m := makeSample(t)
	var at []int
	for edge := 0; edge < len(m.db); edge += os.Getpagesize() {
		at = append(at, edge, edge+1, edge+100)
	}
	for range fewer(100) {
		at = append(at, rand.IntN(len(m.db)))
	}
	for _, n := range at {
		if m.try(t, fmt.Sprintf("cut to %d of %d bytes", n, len(m.db)), m.db[:min(n, len(m.db))]) && n < 8*os.Getpagesize() {
			t.Errorf("a file cut to %d bytes opened", n)
		}
	}
}

// TestFlips flips bits: every byte of the headers, and random ones everywhere.
func TestFlips(t *testing.T) {
	t.Parallel()
	m := makeSample(t)
	page := os.Getpagesize()
	var at []int
	step := 160 / fewer(160) // each run begins elsewhere
	for i := rand.IntN(step); i < 80; i += step {
		at = append(at, i, page+i)
	}
	for i := 0; i < len(m.db); i += page { // page headers and the first elements
		at = append(at, i+8+rand.IntN(8), i+16+rand.IntN(16), i+16+rand.IntN(400))
	}
	for range fewer(300) {
		at = append(at, rand.IntN(len(m.db)))
	}
	opened := 0
	for _, i := range at {
		bit := byte(1) << rand.IntN(8)
		db := append([]byte{}, m.db...)
		db[i] ^= bit
		if m.try(t, fmt.Sprintf("bit %#x of byte %d (page %d, offset %d)", bit, i, i/page, i%page), db) {
			opened++
		}
	}
	t.Logf("%d of %d flips still opened", opened, len(at))
}

// TestWipedPages puts zeros, ones, noise or another page in a page's place.
func TestWipedPages(t *testing.T) {
	t.Parallel()
	m := makeSample(t)
	page := os.Getpagesize()
	noise := make([]byte, page)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for id := range len(m.db) / page {
		for name, with := range map[string][]byte{
			"zeros": make([]byte, page), "noise": noise, "ones": []byte(strings.Repeat("\xff", page)),
			"another": m.db[(id+1)*page%len(m.db):][:page],
		} {
			if rand.IntN(100) >= fewer(100) {
				continue
			}
			db := append([]byte{}, m.db...)
			copy(db[id*page:], with)
			m.try(t, fmt.Sprintf("page %d %s", id, name), db)
		}
	}
}

// TestDamageConcernsOneCheckpoint: the others are read and written on.
func TestDamageConcernsOneCheckpoint(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	must(t, s.Commit(round(1)))
	bad := round(1)[3].Key
	must(t, s.update("harm", func(tx *bbolt.Tx) error {
		h, _, err := s.head(tx, bad)
		must(t, err)
		name := makeSeenKey(h.id, 0, hash(1))
		return tx.Bucket(bucketSeen).Put(name[:], []byte{})
	}))
	for _, c := range round(1) {
		_, found, err := s.Load(c.Key)
		var fault *CorruptError
		if c.Key == bad && (!errors.As(err, &fault) || fault.Key == nil || *fault.Key != bad || found) {
			t.Errorf("the damaged one: %v, %v", found, err)
		}
		if c.Key != bad && (err != nil || !found) {
			t.Errorf("another one: %v, %v", found, err)
		}
	}
}

// TestAlteredNameIsNotForgotten: a record whose own name was altered is not
// found any more; that must not pass for "there never was one".
func TestAlteredNameIsNotForgotten(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	must(t, s.Commit(round(1)))
	must(t, s.SaveToken("tenant9", []byte("v")))
	must(t, s.Close())
	db := bytes.ReplaceAll(readFile(t, s.path), []byte("tenant9"), []byte("tenant;")) // one bit, same order
	must(t, os.WriteFile(s.path, db, 0o600))

	s = mustOpen(t, dir)
	var fault *CorruptError
	if _, found, err := s.Load(round(1)[9].Key); !errors.As(err, &fault) || found {
		t.Errorf("checkpoint: found %v, err %v", found, err)
	}
	if err := s.Commit(round(2)[9:10]); !errors.As(err, &fault) {
		t.Errorf("commit: %v", err)
	}
	if _, found, err := s.LoadToken("tenant9"); !errors.As(err, &fault) || found {
		t.Errorf("token: found %v, err %v", found, err)
	}
	if keys, err := s.Keys(); !errors.As(err, &fault) || len(keys) != crashTenants-1 {
		t.Errorf("%d keys, err %v", len(keys), err)
	}
	if _, found, err := s.Load(round(1)[8].Key); err != nil || !found {
		t.Errorf("another one: found %v, err %v", found, err)
	}
}

// TestShortenedWhileOpen: a commit that does not touch the cut must not paper over it.
func TestShortenedWhileOpen(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	must(t, s.Commit(round(1)))
	var size int64
	must(t, s.view("size", func(tx *bbolt.Tx) error { size = tx.Size(); return nil }))
	must(t, os.Truncate(s.path, size-1))
	var fault *CorruptError
	if err := s.Commit(round(2)[:1]); !errors.As(err, &fault) || !strings.Contains(err.Error(), "cut while in use") {
		t.Errorf("commit: %v", err)
	}
}

// TestCutWhileOpen: the memory map then faults; the process must live on.
func TestCutWhileOpen(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	for n := 1; n <= 40; n++ {
		must(t, s.Commit(round(n)))
	}
	must(t, os.Truncate(s.path, 8192))
	var fault *CorruptError
	if _, _, err := s.Load(contoso); !errors.As(err, &fault) {
		t.Errorf("load: %v", err)
	}
	if err := s.Commit(round(41)); !errors.As(err, &fault) {
		t.Errorf("commit: %v", err)
	}
	if err := s.SaveToken("k", nil); !errors.As(err, &fault) {
		t.Errorf("token: %v", err)
	}
}
