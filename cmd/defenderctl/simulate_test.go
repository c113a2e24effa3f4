package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fluent-bit-defender/config"
)

// simulating runs the command until the test ends and returns what it wrote on stdout and stderr before it said that it
// serves, and the exit code that stop yields.
func simulating(t *testing.T, args ...string) (stdout string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, stderr := io.Pipe()
	var data strings.Builder
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, append([]string{"simulate", "--listen", "127.0.0.1:0"}, args...), &data, stderr)
		_ = stderr.Close()
	}()
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "until interrupted") {
			go func() { _, _ = io.Copy(io.Discard, reader) }()
			return data.String(), func() int { cancel(); return <-exit }
		}
	}
	t.Fatalf("it ended with %d before it served", <-exit)
	return "", nil
}

func TestSimulateServesItsTenantsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	stdout, stop := simulating(t, "--tenants", "14", "--alerts", "5", "--tenants-file", path, "--fault", "aadsts:50173@fabrikam")
	if stdout != "" {
		t.Errorf("stdout %q, though it went to a file", stdout)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	c, err := config.Load(func(key string) string { return map[string]string{"tenants_file": path}[strings.ToLower(key)] })
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tenants) != 14 || c.Tenants[13].Name != "fabrikam-2" {
		t.Fatalf("%d tenants", len(c.Tenants))
	}
	for i, want := range []int{200, 400, 200} {
		tenant := c.Tenants[i]
		response, err := http.PostForm(tenant.LoginURL+"/"+tenant.ID+"/oauth2/v2.0/token", url.Values{
			"grant_type": {"refresh_token"}, "client_id": {tenant.ClientID}, "client_secret": {tenant.ClientSecret.Reveal()},
			"refresh_token": {tenant.RefreshToken.Reveal()}, "scope": {"https://graph.microsoft.com/.default offline_access"}})
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", tenant.Name, response.StatusCode, want)
		}
		_ = response.Body.Close()
	}
	response, err := http.Get(c.Tenants[0].GraphURL + "/control/owed?tenant=contoso")
	if err != nil {
		t.Fatal(err)
	}
	var owed []map[string]string
	if err := json.NewDecoder(response.Body).Decode(&owed); err != nil || len(owed) < 5 {
		t.Errorf("owed %v %v", owed, err)
	}
	_ = response.Body.Close()
	if code := stop(); code != 0 {
		t.Errorf("interrupted: exit code %d", code)
	}
}

func TestSimulateAnnouncesAnotherRoot(t *testing.T) {
	certificate := filepath.Join(t.TempDir(), "simulator.pem")
	stdout, stop := simulating(t, "--url", "https://simulator:8089/", "--tls", "--cert-file", certificate, "--rate", "0")
	if strings.Count(stdout, `login_url: "https://simulator:8089"`) != 3 {
		t.Errorf("%s", stdout)
	}
	if text, err := os.ReadFile(certificate); err != nil || !strings.HasPrefix(string(text), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%q %v", text, err)
	}
	if code := stop(); code != 0 {
		t.Errorf("interrupted: exit code %d", code)
	}
}

func TestSimulateRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--tenants", "0"}, {"--updated", "2"}, {"--fault", "nonsense"}, {"--fault", "hang@nobody"}, {"--listen", "nowhere:x"}, {"--rotate", "maybe"},
	} {
		var stderr strings.Builder
		if code := run(t.Context(), append([]string{"simulate"}, args...), io.Discard, &stderr); code == 0 || !strings.HasPrefix(stderr.String(), "defenderctl: error: ") {
			t.Errorf("%v: %d %s", args, code, stderr.String())
		}
	}
}
