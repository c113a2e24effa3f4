package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// alertPage is a page of alerts of about 4 KB as Graph writes them, without
// white space, no two alike: values, optional members and the order of the
// evidence differ.
func alertPage(b testing.TB) (alerts []Alert, size int64) {
	documented := sample(b, "graph-alerts_v2", "value")[0]
	compact := strings.NewReplacer("\n", "", "  ", "", ": ", ":").Replace(string(documented.Raw))
	for i := range 256 {
		at := updated.Add(time.Duration(i) * 1234567 * time.Microsecond)
		raw := strings.NewReplacer(
			"da637551227677560813_-961444813", fmt.Sprintf("da%018d_%d", 637551227677560813+i*7919, i*i),
			"2021-05-02T14:19:01.3266667Z", at.Format(time.RFC3339Nano),
			`"severity":"low"`, fmt.Sprintf(`"severity":%q`, []string{"low", "medium", "high"}[i%3]),
			"tempDns", fmt.Sprintf("host-%d.contoso.com", i),
			"4780", fmt.Sprint(1000+i*4),
			`"signer":null`, []string{`"signer":null`, `"signer":"Contoso"`}[i/7%2],
			`"comments":[]`, []string{`"comments":[]`, `"comments":[{"comment":"seen","createdByDisplayName":"Kai"},{"comment":"known"}]`}[i/5%2],
		).Replace(compact)
		evidence := gjson.Get(raw, "evidence").Raw
		raw = strings.Replace(raw, evidence, rotated(evidence, i), 1)
		alerts = append(alerts, Alert{ID: fmt.Sprintf("da%d", i), Version: at, Raw: []byte(raw)})
		size += int64(len(raw))
	}
	return alerts, size
}

// rotated is the JSON list with its last n items in front, the first twice in
// every third.
func rotated(list string, n int) string {
	var items []string
	for _, item := range gjson.Parse(list).Array() {
		items = append(items, item.Raw)
	}
	n %= len(items)
	items = append(items[n:len(items):len(items)], items[:n]...)
	if n%3 == 0 {
		items = append(items, items[0])
	}
	return "[" + strings.Join(items, ",") + "]"
}

// BenchmarkFlat and BenchmarkGjsonValid take the same bytes: their ratio is
// what counts. One operation is a page of 256 alerts. BenchmarkFlatPercent
// takes turns between the two, page by page, and compares the fastest page of
// each, so that the ratio stands on a busy machine as well.
func BenchmarkFlat(b *testing.B) {
	alerts, size := alertPage(b)
	b.SetBytes(size)
	b.ReportAllocs()
	f := NewFlat(contoso, Options{})
	var dst []byte
	for b.Loop() {
		dst = dst[:0]
		for _, a := range alerts {
			dst, _ = f.Append(dst, a)
		}
	}
	b.ReportMetric(float64(size)/float64(len(alerts)), "bytes-in/alert")
	b.ReportMetric(float64(len(dst))/float64(len(alerts)), "bytes-out/alert")
}

func BenchmarkGjsonValid(b *testing.B) {
	alerts, size := alertPage(b)
	b.SetBytes(size)
	for b.Loop() {
		for _, a := range alerts {
			if !gjson.ValidBytes(a.Raw) {
				b.Fatal("invalid")
			}
		}
	}
}

func BenchmarkFlatPercent(b *testing.B) {
	page, _ := alertPage(b)
	wide := sample(b, "wide", "value")
	wide[0].Raw = []byte(gjson.GetBytes(wide[0].Raw, "@ugly").Raw)
	for _, bb := range []struct {
		name   string
		alerts []Alert
	}{{"page", page}, {"wide", slices.Repeat(wide, 64)}} {
		b.Run(bb.name, func(b *testing.B) { percentOfGjsonValid(b, bb.alerts) })
	}
}

func percentOfGjsonValid(b *testing.B, alerts []Alert) {
	size := 0
	for _, a := range alerts {
		size += len(a.Raw)
	}
	b.SetBytes(2 * int64(size))
	f := NewFlat(contoso, Options{})
	var dst []byte
	flat, valid := time.Hour, time.Hour
	for b.Loop() {
		begun := time.Now()
		dst = dst[:0]
		for _, a := range alerts {
			dst, _ = f.Append(dst, a)
		}
		between := time.Now()
		for _, a := range alerts {
			if !gjson.ValidBytes(a.Raw) {
				b.Fatal("invalid")
			}
		}
		flat, valid = min(flat, between.Sub(begun)), min(valid, time.Since(between))
	}
	b.ReportMetric(100*float64(valid)/float64(flat), "%-of-gjson.Valid")
	b.ReportMetric(float64(size)/1e6/flat.Seconds(), "MB/s-flat")
	b.ReportMetric(float64(size)/1e6/valid.Seconds(), "MB/s-gjson.Valid")
}

func BenchmarkScan(b *testing.B) {
	alerts, size := alertPage(b)
	b.SetBytes(size)
	var e event
	for b.Loop() {
		for _, a := range alerts {
			if f := e.scan(a.Raw); f != nil {
				b.Fatal(f)
			}
		}
	}
}

func TestFlatAllocates(t *testing.T) {
	alerts, _ := alertPage(t)
	f := NewFlat(contoso, Options{})
	var dst []byte
	page := func() {
		dst = dst[:0]
		for _, a := range alerts {
			dst, _ = f.Append(dst, a)
		}
	}
	page()
	if per := testing.AllocsPerRun(10, page) / float64(len(alerts)); per > 1 && !raceEnabled {
		t.Errorf("%.2f allocations an alert", per)
	}
}
