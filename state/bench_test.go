package state

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// fleet is one step of n tenants at second at, each with one new alert.
func fleet(n, at int) []Commit {
	cs := make([]Commit, n)
	for i := range cs {
		k := contoso
		k.TenantID = fmt.Sprintf("%08x-0000-4000-8000-%012x", i*2654435761%(1<<32), i)
		var h [16]byte
		binary.BigEndian.PutUint64(h[:], uint64(at)<<32|uint64(i))
		cs[i] = Commit{Key: k, Watermark: second(at), Since: second(at - 900), Add: []Seen{{h, second(at)}}}
	}
	return cs
}

// BenchmarkCommit writes a step of some of 10,000 tenants, one transaction with its fsync.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 10_000} {
		b.Run(fmt.Sprint(n, "of10000"), func(b *testing.B) {
			s := mustOpen(b, stateDir(b))
			must(b, s.Commit(fleet(10_000, 0)))
			var took []time.Duration
			at := 0
			for b.Loop() {
				at += 60
				start := time.Now()
				must(b, s.Commit(fleet(n, at)))
				took = append(took, time.Since(start))
			}
			report(b, took)
		})
	}
}

// BenchmarkCommitBusy moves one tenant whose seen set holds 50,000 entries.
func BenchmarkCommitBusy(b *testing.B) {
	s := mustOpen(b, stateDir(b))
	c := Commit{Key: contoso, Watermark: second(0)}
	for i := range 50_000 {
		c.Add = append(c.Add, Seen{hash(i), second(0).Add(time.Duration(i) * time.Millisecond)})
	}
	must(b, s.Commit([]Commit{c}))
	var took []time.Duration
	written := s.db.Stats().TxStats
	for at := 50; b.Loop(); at++ { // fifty new ones, fifty old ones forgotten
		c = Commit{Key: contoso, Watermark: second(at), Since: second(at - 50)}
		for j := range 50 {
			c.Add = append(c.Add, Seen{hash(1000*at + j), second(at).Add(time.Duration(j) * time.Millisecond)})
		}
		start := time.Now()
		must(b, s.Commit([]Commit{c}))
		took = append(took, time.Since(start))
	}
	stats := s.db.Stats()
	diff := stats.TxStats.Sub(&written)
	b.ReportMetric(float64(diff.GetPageAlloc())/float64(len(took)), "B-written/op")
	report(b, took)
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkOpenAndLoad starts with 10,000 tenants: quiet ones, and with 20 seen entries each.
func BenchmarkOpenAndLoad(b *testing.B) {
	for _, seen := range []int{0, 1, 20} {
		b.Run(fmt.Sprint("seen", seen), func(b *testing.B) {
			dir := stateDir(b)
			s := mustOpen(b, dir)
			cs := fleet(10_000, 0)
			for at := range max(seen, 1) {
				for i := range cs {
					cs[i].Watermark = second(at)
					cs[i].Add = []Seen{{hash(at*10_000 + i), second(at)}}
					if seen == 0 {
						cs[i].Add = nil
					}
				}
				must(b, s.Commit(cs))
			}
			must(b, s.Close())
			info, err := os.Stat(s.path)
			must(b, err)
			for b.Loop() {
				s, err := Open(dir, Options{})
				must(b, err)
				for i := range cs {
					if cp, found, err := s.Load(cs[i].Key); err != nil || !found || len(cp.Seen) != seen {
						b.Fatal(err)
					}
				}
				must(b, s.Close())
			}
			b.ReportMetric(float64(info.Size())/10_000, "file-B/tenant")
		})
	}
}

// BenchmarkTokens saves and loads a token of 1.5 KB.
func BenchmarkTokens(b *testing.B) {
	s := mustOpen(b, stateDir(b))
	value := make([]byte, 1500)
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			must(b, s.SaveToken("k", value))
		}
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			_, _, err := s.LoadToken("k")
			must(b, err)
		}
	})
}
