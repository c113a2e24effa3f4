package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite golden files and docs/configuration.md")

// TestBadConfigurations holds every rule to its exact message: one archive per
// rule with the properties, the files they name, and the message.
func TestBadConfigurations(t *testing.T) {
	archives, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(archives) < 40 {
		t.Fatalf("found %d archives: %v", len(archives), err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			golden, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			get, want := unpack(t, archive)
			_, err = Load(get)
			var faults *Faults
			if !errors.As(err, &faults) {
				t.Fatalf("Load = %v, want faults", err)
			}
			got := err.Error() + "\n"
			if strings.Contains(got, "hush") {
				t.Errorf("the message shows a secret:\n%s", got)
			}
			if lines := strings.Count(got, "\n"); lines != len(faults.List) {
				t.Errorf("%d lines for %d faults:\n%s", lines, len(faults.List), got)
			}
			if *update {
				archive.Files[len(archive.Files)-1].Data = []byte(got)
				if err := os.WriteFile(golden, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

// unpack writes the archive's files into a new working directory and returns its
// properties and the message wanted.
func unpack(t *testing.T, archive *txtar.Archive) (get Properties, want string) {
	t.Helper()
	t.Chdir(t.TempDir())
	get = properties("")
	for _, f := range archive.Files {
		switch f.Name {
		case "properties":
			get = properties(string(f.Data))
		case "want":
			want = string(f.Data)
		default:
			write(t, f.Name, string(f.Data))
		}
	}
	return get, want
}

// properties answers as Fluent Bit does from lines "Key value".
func properties(lines string) Properties {
	return func(key string) string {
		for line := range strings.Lines(lines) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
			if strings.EqualFold(k, key) {
				return v
			}
		}
		return ""
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if dir := filepath.Dir(name); dir != "." {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
