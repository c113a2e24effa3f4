package record

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRecordLimit(t *testing.T) {
	big := strings.Repeat("é", 20_000)
	title := strings.Repeat("t", 200)
	raw := fmt.Sprintf(`{"title":%q,"huge":%q,"small":1,"larger":%q,"evidence":[{"@odata.type":"#x.fileEvidence","note":%q}],"severity":"high"}`,
		title, big+big, big+big+big, big)
	ev, outcome := encode(t, Options{RecordLimit: 64 << 10, RawKey: "untouched"}, Alert{ID: "a1", Version: updated, Raw: []byte(raw)})
	want := []any{"untouched", "larger", "huge"}
	if fmt.Sprint(ev.fields["left_out"]) != fmt.Sprint(want) || outcome.LeftOut != 3 || ev.fields["left_out_count"] != int64(3) {
		t.Errorf("left out %v of %v, want %v", ev.fields["left_out"], ev.fields["left_out_count"], want)
	}
	if outcome.Unreadable {
		t.Error("a large alert is readable")
	}
	for _, k := range []string{"title", "severity", "small", "evidence.file.note"} {
		if ev.fields[k] == nil {
			t.Errorf("%s is gone", k)
		}
	}
}

// What says which alert it is stays, even when it is the largest of many.
func TestRecordLimitKeeps(t *testing.T) {
	var raw strings.Builder
	fmt.Fprintf(&raw, `{"id":"a1","title":%q,"alertWebUrl":%q`, strings.Repeat("t", 200), strings.Repeat("u", 200))
	for i := range 3000 {
		fmt.Fprintf(&raw, `,"f%d":%d`, i, i)
	}
	raw.WriteString(`,"severity":"high","` + strings.Repeat("n", 500) + `":0}`)
	ev, outcome := encode(t, Options{RecordLimit: 1}, Alert{ID: "a1", Version: updated, Raw: []byte(raw.String())})
	for _, k := range []string{"id", "title", "alertWebUrl", "severity"} {
		if ev.fields[k] == nil {
			t.Errorf("%s is gone", k)
		}
	}
	names := ev.fields["left_out"].([]any)
	if len(names) != maxNamed || names[0] != strings.Repeat("n", maxNamedLen) {
		t.Errorf("%d names, the first is %q", len(names), names[0])
	}
	left := 0
	for i := range 3000 {
		if ev.fields[fmt.Sprintf("f%d", i)] == nil {
			left++
		}
	}
	if left+1 != outcome.LeftOut {
		t.Errorf("%d fields are gone, the outcome says %d", left+1, outcome.LeftOut)
	}
	huge := fmt.Sprintf(`{"title":%q,"status":"new"}`, strings.Repeat("t", 1<<20))
	ev, _ = encode(t, Options{RecordLimit: 1}, Alert{ID: "a1", Version: updated, Raw: []byte(huge)})
	if ev.fields["title"] != nil || ev.fields["status"] != "new" {
		t.Error("a title larger than the record must go, the status must not")
	}
}

// What is kept stays also when it comes after fields that had to go, and is
// as large as they are.
func TestRecordLimitKeepsWhatComesLate(t *testing.T) {
	var raw strings.Builder
	raw.WriteString("{")
	for i := range 500 {
		fmt.Fprintf(&raw, `"f%d":%q,`, i, strings.Repeat("x", 100))
	}
	fmt.Fprintf(&raw, `"title":%q,"z":%q}`, strings.Repeat("t", 200), strings.Repeat("z", 200))
	ev, _ := encode(t, Options{RecordLimit: 1}, Alert{ID: "a1", Version: updated, Raw: []byte(raw.String())})
	if ev.fields["title"] == nil || ev.fields["z"] != nil {
		t.Errorf("title kept: %v, z kept: %v", ev.fields["title"] != nil, ev.fields["z"] != nil)
	}
	if names := ev.fields["left_out"].([]any); names[0] != "z" {
		t.Errorf("the largest that went is z, not %v", names[0])
	}
}

