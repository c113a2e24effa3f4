package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fluent-bit-defender/internal/secret"

	"github.com/google/go-cmp/cmp"
)

const minimal = `
Client_Id      00001111-aaaa-2222-bbbb-3333cccc4444
Tenant_Id      Contoso.com
Refresh_Token  hush`

// reveal compares secrets by their values.
var reveal = cmp.Transformer("reveal", func(t secret.Text) string { return t.Reveal() })

// tidy turns the aligned lines of a test into "Key value".
func tidy(lines string) Properties {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		b.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return properties(b.String())
}

func mustLoad(t *testing.T, lines string) *Config {
	t.Helper()
	c, err := Load(tidy(lines))
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestDefaultsOfASingleTenant(t *testing.T) {
	c := mustLoad(t, minimal)
	want := Config{
		BatchLimit: 1_000_000, BufferLimit: 64_000_000, RecordLimit: 4_000_000,
		CommitDelay: 10 * time.Second, StatePath: "/var/lib/fluent-bit/defender",
		Tenants: []Tenant{{
			Name: "contoso.com", Slug: "contoso-com", ID: "contoso.com",
			LoginURL: "https://login.microsoftonline.com", GraphURL: "https://graph.microsoft.com",
			Cloud:    "login.microsoftonline.com",
			ClientID: "00001111-aaaa-2222-bbbb-3333cccc4444", RefreshToken: secret.New("hush"),
			Feeds: []string{"alerts"}, PollInterval: time.Minute, Lookback: 24 * time.Hour, Overlap: 15 * time.Minute,
			SweepInterval: 6 * time.Hour, SweepWindow: 48 * time.Hour, AuditWindow: 24 * time.Hour,
			Enabled: true,
		}},
	}
	if diff := cmp.Diff(want, *c, reveal, cmp.FilterPath(func(p cmp.Path) bool {
		return p.String() == "captured" || p.String() == "files"
	}, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
}

func TestEveryInstanceKeyArrives(t *testing.T) {
	c := mustLoad(t, minimal+`
Tenant_Tag     defender.{Tenant}.{tenant_id}.{feed}
Raw_Key        raw
Batch_Limit    512k
Buffer_Limit   1G
Record_Limit   2MB
Commit_Delay   1m
State_Path     /tmp/state
State_Key_File /tmp/key`)
	got := []any{c.TenantTag, c.RawKey, c.BatchLimit, c.BufferLimit, c.RecordLimit, c.CommitDelay, c.StatePath, c.StateKeyFile}
	want := []any{"defender.{tenant}.{tenant_id}.{feed}", "raw", int64(512_000), int64(1_000_000_000), int64(2_000_000), time.Minute, "/tmp/state", "/tmp/key"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, want := c.Tag(c.Tenants[0], "alerts"), "defender.contoso-com.contoso.com.alerts"; got != want {
		t.Errorf("Tag = %q, want %q", got, want)
	}
	if files := c.Files(); len(files) != 0 {
		t.Errorf("Files = %q; State_Key_File is not ours to read", files)
	}
}

func TestTagWithoutTemplateIsTheInstances(t *testing.T) {
	c := mustLoad(t, minimal)
	if got := c.Tag(c.Tenants[0], "alerts"); got != "" {
		t.Errorf("Tag = %q", got)
	}
}

// overridden is what every per-tenant key looks like when it is not the instance's value.
var overridden = Tenant{
	Name: "fabrikam", Slug: "fabrikam", ID: "11112222-bbbb-3333-cccc-4444dddd5555",
	LoginURL: "https://login.fabrikam.com:8443/proxy", GraphURL: "http://127.0.0.1:9000", Cloud: "login.fabrikam.com:8443",
	ClientID: "own-client", ClientSecret: secret.New("own-secret"), RefreshToken: secret.New("own-token"),
	Feeds: []string{"alerts"}, PollInterval: 90 * time.Second, Lookback: 0, Overlap: 2 * time.Hour,
	SweepInterval: 0, SweepWindow: 72 * time.Hour, AuditWindow: 36 * time.Hour,
	MinSeverity: "medium", ServiceSources: []string{"microsoftSentinel", "dataLossPrevention"}, Enabled: false,
}

func TestEveryTenantKeyOverridesTheInstances(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "fabrikam.token", "own-token\r\n")
	write(t, "sub/fabrikam.secret", "own-secret\n")
	c := mustLoad(t, `
Client_Id                 shared-client
Client_Secret             shared-secret
Min_Severity              high
Tenants                   contoso, fabrikam
contoso.Tenant_Id         contoso.com
fabrikam.tenant_id        11112222-BBBB-3333-cccc-4444dddd5555
fabrikam.Client_Id        own-client
fabrikam.Client_Secret    own-secret
fabrikam.Refresh_Token_File fabrikam.token
fabrikam.Feeds            ALERTS
fabrikam.Poll_Interval    90
fabrikam.Lookback         0
fabrikam.Overlap          2H
fabrikam.Sweep_Interval   0
fabrikam.Sweep_Window     3d
fabrikam.Audit_Window     36h
fabrikam.Min_Severity     Medium
fabrikam.Service_Sources  microsoftsentinel,dataLossPrevention
fabrikam.Enabled          No
fabrikam.Login_Url        https://Login.Fabrikam.com:8443/proxy/
fabrikam.Graph_Url        http://127.0.0.1:9000`)
	if diff := cmp.Diff(overridden, c.Tenants[1], reveal); diff != "" {
		t.Error(diff)
	}
	contoso := c.Tenants[0]
	if contoso.ClientSecret.Reveal() != "shared-secret" || !contoso.RefreshToken.IsZero() || contoso.MinSeverity != "high" || !contoso.Enabled {
		t.Errorf("contoso took something of fabrikam's: %+v", contoso)
	}
	if diff := cmp.Diff([]string{"fabrikam.token"}, c.Files()); diff != "" {
		t.Error(diff)
	}

	write(t, "sub/tenants.yaml", `
- Tenant_Name: fabrikam
  Tenant_Id: 11112222-bbbb-3333-cccc-4444dddd5555
  client_id: own-client
  client_secret_file: fabrikam.secret
  refresh_token: own-token
  feeds: [alerts]
  poll_interval: 90
  lookback: 0s
  overlap: 120m
  sweep_interval: 0
  sweep_window: 3d
  audit_window: 36h
  min_severity: medium
  service_sources:
    - microsoftSentinel
    - dataLossPrevention
  enabled: no
  login_url: https://login.fabrikam.com:8443/proxy
  graph_url: http://127.0.0.1:9000
`)
	c = mustLoad(t, "Client_Id shared-client\nClient_Secret shared-secret\nMin_Severity high\nTenants_File sub/tenants.yaml")
	if diff := cmp.Diff([]Tenant{overridden}, c.Tenants, reveal); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"sub/fabrikam.secret", "sub/tenants.yaml"}, c.Files()); diff != "" {
		t.Error(diff)
	}
}

func TestThreeWaysOfNamingTenantsGoTogether(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "tenants.yaml", "tenants:\n  - name: Adatum & Sons\n    tenant_id: adatum.com\n    refresh_token: hush\n")
	c := mustLoad(t, `
Client_Id              c
Tenants_File           tenants.yaml
Tenant_Name            Litware
Tenant_Id              litware.com
Refresh_Token          hush
Tenants                contoso
contoso.Tenant_Id      contoso.com
contoso.Refresh_Token  hush`)
	var slugs []string
	for _, tenant := range c.Tenants {
		slugs = append(slugs, tenant.Slug)
	}
	if diff := cmp.Diff([]string{"contoso", "litware", "adatum-sons"}, slugs); diff != "" {
		t.Error(diff)
	}
}

