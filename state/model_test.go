package state

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is what a store should hold, in the simplest form.
type model struct {
	checkpoints map[Key]Checkpoint
	tokens      map[string][]byte
}

func (m *model) commit(c Commit) {
	cp := m.checkpoints[c.Key]
	if !c.Watermark.IsZero() {
		cp.Watermark = c.Watermark.Truncate(100 * time.Nanosecond)
	}
	if !c.Since.IsZero() {
		cp.Since = c.Since.Truncate(100 * time.Nanosecond)
	}
	seen := slices.Clone(cp.Seen)
	for _, e := range c.Add {
		e.Stamp = e.Stamp.Truncate(100 * time.Nanosecond)
		seen = append(seen, e)
	}
	seen = slices.DeleteFunc(seen, func(e Seen) bool { return e.Stamp.Before(cp.Since) })
	slices.SortFunc(seen, func(a, b Seen) int {
		if c := a.Stamp.Compare(b.Stamp); c != 0 {
			return c
		}
		return bytes.Compare(a.Hash[:], b.Hash[:])
	})
	cp.Seen = slices.Compact(seen)
	if len(cp.Seen) == 0 {
		cp.Seen = nil
	}
	m.checkpoints[c.Key] = cp
}

// check holds the store against the model.
func (m *model) check(t *rapid.T, s *Store) {
	for k, want := range m.checkpoints {
		got, found, err := s.Load(k)
		if err != nil || !found || !cmp.Equal(got, want) {
			t.Fatalf("%v: found %v, err %v\n%s", k, found, err, cmp.Diff(want, got))
		}
	}
	for k, want := range m.tokens {
		if got, found, err := s.LoadToken(k); err != nil || !found || !bytes.Equal(got, want) {
			t.Fatalf("token %s: %q, want %q, found %v, err %v", k, got, want, found, err)
		}
	}
	keys, err := s.Keys()
	if err != nil || len(keys) != len(m.checkpoints) {
		t.Fatalf("%d keys, want %d, err %v", len(keys), len(m.checkpoints), err)
	}
	for _, k := range keys {
		if _, ok := m.checkpoints[k]; !ok {
			t.Fatalf("unexpected %v", k)
		}
	}
}

var (
	someKey = rapid.Custom(func(t *rapid.T) Key {
		part := rapid.SampledFrom([]string{"", "a", "ab", "b", "a\x00b", "contoso.example"})
		return Key{Instance: part.Draw(t, "instance"), Cloud: "login", TenantID: part.Draw(t, "tenant"), Feed: part.Draw(t, "feed")}
	})
	// someTime is mostly within a few ticks, so that ties and forgetting happen, and at times anywhere.
	someTime = rapid.Custom(func(t *rapid.T) time.Time {
		switch rapid.IntRange(0, 9).Draw(t, "when") {
		case 0:
			return time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
		case 1:
			return time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
		case 2:
			return time.Unix(rapid.Int64Range(-secondsBefore70, 253402300799).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		default:
			return day(1).Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "ns")))
		}
	})
	someSeen = rapid.Custom(func(t *rapid.T) Seen {
		return Seen{Hash: hash(rapid.IntRange(0, 9).Draw(t, "hash")), Stamp: someTime.Draw(t, "stamp")}
	})
	someCommit = rapid.Custom(func(t *rapid.T) Commit {
		c := Commit{Key: someKey.Draw(t, "key"), Add: rapid.SliceOfN(someSeen, 0, 40).Draw(t, "add")}
		if rapid.Bool().Draw(t, "moves") {
			c.Watermark = someTime.Draw(t, "watermark")
		}
		if rapid.Bool().Draw(t, "forgets") {
			c.Since = someTime.Draw(t, "since")
		}
		return c
	})
)

// TestModel does random things to a store and to the model, with a reopen now and then.
func TestModel(t *testing.T) {
	t.Parallel()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		must(t, flag.Set("rapid.checks", fmt.Sprint(fewer(100))))
	}
	root := t.TempDir()
	var run int
	rapid.Check(t, func(t *rapid.T) {
		run++
		dir := filepath.Join(root, fmt.Sprint(run))
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = s.Close()
			_ = os.RemoveAll(dir)
		}()
		m := &model{map[Key]Checkpoint{}, map[string][]byte{}}
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				cs := rapid.SliceOfN(someCommit, 0, 6).Draw(t, "commits")
				if err := s.Commit(cs); err != nil {
					t.Fatal(err)
				}
				for _, c := range cs {
					m.commit(c)
				}
			},
			"token": func(t *rapid.T) {
				key, value := rapid.StringN(1, 4, -1).Draw(t, "key"), rapid.SliceOf(rapid.Byte()).Draw(t, "value")
				if err := s.SaveToken(key, value); err != nil {
					t.Fatal(err)
				}
				m.tokens[key] = value
			},
			"reopen": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(dir, Options{}); err != nil {
					t.Fatal(err)
				}
				m.check(t, s)
			},
		})
		m.check(t, s)
	})
}

// TestFileDoesNotGrow runs thirty days of fifty tenants, a commit every ten minutes, each
// with new alerts and forgetting those of an hour ago: what the first needed is enough.
func TestFileDoesNotGrow(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, stateDir(t))
	s.db.NoSync = true // only for speed: the size does not depend on it
	size := func() int64 {
		info, err := os.Stat(s.path)
		must(t, err)
		return info.Size()
	}
	const perDay = 24 * 6
	days, tenants := fewer(30), max(fewer(50), 20)
	var early int64
	for n := range days * perDay {
		now := day(1).Add(time.Duration(n) * 10 * time.Minute)
		var cs []Commit
		for i := range tenants {
			c := Commit{Key: contoso, Watermark: now, Since: now.Add(-time.Hour)}
			c.Key.TenantID = fmt.Sprint(i)
			for j := range (n*7 + i) % 9 { // busy and quiet hours
				c.Add = append(c.Add, Seen{hash(n*1000 + i*10 + j), now.Add(time.Duration(j) * time.Second)})
			}
			cs = append(cs, c)
		}
		must(t, s.Commit(cs))
		if n == perDay {
			early = size()
		}
	}
	t.Logf("after 1 day %d bytes, after %d days %d", early, days, size())
	if size() > early*5/4 {
		t.Errorf("grew from %d to %d bytes in %d days", early, size(), days)
	}
}