// Columns are padded: n objects without a name in common would take n² bytes.
func TestRecordLimitBoundsPadding(t *testing.T) {
	var raw strings.Builder
	raw.WriteString(`{"severity":"low","l":[{"shared":0}`)
	for i := range 16_000 {
		fmt.Fprintf(&raw, `,{"k%d":"longer than a null"}`, i)
	}
	raw.WriteString(`]}`)
	f := NewFlat(contoso, Options{RecordLimit: 64 << 10})
	out, outcome := f.Append(nil, Alert{ID: "a1", Version: updated, Raw: []byte(raw.String())})
	if cap(out) > 4<<20 {
		t.Errorf("%d bytes were used on the way to %d", cap(out), len(out))
	}
	ev, _, err := decodeEvent(out)
	if err != nil || outcome.LeftOut < 15_000 || ev.fields["severity"] != "low" {
		t.Errorf("%v, %d left out", err, outcome.LeftOut)
	}
}

func TestUnreadable(t *testing.T) {
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%d":0,`, i)
		}
		return "{" + b.String() + `"z":0}`
	}
	a1 := Alert{ID: "a1", Version: updated}
	tests := []struct {
		name   string
		alert  Alert
		raw    string
		reason string
		asText bool
	}{
		{"nothing", Alert{}, ``, "its text cannot be read: the text is cut at byte 0", true},
		{"cut", a1, `{"a":"x`, "its text cannot be read: the text is cut at byte 7", true},
		{"cut name", a1, `{"a`, "its text cannot be read: the text is cut at byte 3", true},
		{"HTML", Alert{}, `<html>`, "its text cannot be read: no value where one begins at byte 0", true},
		{"two", a1, `{}{}`, "its text cannot be read: more text behind the end at byte 2", true},
		{"a list", a1, `[1]`, "its text is JSON, but no object", true},
		{"null", a1, `null`, "its text is JSON, but no object", true},
		{"number", a1, `{"a":01}`, "its text cannot be read: a badly written number at byte 7", true},
		{"escape", a1, `{"a":"\x"}`, "its text cannot be read: an unknown escape inside a text at byte 6", true},
		{"control", a1, "{\"a\":\"\n\"}", "its text cannot be read: a control character inside a text at byte 6", true},
		{"comma", a1, `{"a":1 "b":2}`, "its text cannot be read: no comma or closing bracket after a value at byte 7", true},
		{"colon", a1, `{"a" 1}`, "its text cannot be read: no colon after a name at byte 5", true},
		{"bracket", a1, `{"a":[1}}`, "its text cannot be read: no comma or closing bracket after a value at byte 7", true},
		{"trailing comma", a1, `{"a":1,}`, "its text cannot be read: no name where a member begins at byte 7", true},
		{"deep", a1, strings.Repeat(`{"a":`, 128) + "[0]" + strings.Repeat("}", 128), "its text cannot be read: nested deeper than 128 at byte 641", true},
		{"deep and broken", a1, strings.Repeat(`[`, 9_000_000), "its text cannot be read: nested deeper than 128 at byte 129", true},
		{"long name", a1, `{"` + strings.Repeat("n", 1025) + `":1}`, "its text cannot be read: a name longer than 1024 bytes at byte 1", true},
		{"long path", a1, `{"` + strings.Repeat("n", 600) + `":{"` + strings.Repeat("m", 600) + `":1}}`, "names joined to more than 1024 bytes", true},
		{"many values", a1, `{"a":[` + strings.Repeat("1,", 1<<20) + `1]}`, "its text cannot be read: more than 1048576 values at byte 2097154", true},
		{"many fields", a1, names(maxFields), "more than 16384 fields", true},
		{"many names", a1, `{"a":[0,` + names(maxPaths) + `]}`, "more than 32768 different names", true},
		{"one name again and again", a1, `{` + strings.Repeat(`"a":1,`, 100) + `"a":1}`, "a name repeated more than 64 times", true},
		{"one name again and again in a row", a1, `{"c":[{` + strings.Repeat(`"a":1,`, 100) + `"a":1}]}`, "a name repeated more than 64 times", true},
		{"one name again and again in a map", a1, `{"c":[0,{` + strings.Repeat(`"a":1,`, 100) + `"a":1}]}`, "a name repeated more than 64 times", true},
		{"no id", Alert{Version: updated}, `{"title":"x"}`, "it has no id", false},
		{"no version", Alert{ID: "a1"}, `{"title":"x"}`, "it has no time of its last update", false},
		{"neither", Alert{}, `{"title":"x"}`, "it has no id and no time of its last update", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := tt.alert
			a.Raw = []byte(tt.raw)
			ev, outcome := encode(t, Options{RecordLimit: 16 << 10}, a)
			if outcome.Reason != tt.reason {
				t.Errorf("reason %q, want %q", outcome.Reason, tt.reason)
			}
			if tt.asText != (ev.fields["raw"] != nil) {
				t.Errorf("raw: %.40v", ev.fields["raw"])
			}
			if !tt.asText && ev.fields["title"] != "x" {
				t.Error("its fields are gone")
			}
			if whole := ev.fields["raw"] == tt.raw; tt.asText && whole != (ev.fields["left_out"] == nil) {
				t.Errorf("whole: %v, left out: %v", whole, ev.fields["left_out"])
			}
			if tt.asText && ev.fields["size"] != int64(len(tt.raw)) {
				t.Errorf("size %v", ev.fields["size"])
			}
		})
	}
}