func TestASmallBufferShrinksDefaults(t *testing.T) {
	c := mustLoad(t, minimal+"\nBuffer_Limit 1M")
	if c.BatchLimit != 250_000 || c.RecordLimit != 1_000_000 {
		t.Errorf("batch %d, record %d", c.BatchLimit, c.RecordLimit)
	}
}

func TestOneDirectoryInTwoCloudsIsTwoTenants(t *testing.T) {
	c := mustLoad(t, minimal+`
Tenants                a
a.Tenant_Id            contoso.com
a.Refresh_Token        hush
a.Login_Url            https://login.microsoftonline.us:443
a.Graph_Url            https://graph.microsoft.us`)
	if got := c.Tenants[0].Cloud; got != "login.microsoftonline.us" {
		t.Errorf("Cloud = %q; the scheme's own port adds nothing", got)
	}
}

func TestReloadReadsFilesAgainAndKeepsTheOldOnError(t *testing.T) {
	t.Chdir(t.TempDir())
	const one = "tenants:\n  - {name: contoso, tenant_id: contoso.com, refresh_token_file: contoso.token}\n"
	write(t, "tenants.yaml", one)
	write(t, "contoso.token", "first")
	asked := 0
	get := tidy("Client_Id c\nTenants_File tenants.yaml")
	c, err := Load(func(key string) string { asked++; return get(key) })
	if err != nil {
		t.Fatal(err)
	}
	before := asked

	write(t, "contoso.token", "second")
	write(t, "tenants.yaml", one+"  - {name: fabrikam, tenant_id: fabrikam.com, refresh_token: hush}\n")
	again, err := c.Reload()
	if err != nil {
		t.Fatal(err)
	}
	if asked != before {
		t.Error("Reload asked Fluent Bit, whose instance may be gone")
	}
	if len(again.Tenants) != 2 || again.Tenants[0].RefreshToken.Reveal() != "second" {
		t.Errorf("reloaded %+v", again.Tenants)
	}
	if len(c.Tenants) != 1 || c.Tenants[0].RefreshToken.Reveal() != "first" {
		t.Errorf("the old configuration changed: %+v", c.Tenants)
	}

	if err := os.Remove("contoso.token"); err != nil {
		t.Fatal(err)
	}
	var faults *Faults
	if _, err := again.Reload(); !errors.As(err, &faults) {
		t.Fatalf("Reload = %v", err)
	}
	if diff := cmp.Diff([]string{"contoso.token", "tenants.yaml"}, faults.Files); diff != "" {
		t.Errorf("a file that is missing must be watched too: %s", diff)
	}
	write(t, "contoso.token", "third")
	third, err := again.Reload()
	if err != nil || third.Tenants[0].RefreshToken.Reveal() != "third" {
		t.Errorf("repaired: %v", err)
	}
}

