package main

import (
	"strings"
	"testing"
)

const events = `{"Action":"start","Package":"a"}
{"Action":"output","Package":"a","Test":"TestQuiet","Output":"=== RUN   TestQuiet\n"}
{"Action":"output","Package":"a","Test":"TestQuiet","Output":"    a_test.go:5: chatter\n"}
{"Action":"pass","Package":"a","Test":"TestQuiet"}
{"Action":"output","Package":"a","Test":"TestReal","Output":"    a_test.go:9: fluent-bit is not on PATH\n"}
{"Action":"output","Package":"a","Test":"TestReal","Output":"--- SKIP: TestReal (0.00s)\n"}
{"Action":"skip","Package":"a","Test":"TestReal"}
{"Action":"output","Package":"a","Output":"PASS\n"}
{"Action":"output","Package":"a","Output":"ok  \ta\t0.1s\n"}
{"Action":"pass","Package":"a"}
{"Action":"output","Package":"b","Test":"TestBroken","Output":"    b_test.go:7: got 1, want 2\n"}
{"Action":"output","Package":"b","Test":"TestBroken","Output":"--- FAIL: TestBroken (0.00s)\n"}
{"Action":"fail","Package":"b","Test":"TestBroken"}
{"Action":"output","Package":"b","Test":"TestDied","Output":"panic: nil map\n"}
{"Action":"output","Package":"b","Output":"FAIL\tb\t0.2s\n"}
{"Action":"fail","Package":"b"}
{"ImportPath":"c","Action":"build-output","Output":"c.go:1: syntax error\n"}
{"ImportPath":"c","Action":"build-fail"}
not json
`

const printed = "SKIP\ta TestReal: a_test.go:9: fluent-bit is not on PATH\n" +
	"ok  \ta\t0.1s\n" +
	"    b_test.go:7: got 1, want 2\n--- FAIL: TestBroken (0.00s)\n" +
	"panic: nil map\n" +
	"FAIL\tb\t0.2s\n" +
	"c.go:1: syntax error\n" +
	"not json\n"

func TestReport(t *testing.T) {
	var out strings.Builder
	if err := report(&out, strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	if out.String() != printed {
		t.Errorf("printed:\n%s\nwant:\n%s", out.String(), printed)
	}
}
