package docker_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fluent-bit-defender/config"
	"fluent-bit-defender/internal/flbconf"

	"github.com/google/go-cmp/cmp"
)

// dormant are the lines of the two files at the root that a user takes into use by removing the "# ".
var dormant = map[string]*regexp.Regexp{
	"fluent-bit.conf": regexp.MustCompile(`(?m)^( *)# (\[OUTPUT\]|    [A-Za-z]|Raw_Key )`),
	"fluent-bit.yaml": regexp.MustCompile(`(?m)^( *)# (- name: |  [a-z_]+: |raw_key: )`),
}

const secretsFolder = "/etc/fluent-bit/secrets/"

// root reads one of the configurations at the root, everything in use, with secrets that exist.
func root(t *testing.T, name string) *flbconf.File {
	t.Helper()
	text := read(t, "../"+name)
	secrets := t.TempDir() + "/"
	for _, path := range regexp.MustCompile(secretsFolder+`\S+`).FindAllString(text, -1) {
		write(t, secrets+strings.TrimPrefix(path, secretsFolder), "hush")
	}
	used := strings.ReplaceAll(dormant[name].ReplaceAllString(text, "$1$2"), secretsFolder, secrets)
	path := filepath.Join(t.TempDir(), name)
	write(t, path, used)
	file, err := flbconf.Load(path, func(string) (string, bool) { return "hush", true })
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRootConfigurations(t *testing.T) {
	for name := range dormant {
		t.Run(name, func(t *testing.T) {
			file := root(t, name)
			input := theInput(t, file)
			if _, err := config.Load(input.Get); err != nil {
				t.Error(err)
			}
			for _, fault := range config.Unread(input.Keys(), input.Get) {
				t.Error(fault)
			}
			// What the promise of docs/delivery.md rests on.
			if input.Get("threaded") != "off" || input.Get("storage.type") != "filesystem" || file.Service().Get("storage.path") == "" {
				t.Error("records would not survive a crash")
			}
			if n := len(file.Outputs()); n != 4 {
				t.Errorf("%d outputs, want stdout and three more", n)
			}
			for _, output := range file.Outputs() {
				if name := output.Get("name"); output.Get("match") != "defender.*" || name != "stdout" && output.Get("retry_limit") != "no_limits" {
					t.Errorf("output %s would lose records", name)
				}
			}
		})
	}
}

func TestRootConfigurationsAreTheSame(t *testing.T) {
	plain := func(name string) (lines []string) {
		for _, s := range root(t, name).Sections {
			for _, p := range s.Props {
				if key := strings.ToLower(p.Key); s.Kind != "plugins" && key != "plugins_file" && !strings.HasSuffix(key, "_file") {
					lines = append(lines, s.Kind+": "+key+" "+strings.ToLower(p.Value))
				}
			}
		}
		return lines
	}
	if diff := cmp.Diff(plain("fluent-bit.conf"), plain("fluent-bit.yaml")); diff != "" {
		t.Errorf("the classic form (-) and the YAML form (+) differ:\n%s", diff)
	}
}

// The outputs' keys are known to Fluent Bit alone.
func TestFluentBitTakesOutputs(t *testing.T) {
	fluentBit, err := exec.LookPath("fluent-bit")
	if err != nil {
		t.Skip("no fluent-bit on PATH")
	}
	for name := range dormant {
		var conf strings.Builder
		conf.WriteString("[INPUT]\n    Name dummy\n") // --dry-run does not survive an input written in Go
		for _, output := range root(t, name).Outputs() {
			conf.WriteString("[OUTPUT]\n")
			for _, p := range output.Props {
				fmt.Fprintf(&conf, "    %s %s\n", p.Key, p.Value)
			}
		}
		path := filepath.Join(t.TempDir(), "outputs.conf")
		write(t, path, conf.String())
		if out, err := exec.Command(fluentBit, "--dry-run", "-c", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