func TestUnreadableIDs(t *testing.T) {
	id := func(a Alert) [2]any {
		ev, _ := encode(t, Options{}, a)
		return [2]any{ev.fields["record_id"], ev.fields["alert_uid"]}
	}
	broken := id(Alert{ID: "a1", Version: updated, Raw: []byte(`{`)})
	if broken != id(Alert{ID: "a1", Version: updated, Raw: []byte(`{}`)}) {
		t.Error("a broken alert whose id and version are known must have the ids of the whole one")
	}
	x, y := id(Alert{Raw: []byte(`{x`)}), id(Alert{Raw: []byte(`{y`)})
	if x == y || x != id(Alert{Raw: []byte(`{x`)}) {
		t.Error("without an id, the text must tell alerts apart, and always in the same way")
	}
	u, v := id(Alert{ID: "a1", Raw: []byte(`{"v":1}`)}), id(Alert{ID: "a1", Raw: []byte(`{"v":2}`)})
	if u[0] == v[0] || u[1] != v[1] || u[1] != broken[1] {
		t.Error("without a version, the text tells records apart and the id still tells alerts")
	}
}

// A text cut to the limit is cut between characters.
func TestUnreadableIsCutBetweenCharacters(t *testing.T) {
	for shift := range 4 {
		raw := strings.Repeat("x", shift) + strings.Repeat("😀", 10_000)
		ev, outcome := encode(t, Options{RecordLimit: 1}, Alert{Raw: []byte(raw)})
		if s := ev.fields["raw"].(string); !strings.HasPrefix(raw, s) || len(s) < 15_000 || outcome.LeftOut != 1 {
			t.Errorf("shift %d: %d bytes, a prefix: %v", shift, len(s), strings.HasPrefix(raw, s))
		}
	}
	encode(t, Options{RecordLimit: 1}, Alert{Raw: []byte(strings.Repeat("\x80", 1<<20))})
	encode(t, Options{RecordLimit: 1, RawKey: strings.Repeat("k", 500)}, Alert{Raw: []byte(strings.Repeat("a", 1<<20))})
}

func TestAppendRefused(t *testing.T) {
	f := NewFlat(contoso, Options{})
	whole, _, err := decodeEvent(first(f.Append(nil, Alert{ID: "a1", Version: updated, Raw: []byte(`{}`)})))
	if err != nil {
		t.Fatal(err)
	}
	refused, rest, err := decodeEvent(f.AppendRefused(nil, "a1", updated, "Fluent Bit refused it 5 times", 4711))
	if err != nil || len(rest) > 0 {
		t.Fatal(err, len(rest))
	}
	for _, k := range ownKeys {
		if refused.fields[k] != whole.fields[k] {
			t.Errorf("%s: %v, in the whole record %v", k, refused.fields[k], whole.fields[k])
		}
	}
	want := map[string]any{"refused": "Fluent Bit refused it 5 times", "size": int64(4711), "id": "a1", "lastUpdateDateTime": "2021-05-02T14:19:01.3266667Z"}
	for k, v := range want {
		if refused.fields[k] != v {
			t.Errorf("%s: got %v, want %v", k, refused.fields[k], v)
		}
	}
	if !refused.at.Equal(updated) {
		t.Errorf("time %v", refused.at)
	}
	unknown, _, err := decodeEvent(f.AppendRefused(nil, "", time.Time{}, "\xff", 1))
	if err != nil || unknown.fields["record_id"] == refused.fields["record_id"] {
		t.Error(err, unknown.fields)
	}
}

func first[A, B any](a A, _ B) A { return a }