func TestAnEmptyListOfTenantsIsFine(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "tenants.yaml", "tenants: []\n")
	if c := mustLoad(t, "Tenants_File tenants.yaml"); len(c.Tenants) != 0 {
		t.Errorf("%+v", c.Tenants)
	}
}

func TestVariablesInTheTenantsFile(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("FABRIKAM_TOKEN", "hush\n")
	write(t, "tenants.yaml", `[{name: "f-${NOT_SET:-x}", tenant_id: fabrikam.com, refresh_token: "a${FABRIKAM_TOKEN}z", client_id: "c$1"}]`)
	got := mustLoad(t, "Tenants_File tenants.yaml").Tenants[0]
	if got.Name != "f-x" || got.RefreshToken.Reveal() != "ahushz" || got.ClientID != "c$1" {
		t.Errorf("%q %q %q", got.Name, got.RefreshToken.Reveal(), got.ClientID)
	}
}

func TestTheExamplesOfTheReferenceLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("FABRIKAM_TOKEN", "hush")
	write(t, "credentials/contoso.token", "hush\n")
	write(t, "credentials/app.secret", "hush\n")
	write(t, "litware.secret", "hush\n")
	here := func(s string) string { return strings.ReplaceAll(s, "/run/credentials", "credentials") }
	write(t, "credentials/credentials/contoso.token", "hush\n")
	write(t, "tenants.yaml", here(exampleTenantsFile))
	c := mustLoad(t, here(exampleInput)+"\nfabrikam.Service_Sources all")
	if len(c.Tenants) != 2 || c.Tenants[1].PollInterval != 5*time.Minute {
		t.Errorf("%+v", c.Tenants)
	}
	c = mustLoad(t, "Client_Id c\nTenants_File tenants.yaml")
	if len(c.Tenants) != 3 || c.Tenants[2].Enabled || c.Tenants[1].Slug != "fabrikam-residences" {
		t.Errorf("%+v", c.Tenants)
	}
	if faults := Unread([]string{"Name", "threaded", "Tenants", "contoso.Tenant_Id", "fabrikam.Poll_Interval"}, tidy(exampleInput)); len(faults) > 0 {
		t.Errorf("Unread: %v", faults)
	}
}

