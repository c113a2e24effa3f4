package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"fluent-bit-defender/config"
)

// nasty is what an attacker may put into a process name or a mail's subject.
const nasty = "a\x1b[2J\x1b]0;t\a\u009b31m\r\u202egnp.exe\u2066\u2028\u2029\u200b\U000e0041\x7fz"

// acting are the characters of nasty that must not come through.
const acting = "\x1b\a\u009b\r\u202e\u2066\u2028\u2029\u200b\U000e0041\x7f"

func TestVisible(t *testing.T) {
	in := "{\"title\":\"" + nasty + "ü€😀\"}\n"
	for size := 1; size <= len(in); size++ { // whatever the pieces it comes in
		var out strings.Builder
		v := &visible{to: &out}
		for rest := in; rest != ""; rest = rest[min(size, len(rest)):] {
			piece := rest[:min(size, len(rest))]
			if n, err := v.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		if strings.ContainsAny(out.String(), acting) {
			t.Fatalf("in pieces of %d: %q", size, out.String())
		}
		var back struct{ Title string }
		if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back.Title != nasty+"ü€😀" {
			t.Fatalf("in pieces of %d it means %q, %v", size, back.Title, err)
		}
	}
}

func TestVisibleLeavesTheRest(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain\n\ttext": "plain\n\ttext", "日本語 עברית": "日本語 עברית", "\xff\xfe": "��", "a\xc3": "a",
	} {
		var out strings.Builder
		if _, err := (&visible{to: &out}).Write([]byte(in)); err != nil || out.String() != want {
			t.Errorf("%q: %q, %v", in, out.String(), err)
		}
	}
	_, err := (&visible{to: closedPipe{}}).Write([]byte("x"))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the error of what it leads to: %v", err)
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestMessagesCannotBeForged(t *testing.T) {
	var stderr strings.Builder
	say := messages{&stderr}
	say.fault(withHint(errors.New(nasty), nasty))
	say.warnf("%s", nasty)
	say.notef("%s", nasty)
	if out := stderr.String(); strings.ContainsAny(out, acting) || strings.Count(out, "\n") != 4 {
		t.Errorf("%q", out)
	}
}

// TestTableCannotBeForged: no cell ends its line or its column.
func TestTableCannotBeForged(t *testing.T) {
	evil := "x\nfabrikam\talerts\tok: all is well\v\f" + nasty
	rows := []*finding{{Tenant: evil, Feed: "alerts", Result: wrong, tenant: config.Tenant{Enabled: true},
		Faults: []trouble{{What: evil, Answer: evil, IDs: evil, Who: evil, Action: evil}}}}
	var out strings.Builder
	if err := printTable(&out, rows, false); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 4 || strings.ContainsAny(out.String(), acting+"\t\v\f") {
		t.Errorf("%d lines: %q", lines, out.String())
	}
}

// TestDemoCannotBeForged: the row of an alert is one line, and colours are the screen's own.
func TestDemoCannotBeForged(t *testing.T) {
	var out strings.Builder
	s := &screen{to: &out, width: 120}
	s.row(row{time: "12:00:00", customer: nasty, severity: "high", title: nasty + "\n12:00:01  forged", product: nasty, about: nasty}, "31")
	if strings.ContainsAny(out.String(), acting) || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%q", out.String())
	}
}
