package state

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// FuzzKeyRoundTrip: what parses is the only encoding of what it says.
func FuzzKeyRoundTrip(f *testing.F) {
	f.Add(appendKey(nil, contoso))
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseKey(b)
		if err != nil {
			return
		}
		again, err := parseKey(appendKey(nil, k))
		if err != nil || again != k {
			t.Errorf("%q became %q (%v)", k, again, err)
		}
	})
}

// FuzzRecords: any bytes decode to an error or to what encodes to the same bytes.
func FuzzRecords(f *testing.F) {
	f.Add(head{1, 2, 3, 4, 5}.encode())
	f.Add(about{schema: schema, tokens: 1}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := decodeHead(b); err == nil && !bytes.Equal(h.encode(), b) {
			t.Errorf("head %x became %x", b, h.encode())
		}
		if a, err := decodeAbout(b); err == nil && a.schema == schema && !bytes.Equal(a.encode(), b) {
			t.Errorf("about %x became %x", b, a.encode())
		}
		if tok, err := decodeToken(b); err == nil && !bytes.Equal(tok.encode(), b) {
			t.Errorf("token %x became %x", b, tok.encode())
		}
		bucket, key := []byte("bucket"), []byte("key")
		if body, err := unframe(bucket, key, b); err == nil && !bytes.Equal(frame(bucket, key, bytes.Clone(body)), b) {
			t.Errorf("record %x was taken for whole", b)
		}
		if _, err := unframe(bucket, []byte("yek"), frame(bucket, key, bytes.Clone(b))); err == nil {
			t.Errorf("record %x is taken under another key", b)
		}
	})
}

// FuzzTimeRoundTrip: every time of the years 1 to 9999 keeps its 100 ns.
func FuzzTimeRoundTrip(f *testing.F) {
	for _, at := range []time.Time{{}, day(1), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		f.Add(at.Unix(), int64(at.Nanosecond()))
	}
	f.Fuzz(func(t *testing.T, seconds, nanos int64) {
		at := time.Unix(seconds, nanos).UTC()
		ticks, err := toTicks(at)
		if inside := at.Year() >= 1 && at.Year() <= 9999; inside != (err == nil) {
			t.Fatalf("%v: %v", at, err)
		}
		if err == nil && (!validTicks(ticks) || !fromTicks(ticks).Equal(at.Truncate(100*time.Nanosecond))) {
			t.Errorf("%v became %v", at, fromTicks(ticks))
		}
	})
}

// FuzzImport: any JSON is refused whole, or leaves a sound store that exports as much.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"format":"fluent-bit-defender state 1","checkpoints":[{"instance":"a","cloud":"b","tenant_id":"c","feed":"d","watermark":"2026-01-02T03:04:05.1234567Z","since":"2026-01-02T03:00:00Z","seen":[{"hash":"00000000000000000000000000000001","stamp":"2026-01-02T03:04:00Z"}]}],"tokens":[{"key":"k"}]}`))
	f.Add([]byte(`{"format":"fluent-bit-defender state 1","checkpoints":[{},{}],"tokens":[{"key":"k","sealed":"AAAA"}]}`))
	dir := stateDir(f)
	s := mustOpen(f, dir)
	s.db.NoSync = true // only for speed
	f.Fuzz(func(t *testing.T, text []byte) {
		e := new(Export)
		if json.Unmarshal(text, e) != nil {
			return
		}
		_, refused := s.Import(e, "", Replace)
		again, err := s.Export("")
		if err != nil {
			t.Fatalf("after an import (%v): %v", refused, err)
		}
		if refused == nil && len(again.Checkpoints) == 0 && len(e.Checkpoints) > 0 {
			t.Error("what was imported is not there")
		}
	})
}

// FuzzVerify: any file is refused or accepted, in bounded time, without a panic.
func FuzzVerify(f *testing.F) {
	dir := stateDir(f)
	s := mustOpen(f, dir)
	must(f, s.Commit([]Commit{{Key: contoso, Add: []Seen{{hash(1), day(1)}}}}))
	db := readFile(f, s.path)
	f.Add(db, 0, byte(0))
	f.Add(db, 4096+20, byte(1))
	f.Add([]byte{}, 0, byte(0))
	f.Fuzz(func(t *testing.T, b []byte, at int, with byte) {
		b = bytes.Clone(b)
		if at >= 0 && at < len(b) {
			b[at] ^= with
		}
		_, _ = verify(bytes.NewReader(b), int64(len(b)))
	})
}
