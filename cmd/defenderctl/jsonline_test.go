package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"fluent-bit-defender/record"
)

func TestLineIsTheRecord(t *testing.T) {
	raw := `{"id":"a1","lastUpdateDateTime":"2026-05-01T10:00:00.1234567Z","z":"<ü\u0001>","a":-1,"big":9007199254740993,"f":0.5,"t":true,
		"list":[1,"two",null],"evidence":[{"@odata.type":"#microsoft.graph.security.deviceEvidence","tags":["x"]}]}`
	version := time.Date(2026, 5, 1, 10, 0, 0, 123456700, time.UTC)
	event, outcome := record.NewFlat(record.Identity{TenantID: "t", TenantName: "contoso", Feed: "alerts"}, record.Options{}).
		Append(nil, record.Alert{ID: "a1", Version: version, Raw: []byte(raw)})
	if outcome.Unreadable {
		t.Fatal(outcome.Reason)
	}
	line, err := appendLine([]byte("before\n"), event)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(string(line), "before\n")
	if !ok || strings.Index(text, "\n") != len(text)-1 || !json.Valid([]byte(text)) {
		t.Fatalf("no line of JSON: %s", line)
	}
	at := 0
	for _, part := range []string{`{"date":"2026-05-01T10:00:00.1234567Z",`, `"tenant_name":"contoso"`, `"z":"<ü\u0001>"`, `"a":-1`, `"big":"9007199254740993"`,
		`"f":0.5`, `"t":true`, `"list":[1,"two",null]`, `"evidence.device.tags":[["x"]]`} {
		next := strings.Index(text[at:], part)
		if next < 0 {
			t.Fatalf("%s is not in %s, or not in its place", part, text)
		}
		at += next
	}
}

func TestLineKeepsEveryType(t *testing.T) {
	var at msgp.RawExtension
	at.Data = []byte{0, 0, 0, 1, 0, 0, 0, 2}
	event, err := msgp.AppendExtension(msgp.AppendArrayHeader(nil, 2), &at)
	if err != nil {
		t.Fatal(err)
	}
	event = msgp.AppendMapHeader(event, 6)
	event = msgp.AppendUint64(msgp.AppendString(event, "u"), 1<<64-1)
	event = msgp.AppendInt64(msgp.AppendString(event, "i"), -1<<63)
	event = msgp.AppendFloat32(msgp.AppendString(event, "f"), 1.5)
	event = msgp.AppendBytes(msgp.AppendString(event, "b"), []byte("bin"))
	event = msgp.AppendMapHeader(msgp.AppendString(event, "m"), 0)
	event = msgp.AppendNil(msgp.AppendString(event, "n"))
	line, err := appendLine(nil, event)
	want := `{"date":"1970-01-01T00:00:01.000000002Z","u":18446744073709551615,"i":-9223372036854775808,"f":1.5,"b":"Ymlu","m":{},"n":null}` + "\n"
	if err != nil || string(line) != want {
		t.Errorf("%v %s, want %s", err, line, want)
	}
	for cut := range event {
		if _, err := appendLine(nil, event[:cut]); err == nil {
			t.Errorf("cut at %d: no error", cut)
		}
	}
	if _, err := appendLine(nil, append(event, 0)); err == nil {
		t.Error("a byte too many: no error")
	}
}
