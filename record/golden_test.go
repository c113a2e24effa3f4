package record

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Microsoft's documented answers, and an alert with evidence of many types,
// as records. The answers: Microsoft Graph reference, "List alerts_v2" and
// "List incidents" ($expand=alerts); wide.json follows the reference's
// evidence resources.
func TestGolden(t *testing.T) {
	for _, tt := range []struct{ file, alerts string }{
		{"graph-alerts_v2", "value"},
		{"graph-incidents-expand-alerts", "value"},
		{"graph-incidents-expand-alerts", "value.0.alerts"},
		{"wide", "value"},
	} {
		t.Run(tt.file+" "+tt.alerts, func(t *testing.T) {
			var got bytes.Buffer
			for _, a := range sample(t, tt.file, tt.alerts) {
				ev, outcome := encode(t, Options{}, a)
				if outcome != (Outcome{}) {
					t.Fatalf("%+v", outcome)
				}
				render(t, &got, ev)
			}
			golden := filepath.Join("testdata", tt.file+strings.ReplaceAll(strings.TrimPrefix(tt.alerts, "value"), ".", "-")+".golden.json")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("not as in %s (go test -run Golden -update ./record rewrites it):\n%s", golden, got.String())
			}
		})
	}
}

func sample(t testing.TB, file, path string) (alerts []Alert) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("testdata", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	gjson.GetBytes(page, path).ForEach(func(_, v gjson.Result) bool {
		alerts = append(alerts, Alert{ID: v.Get("id").Str, Version: v.Get("lastUpdateDateTime").Time(), Raw: []byte(v.Raw)})
		return true
	})
	if len(alerts) == 0 {
		t.Fatalf("no alerts at %s in %s", path, file)
	}
	return alerts
}

// render writes an event as JSON, its fields in their order.
func render(t testing.TB, w *bytes.Buffer, ev decoded) {
	t.Helper()
	w.WriteString("[\n  \"" + ev.at.Format(time.RFC3339Nano) + "\",\n  {")
	for i, k := range ev.keys {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteString("\n    ")
		writeJSON(t, w, k)
		w.WriteString(": ")
		writeJSON(t, w, ev.fields[k])
	}
	w.WriteString("\n  }\n]\n")
}

func writeJSON(t testing.TB, w *bytes.Buffer, v any) {
	t.Helper()
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	w.Truncate(w.Len() - 1) // the encoder's newline
}
