// Package docker_test brings the compose file up and compares what arrives with what the simulator owes. "make
// compose-test" runs that; "make test" holds the image and the configurations to the rest of the repository.
package docker_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"fluent-bit-defender/config"
	"fluent-bit-defender/internal/flbconf"
	"fluent-bit-defender/internal/simulator"
)

const (
	arrivals = "/var/lib/fluent-bit/out/alerts.jsonl"
	patience = 2 * time.Minute
)

// fluent-bit.yaml names the tenants and credentials that the simulator makes up.
func TestConfigurationFitsSimulator(t *testing.T) {
	cfg := load(t)
	sim := simulator.New(simulator.Options{})
	for _, tenant := range cfg.Tenants {
		simulated, err := sim.AddTenant(simulator.TenantOptions{Name: tenant.Name})
		if err != nil {
			t.Fatal(err)
		}
		app := simulated.Apps()[0]
		if tenant.ID != simulated.Domain || tenant.ClientID != app.ClientID || tenant.ClientSecret.Reveal() != app.ClientSecret {
			t.Errorf("tenant %s: the simulator's domain is %s, its app %s with secret %s", tenant.Name, simulated.Domain, app.ClientID, app.ClientSecret)
		}
		if token := tenant.RefreshToken.Reveal(); token != "" && token != app.RefreshToken {
			t.Errorf("tenant %s: the simulator's refresh token is %s", tenant.Name, app.RefreshToken)
		}
	}
}

func load(t *testing.T) *config.Config {
	t.Helper()
	file, err := flbconf.Load("fluent-bit.yaml", os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(theInput(t, file).Get)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func theInput(t *testing.T, file *flbconf.File) flbconf.Section {
	t.Helper()
	inputs := file.Inputs("defender")
	if len(inputs) != 1 {
		t.Fatalf("%s: %d inputs of defender, want 1", file.Path, len(inputs))
	}
	return inputs[0]
}

func TestCompose(t *testing.T) {
	if os.Getenv("COMPOSE_TEST") == "" {
		t.Skip("takes minutes and needs Docker: make compose-test")
	}
	up := newProject(t)
	var tenants []string
	for _, tenant := range load(t).Tenants {
		tenants = append(tenants, tenant.Name)
	}

	before := up.await(t, tenants)
	t.Logf("%d alerts were there and have arrived; now updates, new ones, and a new container on the same volume", len(before))
	up.compose(t, "up", "-d", "--no-deps", "--no-build", "--force-recreate", "fluent-bit")
	for v := range before {
		if v.Tenant == tenants[0] {
			up.change(t, map[string]any{"tenant": v.Tenant, "id": v.ID}) // an update
		}
	}
	up.change(t, map[string]any{"tenant": tenants[1], "count": 20}) // one stamp for all
	counts := up.await(t, tenants)
	for version, n := range counts {
		if n != 1 {
			t.Errorf("%v arrived %d times: the state did not survive in the volume", version, n)
		}
	}
	if len(counts) <= len(before)+20 {
		t.Errorf("%d versions before, %d after: the updates did not arrive as records of their own", len(before), len(counts))
	}
	t.Logf("%d versions of alerts of %d tenants, each once", len(counts), len(tenants))
}

// version is one version of one alert of one tenant.
type version struct{ Tenant, ID, Version string }

// project is the compose file, up.
type project struct {
	command []string // docker compose -p … -f …
	url     string   // the simulator's
}

func newProject(t *testing.T) *project {
	command := composeCommand(t)
	name := fmt.Sprintf("defender-test-%d", os.Getpid())
	p := &project{command: append(command, "-p", name, "-f", "compose.yaml")}
	t.Setenv("SIMULATOR_PORT", "0") // any free one
	t.Setenv("SIMULATOR_RATE", "0") // nothing comes that the test did not make
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.try("logs", "--tail=60"))
		}
		if out, err := p.try("down", "-v", "--remove-orphans"); err != nil {
			t.Errorf("taking it down: %v\n%s", err, out)
		}
	})
	p.compose(t, "up", "-d", "--build")
	p.url = "http://" + strings.TrimSpace(p.compose(t, "port", "simulator", "8089"))
	return p
}

// composeCommand finds Docker and compose in either spelling, and the base images, or skips.
func composeCommand(t *testing.T) []string {
	t.Helper()
	if out, err := run("docker", "info"); err != nil {
		t.Skipf("Docker does not answer: %v %s", err, lastLine(out))
	}
	for _, image := range baseImages(t) {
		if _, err := run("docker", "image", "inspect", image); err == nil {
			continue
		}
		if out, err := run("docker", "pull", image); err != nil {
			t.Skipf("the image %s is not here and cannot be pulled: %s", image, lastLine(out))
		}
	}
	if _, err := run("docker", "compose", "version"); err == nil {
		return []string{"docker", "compose"}
	}
	if _, err := run("docker-compose", "version"); err == nil {
		return []string{"docker-compose"}
	}
	t.Skip("neither docker compose nor docker-compose is installed")
	return nil
}

func (p *project) try(args ...string) (string, error) {
	return run(p.command[0], append(p.command[1:len(p.command):len(p.command)], args...)...)
}

func (p *project) compose(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.try(args...)
	if err != nil {
		t.Fatalf("compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// await returns how often each version arrived, as soon as every tenant's newest versions are among them.
func (p *project) await(t *testing.T, tenants []string) map[version]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		var missing []version
		counts, err := p.arrived(t)
		if err == nil {
			missing = p.missing(t, tenants, counts)
		}
		if err == nil && len(missing) == 0 {
			return counts
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("after %v these are owed and have not arrived: %v (%d arrived, %v)", patience, missing, len(counts), err)
		}
	}
}

// missing lists what the simulator owes and counts does not have.
func (p *project) missing(t *testing.T, tenants []string, counts map[version]int) (missing []version) {
	t.Helper()
	for _, tenant := range tenants {
		var owed []struct{ ID, Version string }
		p.ask(t, http.MethodGet, "/control/owed?tenant="+tenant, nil, &owed)
		if len(owed) == 0 {
			t.Fatalf("the simulator owes nothing of %s: there is nothing to compare", tenant)
		}
		for _, o := range owed {
			if v := (version{tenant, o.ID, o.Version}); counts[v] == 0 {
				missing = append(missing, v)
			}
		}
	}
	return missing
}

// change makes or updates alerts through the simulator's control API.
func (p *project) change(t *testing.T, what map[string]any) {
	t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	var made []any
	p.ask(t, http.MethodPost, "/control/alert", bytes.NewReader(body), &made)
}

func (p *project) ask(t *testing.T, method, path string, body io.Reader, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s %v", method, path, answer.Status, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// arrived counts the records in the output file by version. It fails while there is no file yet.
func (p *project) arrived(t *testing.T) (map[version]int, error) {
	container := strings.TrimSpace(p.compose(t, "ps", "-q", "fluent-bit"))
	cmd := exec.CommandContext(t.Context(), "docker", "cp", container+":"+arrivals, "-")
	archive, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("no file of alerts: %w", err)
	}
	file := tar.NewReader(bytes.NewReader(archive))
	if _, err := file.Next(); err != nil {
		return nil, err
	}
	counts := map[version]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var record struct {
			Tenant  string `json:"tenant_name"`
			ID      string `json:"id"`
			Version string `json:"lastUpdateDateTime"`
		}
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return counts, fmt.Errorf("a line is not whole: %w", err) // it is being written
		}
		counts[version(record)]++
	}
	return counts, lines.Err()
}

func run(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
