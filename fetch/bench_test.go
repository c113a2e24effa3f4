package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// canned answers every request with the same body.
func canned(body []byte) *http.Client {
	date := []string{noon.Format(http.TimeFormat)}
	return &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Date": date}, ContentLength: int64(len(body)),
			Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
	})}
}

// BenchmarkPoll is one reading without the network: an empty page, and a page
// of 1000 alerts of the documented shape.
func BenchmarkPoll(b *testing.B) {
	doc := string(sample(b, "graph-alerts_v2.json"))
	row := strings.TrimSpace(doc[strings.Index(doc, "[")+1 : strings.LastIndex(doc, "]")])
	rows := make([]string, 1000)
	for i := range rows {
		rows[i] = strings.Replace(row, "da637551227677560813", fmt.Sprintf("da%018d", i), 1)
	}
	for name, body := range map[string]string{
		"empty": `{"value":[]}`,
		"1000":  `{"value":[` + strings.Join(rows, ",") + `]}`,
	} {
		b.Run(name, func(b *testing.B) {
			c, w, source := NewClient(canned([]byte(body)), Options{}), window(noon.Add(-time.Hour), 0), constant{}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				if _, err := c.Read(context.Background(), w, source, func(p Page) error { n += len(p.Alerts); return nil }); err != nil {
					b.Fatal(err)
				}
				if name == "1000" && n != 1000 {
					b.Fatalf("%d rows", n)
				}
			}
		})
	}
}

type constant struct{}

func (constant) Token(context.Context) (string, error) { return "token", nil }
func (constant) Reject(string)                         {}