// TestSecretsStayInside breaks a tenants file in the ways people do and looks
// for the secret in what is said.
func TestSecretsStayInside(t *testing.T) {
	t.Chdir(t.TempDir())
	const value = "0.AXoAhushHUSH~8Q_tok3n"
	for _, line := range []string{
		"refresh_token:%s", "refresh_token: %s: x", "refresh_token: '%s", "refresh_token: \"%s", "refresh_token: *%s",
		"refresh_token: &%s", "refresh_token: !%s x", "refresh_token: [%s", "refresh_token: {%s", "refresh_token: {%s: 1}",
		"refresh_token\n    %s", "%s", "%s: refresh_token", "refresh_token: |%s", "refresh_token: >\n  %s", "refresh_token: %s %s",
		"refresh_token: @%s", "refresh_token: `%s", "refresh_token: %%%s", "refresh_token:\n\t%s", "? %s", "refresh_token: - %s",
		"refresh_token: \"\\%s\"", "refresh_token: [a, [%s]]", "client_secret: %s\n    client_secret: %s", "refresh_token_fle: %s",
	} {
		write(t, "tenants.yaml", "tenants:\n  - name: contoso\n    tenant_id: contoso.com\n    "+strings.ReplaceAll(line, "%s", value)+"\n")
		_, err := Load(tidy("Client_Id c\nTenants_File tenants.yaml"))
		if err == nil {
			continue // odd, but a token all the same
		}
		if strings.Contains(strings.ToLower(err.Error()), "hush") {
			t.Errorf("%q is answered with %q", line, err)
		}
	}
}

func TestManyTenantsKeepTheirOrder(t *testing.T) {
	t.Chdir(t.TempDir())
	writeManyTenants(t, 1000)
	c := mustLoad(t, "Client_Id c\nTenants_File tenants.yaml")
	if len(c.Tenants) != 1000 {
		t.Fatalf("%d tenants", len(c.Tenants))
	}
	for i, tenant := range c.Tenants {
		if want := fmt.Sprintf("customer-%d", i); tenant.Name != want {
			t.Fatalf("tenant %d is %s", i, tenant.Name)
		}
	}
}

func BenchmarkTenThousandTenants(b *testing.B) {
	b.Chdir(b.TempDir())
	writeManyTenants(b, 10_000)
	for b.Loop() {
		if _, err := Load(tidy("Client_Id c\nTenants_File tenants.yaml")); err != nil {
			b.Fatal(err)
		}
	}
}

func writeManyTenants(t testing.TB, n int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("tenants:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - name: customer-%d\n    tenant_id: %08d-aaaa-2222-bbbb-3333cccc4444\n    refresh_token: 0.A%s\n    poll_interval: 2m\n", i, i, strings.Repeat("x", 1000))
	}
	if err := os.WriteFile(filepath.Join(".", "tenants.yaml"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
