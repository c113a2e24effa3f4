package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzNumbersStayInRange: whatever is written, a duration or size is refused or
// within its limits, and what formatting writes reads back the same.
func FuzzNumbersStayInRange(f *testing.F) {
	for _, s := range []string{"60", "60s", "5m", "2h", "1d", "512k", "4M", "1G", "-1", "9223372036854775807d", "1e9", "", "k", "0x1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := &draft{config: &Config{}}
		read := duration(func(d *draft) *time.Duration { return &d.tenant.Lookback }, time.Second, 365*day)
		if read(d, text) == nil {
			got := d.tenant.Lookback
			if got < time.Second || got > 365*day {
				t.Fatalf("%q reads as %v", text, got)
			}
			if p := read(d, formatDuration(got)); p != nil || d.tenant.Lookback != got {
				t.Fatalf("%q, %v, is written %q", text, got, formatDuration(got))
			}
		}
		readSize := size(func(d *draft) *int64 { return &d.config.BatchLimit }, 1, giga)
		if readSize(d, text) == nil {
			got := d.config.BatchLimit
			if got < 1 || got > giga {
				t.Fatalf("%q reads as %d", text, got)
			}
			if p := readSize(d, formatSize(got)); p != nil || d.config.BatchLimit != got {
				t.Fatalf("%q, %d, is written %q", text, got, formatSize(got))
			}
		}
	})
}

// FuzzTenantsFileIsRefusedOrValid: no text makes Load panic; it ends in faults of
// one line each, or in tenants that hold what Config promises.
func FuzzTenantsFileIsRefusedOrValid(f *testing.F) {
	f.Add(strings.ReplaceAll(exampleTenantsFile, "${FABRIKAM_TOKEN}", "hush"))
	f.Add("tenants: []")
	f.Add("- {name: contoso, tenant_id: contoso.com, refresh_token: hush, feeds: [alerts]}")
	f.Add("- name: |\n    contoso\n  tenant_id: >-\n    contoso.com\n  refresh_token: \"a\\u0041\"\n")
	f.Add("tenants:\n  - &a {name: x}\n  - *a\n  - <<: *a\n---\n? x\n: y\n...")
	file := filepath.Join(f.TempDir(), "tenants.yaml") // each worker process has its own
	get := properties("Client_Id c\nTenants_File " + file + "\n")
	f.Fuzz(func(t *testing.T, content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(get)
		if err != nil {
			var faults *Faults
			if !errors.As(err, &faults) || len(faults.List) == 0 {
				t.Fatalf("%#v", err)
			}
			for _, fault := range faults.List {
				if line := fault.String(); strings.ContainsAny(line, "\n\r") || line == "" {
					t.Fatalf("not one line: %q", line)
				}
			}
			return
		}
		slugs := map[string]bool{}
		for _, tenant := range c.Tenants {
			_, badID := tenantIDOf(tenant.ID)
			if tenant.Name == "" || tenant.Slug == "" || slugs[tenant.Slug] || badID || tenant.Cloud == "" || tenant.ClientID == "" ||
				tenant.RefreshToken.IsZero() && tenant.ClientSecret.IsZero() || len(tenant.Feeds) == 0 || tenant.PollInterval < time.Second {
				t.Fatalf("%+v", tenant)
			}
			slugs[tenant.Slug] = true
		}
	})
}

func tenantIDOf(text string) (string, bool) {
	d := &draft{config: &Config{}}
	return d.tenant.ID, tenantID(d, text) != nil
}
