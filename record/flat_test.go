package record

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	contoso = Identity{TenantID: "b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c", TenantName: "Contoso", Feed: "alerts"}
	updated = time.Date(2021, 5, 2, 14, 19, 1, 326666700, time.UTC)
	ownKeys = []string{"record_id", "alert_uid", "feed", "tenant_id", "tenant_name"}
)

// encode sends raw through a fresh Flat and checks what must hold for every event.
func encode(t testing.TB, o Options, a Alert) (decoded, Outcome) {
	t.Helper()
	prefix := []byte("what was there before")
	out, outcome := NewFlat(contoso, o).Append(prefix, a)
	if !strings.HasPrefix(string(out), string(prefix)) {
		t.Fatal("what was there before is gone")
	}
	ev, rest, err := decodeEvent(out[len(prefix):])
	if err != nil {
		t.Fatalf("%v\nfrom %.300q", err, a.Raw)
	}
	if len(rest) > 0 {
		t.Fatalf("%d bytes behind the event", len(rest))
	}
	limit := max(o.RecordLimit, leastLimit)
	if o.RecordLimit == 0 {
		limit = defaultLimit
	}
	if size := int64(len(out) - len(prefix)); size > limit {
		t.Fatalf("%d bytes, the limit is %d", size, limit)
	}
	if why, says := ev.fields["unreadable"]; outcome.Unreadable != says || (says && why != outcome.Reason) {
		t.Fatalf("outcome %+v, but the record says unreadable: %v", outcome, why)
	}
	for _, k := range ownKeys {
		if s, ok := ev.fields[k].(string); !ok || s == "" {
			t.Fatalf("no %s", k)
		}
	}
	return ev, outcome
}

// fieldsOf encodes a readable alert and returns its fields without our own.
func fieldsOf(t testing.TB, raw string) map[string]any {
	t.Helper()
	ev, outcome := encode(t, Options{}, Alert{ID: "a1", Version: updated, Raw: []byte(raw)})
	if outcome != (Outcome{}) {
		t.Fatalf("outcome %+v", outcome)
	}
	for _, k := range ownKeys {
		delete(ev.fields, k)
	}
	return ev.fields
}

