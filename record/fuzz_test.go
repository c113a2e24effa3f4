package record

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever comes in, one valid event within the limit comes out, and a text
// is taken apart exactly when it is a JSON object (or it says which bound of
// ours it exceeds).
func FuzzFlatNeverPanicsAndIsValid(f *testing.F) {
	f.Add([]byte(`{"id":"a1","n":-0.5e2,"mitreTechniques":["T1"],"comments":[{"comment":"x","by":{"n":1}},null],
		"evidence":[{"@odata.type":"#microsoft.graph.security.deviceEvidence","ips":["::1"],"users":[{"n":"k"}]}]}`))
	f.Add([]byte(`{"a":1,"a":[{"b":null},{"b":-0,"b":1e999}],"a.b":"\ud800\u0000","evidence":[{"@odata.type":"#x.yEvidence"}]}`))
	f.Add([]byte("{\"\xff\":[[{}],[],null,{\"a\":{\"b\":[{\"c\":1},2]}}]} "))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		o := Options{RecordLimit: 16 << 10, RawKey: "text"}
		ev, outcome := encode(t, o, Alert{ID: "a1", Version: updated, Raw: raw})
		if !bytes.Equal(raw, before) {
			t.Fatal("the alert's own bytes were changed")
		}
		object := bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) && json.Valid(raw)
		if object == outcome.Unreadable && !(object && beyondOurBounds(outcome.Reason)) {
			t.Fatalf("a JSON object: %v; outcome %+v", object, outcome)
		}
		whole := strings.ToValidUTF8(string(raw), "")
		if text, ok := ev.fields["text"].(string); !ok && outcome.LeftOut == 0 {
			t.Fatal("the raw text is gone")
		} else if ok && outcome.LeftOut == 0 && strings.ReplaceAll(text, replacement, "") != strings.ReplaceAll(whole, replacement, "") {
			t.Fatalf("the raw text is another: %q", text)
		}
	})
}

func beyondOurBounds(reason string) bool {
	for _, bound := range []string{"deeper than", "longer than", "more than"} {
		if strings.Contains(reason, bound) {
			return true
		}
	}
	return false
}

// Every text and number of the alert is somewhere in the record.
func TestEveryLeafIsFindable(t *testing.T) {
	for _, file := range []string{"graph-alerts_v2", "graph-incidents-expand-alerts", "wide"} {
		for _, a := range sample(t, file, "value") {
			ev, _ := encode(t, Options{}, a)
			found := map[any]int{}
			count(ev.fields, found)
			var alert any
			d := json.NewDecoder(bytes.NewReader(a.Raw))
			d.UseNumber()
			if err := d.Decode(&alert); err != nil {
				t.Fatal(err)
			}
			wanted := map[any]int{}
			count(numbered(alert), wanted)
			delete(wanted, nil)
			for v, n := range wanted {
				if found[v] < n {
					t.Errorf("%s: %v is there %d times, in the alert %d times", filepath.Base(file), v, found[v], n)
				}
			}
		}
	}
}

func count(v any, leaves map[any]int) {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			count(x, leaves)
		}
	case []any:
		for _, x := range v {
			count(x, leaves)
		}
	default:
		leaves[v]++
	}
}
