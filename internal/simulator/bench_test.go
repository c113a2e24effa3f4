package simulator

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// loaded is a listening simulator without limits and a client for its only tenant.
func loaded(b *testing.B, alerts int, noGzip bool) (get func(query string)) {
	b.Helper()
	c := newClient(b, Options{Behaviour: Behaviour{Limit: -1, NoGzip: noGzip}})
	if alerts > 0 {
		if _, err := c.tenant.Play(Traffic{Total: alerts, Initial: alerts}); err != nil {
			b.Fatal(err)
		}
	}
	server, err := c.sim.Listen("127.0.0.1:0", false)
	if err != nil {
		b.Fatal(err)
	}
	c.signIn()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			b.Error(err)
		}
	})
	browser := &http.Client{Transport: transport}
	return func(query string) {
		r, err := http.NewRequestWithContext(context.Background(), "GET", server.URL+"/v1.0/security/alerts_v2?"+query, nil)
		if err != nil {
			b.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+c.access)
		response, err := browser.Do(r)
		if err != nil {
			b.Error(err)
			return
		}
		n, err := io.Copy(io.Discard, response.Body)
		if err != nil || response.StatusCode != 200 || n == 0 {
			b.Errorf("%d %v", response.StatusCode, err)
		}
		_ = response.Body.Close()
	}
}

func BenchmarkEmptyPoll(b *testing.B) {
	get := loaded(b, 100_000, false)
	query := "$filter=lastUpdateDateTime+ge+" + time.Now().Add(time.Minute).UTC().Format("2006-01-02T15:04:05.0000000Z") + "&$top=1000&$orderby=lastUpdateDateTime+asc"
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			get(query)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func BenchmarkPageOfThousand(b *testing.B) {
	for _, mode := range []struct {
		name   string
		noGzip bool
	}{{"plain", true}, {"gzip", false}} {
		b.Run(mode.name, func(b *testing.B) {
			get := loaded(b, 20_000, mode.noGzip)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					get("$filter=lastUpdateDateTime+ge+2020-01-01T00:00:00Z&$top=1000")
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	c := newClient(b, Options{})
	for b.Loop() {
		c.tenant.Add()
	}
}

// BenchmarkUpdateAmongMany updates an alert of a tenant that has 200,000.
func BenchmarkUpdateAmongMany(b *testing.B) {
	c := newClient(b, Options{})
	made := c.tenant.AddBurst(200_000, time.Hour)
	for i := 0; b.Loop(); i += 7919 {
		if _, err := c.tenant.Update(made[i%len(made)].ID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkQuietTenant shows what a tenant costs that nobody asks.
func BenchmarkQuietTenant(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sim := New(Options{})
	for i := range b.N {
		if _, err := sim.AddTenant(TenantOptions{Name: CompanyName(i)}); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "bytes/tenant")
	runtime.KeepAlive(sim)
}