func TestFlatFields(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"scalars keep their type", `{"s":"x","e":"","t":true,"f":false,"i":22424,"n":-7,"d":0.5}`,
			`{"s":"x","e":"","t":true,"f":false,"i":22424,"n":-7,"d":0.5}`},
		{"objects join by dots", `{"a":{"b":{"c":1},"d":2}}`, `{"a.b.c":1,"a.d":2}`},
		{"null and empty are left out", `{"a":null,"b":[],"c":{},"d":{"e":null,"f":[]},"g":[{}],"h":1}`, `{"h":1}`},
		{"lists of scalars stay", `{"l":["T1564.001",null,3,true]}`, `{"l":["T1564.001",null,3,true]}`},
		{"a list of null only stays", `{"l":[null]}`, `{"l":[null]}`},
		{"lists in lists stay", `{"l":[[1,[]],[],{}]}`, `{"l":[[1,[]],[],{}]}`},
		{"mixed lists stay whole", `{"l":[1,{"a":2,"b":null,"c":{"d":[]}}]}`, `{"l":[1,{"a":2}]}`},
		{"objects become columns", `{"comments":[{"comment":"a","by":{"n":1}},null,{"comment":"b","x":[]},{"late":true}]}`,
			`{"comments.comment":["a",null,"b",null],"comments.by.n":[1,null,null,null],"comments.late":[null,null,null,true]}`},
		{"evidence is sorted by type", `{"evidence":[
			{"@odata.type":"#microsoft.graph.security.deviceEvidence","n":"d1","ips":["1.1.1.1","::1"]},
			{"n":"f1","@odata.type":"#microsoft.graph.security.fileEvidence"},
			{"@odata.type":"#microsoft.graph.security.deviceEvidence","n":"d2","loggedOnUsers":[{"accountName":"kai","domainName":null}]},
			{"@odata.type":"#contoso.brandNewThing","z":1}, {"z":2}, null]}`,
			`{"evidence.device.@odata.type":["#microsoft.graph.security.deviceEvidence","#microsoft.graph.security.deviceEvidence"],
			"evidence.device.n":["d1","d2"],"evidence.device.ips":[["1.1.1.1","::1"],null],
			"evidence.device.loggedOnUsers":[null,[{"accountName":"kai"}]],
			"evidence.file.@odata.type":["#microsoft.graph.security.fileEvidence"],"evidence.file.n":["f1"],
			"evidence.brandNewThing.@odata.type":["#contoso.brandNewThing"],"evidence.brandNewThing.z":[1],
			"evidence.unknown.z":[2]}`},
		{"odd types", `{"evidence":[{"@odata.type":"Evidence","a":1},{"@odata.type":"","a":2},{"@odata.type":7,"a":3},{"@odata.type":"x.","a":4},{"@odata.type":"#ipEvidence","b":5}]}`,
			`{"evidence.Evidence.@odata.type":["Evidence"],"evidence.Evidence.a":[1],"evidence.unknown.a":[2,3,4],
			"evidence.unknown.@odata.type":["",7,"x."],"evidence.ip.@odata.type":["#ipEvidence"],"evidence.ip.b":[5]}`},
		{"evidence that is no list of objects", `{"evidence":["a"],"other":{"evidence":[{"@odata.type":"x.deviceEvidence"}]}}`,
			`{"evidence":["a"],"other.evidence.@odata.type":["x.deviceEvidence"]}`},
		{"a literal dot beside a path", `{"a.b":1,"a":{"b":2},"a":{"b":3}}`, `{"a.b":1,"a.b#2":2,"a.b#3":3}`},
		{"a name twice", `{"a":1,"a":"x","\u0061":null,"\u0061":3,"a#2":4}`, `{"a":1,"a#2":"x","a#3":3,"a#4":4}`},
		{"our own names", `{"tenant_id":"t","feed":1,"left_out":[{"x":1}],"unreadable":["u"],"record_id":{"x":2},"size":3}`,
			`{"size":3,"tenant_id#2":"t","feed#2":1,"left_out.x":[1],"unreadable#2":["u"],"record_id.x":2}`},
		{"a name twice in a row", `{"c":[{"a":1,"a":2},{"a":3},{"a":4,"a":5}]}`, `{"c.a":[1,3,4],"c.a#2":[2,null,5]}`},
		{"a column beside a field of its name", `{"c.a":0,"c":[{"a":1},{"a":2}],"c":[{"a":3}]}`, `{"c.a":0,"c.a#2":[1,2],"c.a#3":[3]}`},
		{"a name twice in a map", `{"l":[0,{"a":1,"a":2,"a":{"b":3,"b":4}}]}`, `{"l":[0,{"a":1,"a#2":2,"a#3":{"b":3,"b#2":4}}]}`},
		{"escapes", `{"\u00e9\n":"\"\\\/\b\f\n\r\t\u0041\ud83d\ude00","é":"日本語"}`, `{"é\n":"\"\\/\b\f\n\r\tA😀","é":"日本語"}`},
		{"lone surrogates", `{"a":"\ud800","b":"\ude00x","c":"\ud800\ud83d\ude00","d":"\ud800\n"}`, `{"a":"�","b":"�x","c":"�😀","d":"�\n"}`},
		{"bytes that are not UTF-8", "{\"a\":\"x\xffy\xc3\",\"k\xfe\":\"\\n\xe2\x82\"}", `{"a":"x�y�","k�":"\n��"}`},
		{"empty names", `{"":1,"a":{"":2}}`, `{"":1,"a.":2}`},
		{"white space", " \t\r\n{ \"a\" :\n[ 1 , { } , 2 ] , \"b\" : { } }\n", `{"a":[1,{},2]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want map[string]any
			d := json.NewDecoder(strings.NewReader(tt.want))
			d.UseNumber()
			if err := d.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(numbered(want), any(fieldsOf(t, tt.in))); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

func TestFlatNumbers(t *testing.T) {
	tests := []struct {
		in   string
		want any
	}{
		{"0", int64(0)}, {"-1", int64(-1)}, {"127", int64(127)}, {"128", int64(128)}, {"-129", int64(-129)},
		{"65536", int64(65536)}, {"4294967296", int64(1 << 32)}, {"-4294967297", int64(-1<<32 - 1)},
		{"9007199254740992", int64(1 << 53)}, {"-9007199254740992", int64(-1 << 53)},
		{"9007199254740993", "9007199254740993"}, {"-9007199254740993", "-9007199254740993"},
		{"18446744073709551616", "18446744073709551616"},
		{"9999999999999999", "9999999999999999"},
		{"0.1", 0.1}, {"-2.50", -2.5}, {"1e2", 100.0}, {"1E+2", 100.0}, {"100e-2", 1.0}, {"0.0", 0.0}, {"0e999999999999", 0.0},
		{"0.30000000000000004", 0.30000000000000004},
		{"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"},
		{"1e400", "1e400"}, {"-1e400", "-1e400"}, {"1e-400", "1e-400"}, {"1e-999999999999999999999", "1e-999999999999999999999"},
		{"5e-324", 5e-324}, {"1.7976931348623157e308", 1.7976931348623157e308},
	}
	for _, tt := range tests {
		if got := fieldsOf(t, `{"n":`+tt.in+`}`)["n"]; got != tt.want {
			t.Errorf("%s: got %T %v, want %T %v", tt.in, got, got, tt.want, tt.want)
		}
	}
}

func TestFlatTime(t *testing.T) {
	day := func(y int) time.Time { return time.Date(y, 1, 2, 3, 4, 5, 6, time.UTC) }
	first, last := time.Unix(0, 0).UTC(), time.Unix(1<<32-1, 999_999_999).UTC()
	tests := []struct {
		version time.Time
		raw     string
		want    time.Time
	}{
		{updated, `{}`, updated},
		{updated.In(time.FixedZone("", 3600)), `{}`, updated},
		{day(1), `{}`, first}, {day(1969), `{}`, first}, {day(2106), `{}`, day(2106)}, {day(2107), `{}`, last}, {day(9999), `{}`, last},
		{time.Time{}, `{"createdDateTime":"2021-04-27T12:19:27.7211305Z"}`, time.Date(2021, 4, 27, 12, 19, 27, 721130500, time.UTC)},
		{time.Time{}, `{"createdDateTime":"2021-04-27T12:19:27Z","lastUpdateDateTime":"2022-01-01T00:00:00Z"}`, time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Time{}, `{"createdDateTime":"soon","lastUpdateDateTime":12}`, first},
		{time.Time{}, `{`, first},
		{updated, `{`, updated},
	}
	for _, tt := range tests {
		ev, _ := encode(t, Options{}, Alert{ID: "a1", Version: tt.version, Raw: []byte(tt.raw)})
		if !ev.at.Equal(tt.want) {
			t.Errorf("%v, %s: got %v, want %v", tt.version, tt.raw, ev.at, tt.want)
		}
	}
}

func TestRawKey(t *testing.T) {
	raw := "{\"id\" : \"a1\", \"raw\":\"mine\", \"x\":\"\xff\"}"
	ev, _ := encode(t, Options{RawKey: "original"}, Alert{ID: "a1", Version: updated, Raw: []byte(raw)})
	if got, want := ev.fields["original"], strings.ToValidUTF8(raw, replacement); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, key := range []string{"id", "tenant_id", "size", "raw", "x", "unreadable", "lastUpdateDateTime"} {
		for _, raw := range []string{raw, "{oops"} {
			ev, _ := encode(t, Options{RawKey: key}, Alert{ID: "a1", Version: updated, Raw: []byte(raw)})
			found := 0
			for k, v := range ev.fields {
				if (k == key || k == key+"#2") && v == strings.ToValidUTF8(raw, replacement) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("RawKey %s: the text of %q is there %d times: %v", key, raw, found, ev.fields)
			}
		}
	}
}

// The same alert must give the same bytes whatever was encoded before it.
func TestFlatForgets(t *testing.T) {
	alerts := []string{
		`{"a":1,"a#2":2,"a":3}`, `{"a#2":1,"a#2":2,"a":3,"a":4}`, `{"a":{"b":1},"a.b":2}`, `{"a.b":1,"a":{"b":2}}`,
		`{"c":[{"x":1},{"x":2,"x":3}],"c.x":1}`, `{"c.x":1,"c":[{"x":1}],"l":[1,{"k":1,"k":2,"k#2":3}]}`, `{"l":[1,{"k#2":1,"k":2,"k":3}]}`,
	}
	alone := map[string]string{}
	fresh := func(s string) string {
		e := new(event)
		e.paths.reset()
		scratches.Put(e)
		out, _ := NewFlat(contoso, Options{}).Append(nil, Alert{ID: "a1", Version: updated, Raw: []byte(s)})
		return string(out)
	}
	for _, s := range alerts {
		alone[s] = fresh(s)
	}
	f := NewFlat(contoso, Options{})
	for i := range 200 {
		s := alerts[(i*i+i/7)%len(alerts)]
		out, _ := f.Append(nil, Alert{ID: "a1", Version: updated, Raw: []byte(s)})
		if string(out) != alone[s] {
			t.Fatalf("%s: other bytes after other alerts:\n%q\n%q", s, out, alone[s])
		}
	}
}
