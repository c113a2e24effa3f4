package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

// TestOfItself: the test's own binary is a Go program too.
func TestOfItself(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var texts [2]string
	for i := range texts {
		if err := write(file, "v1.2.3"); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file + ".cdx.json")
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	if texts[0] != texts[1] {
		t.Error("the same file gives another document")
	}
	var d document
	if err := json.Unmarshal([]byte(texts[0]), &d); err != nil {
		t.Fatal(err)
	}
	if d.Format != "CycloneDX" || d.Metadata.Component.Version != "v1.2.3" || len(d.Metadata.Component.Hashes[0].Content) != 64 ||
		!regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(d.Serial) {
		t.Errorf("%.800s", texts[0])
	}
	if len(d.Components) == 0 || d.Components[0].Name != "std" || !strings.HasPrefix(d.Components[0].Version, "go1.") {
		t.Errorf("%+v", d.Components)
	}
}

func TestEveryModuleIsListed(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "fluent-bit-defender"}, Deps: []*debug.Module{
		{Path: "golang.org/x/net", Version: "v0.60.0", Sum: "h1:x="},
		{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v2.0.0+incompatible"}},
	}}
	d := describe("in_defender.so", "v1", []byte("content"), info)
	var names []string
	for _, c := range d.Components {
		names = append(names, c.PURL)
	}
	want := "pkg:golang/std@go1.26.8 pkg:golang/golang.org/x/net@v0.60.0 pkg:golang/example.com/new@v2.0.0+incompatible"
	if got := strings.Join(names, " "); got != want || len(d.Dependencies[0].Depends) != 3 || d.Metadata.Component.Type != "library" {
		t.Errorf("%s\nwant %s; %+v", got, want, d)
	}
}

func TestNoGoProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(file, "v1"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}
