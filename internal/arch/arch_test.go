package arch

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "fluent-bit-defender/"

// room says what one folder may import of ours.
type room struct {
	may []string
	why string
}

var rooms = map[string]room{
	"config":             {[]string{"internal/secret"}, "the tool reads configurations without an engine, the engine takes any Config"},
	"auth":               {[]string{"internal/secret"}, "signing in is useful without feeds; the token store it needs is its own interface"},
	"fetch":              {[]string{"internal/secret"}, "paging and windows know nothing of tenants, Fluent Bit or where tokens come from"},
	"record":             {nil, "bytes in, bytes out: every schema is tested by golden files alone"},
	"state":              {nil, "satisfies the stores that auth and ship declare, and knows neither"},
	"ship":               {[]string{"auth", "config", "control", "fetch", "internal/secret", "record", "state"}, "the only room that knows all the others"},
	"control":            {nil, "carries questions and answers between the tool and the plugin, and knows neither"},
	"plugin":             {[]string{"config", "ship"}, "the C edge unpacks, calls ship, packs: what it cannot reach it cannot do"},
	"cmd/defenderctl":    {[]string{"auth", "config", "control", "fetch", "internal/flbconf", "internal/flbhost", "internal/secret", "internal/simulator", "record", "ship", "state"}, "the operator's tool may use every room but the C edge"},
	"internal/arch":      {nil, "rules only"},
	"internal/secret":    {nil, "everybody holds secrets, so it can depend on nobody"},
	"internal/flbconf":   {nil, "reads Fluent Bit's files and knows no key of ours"},
	"internal/flbhost":   {nil, "behaves as Fluent Bit does, so it knows the plugin only by its C exports"},
	"internal/scenarios": {nil, "tests only: what they drive they know from outside, as Fluent Bit and Microsoft do"},
	"internal/simulator": {nil, "a mistake shared with the code it tests would go unseen"},
}

// outside says which imports from elsewhere belong to some rooms only.
var outside = []struct {
	path  string // as imported; "x/..." is x and everything below it
	rooms []string
	why   string
}{
	{"C", []string{"plugin"}, "cgo stays in one place, where the rules of the C edge are written down"},
	{"unsafe", []string{"plugin"}, "as cgo"},
	{"net/http/...", []string{"auth", "control", "fetch", "ship", "cmd/defenderctl", "internal/simulator", "internal/flbhost"}, "config, record and state work without a network"},
	{"os", []string{"config", "control", "state", "ship", "plugin", "cmd/defenderctl", "internal/flbconf", "internal/flbhost", "internal/simulator"}, "auth and fetch touch no files, record is pure"},
	{"math/rand", nil, "math/rand/v2 with an injected source, so that a test can repeat a run"},
	{"go.etcd.io/bbolt/...", []string{"state"}, "what the store is made of can change without anybody noticing"},
	{"github.com/goccy/go-yaml/...", []string{"config", "internal/flbconf"}, "the two rooms that read files people write"},
	{"github.com/alecthomas/kong/...", []string{"cmd/defenderctl"}, "the plugin has no command line"},
	{"github.com/fluent/fluent-bit-go/...", []string{"plugin"}, "Fluent Bit's interface is the C edge's business"},
	{"log", []string{"cmd/defenderctl"}, "below ship's loops everything returns errors, and ship is given a slog.Logger"},
	{"log/slog", []string{"internal/secret", "ship", "plugin", "cmd/defenderctl", "internal/simulator"}, "as log; secret tells slog to hide it"},
	{"testing", nil, "test helpers live in test files"},
}

func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipForeign(root, file)
		}
		if filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		folder, _ := filepath.Rel(root, filepath.Dir(file))
		for _, fault := range check(roomOf(filepath.ToSlash(folder)), importsOf(t, file)) {
			t.Errorf("%s: %s", file, fault)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// skipForeign leaves out folders that are no part of the module.
func skipForeign(root, dir string) error {
	if dir == root {
		return nil
	}
	name := filepath.Base(dir)
	if strings.HasPrefix(name, ".") || name == "testdata" || name == "build" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func importsOf(t *testing.T, file string) (paths []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, name)
	}
	return paths
}

// roomOf is the room that a folder belongs to: its own, or the nearest above it.
func roomOf(folder string) string {
	for dir := folder; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if _, known := rooms[dir]; known {
			return dir
		}
	}
	return folder
}

// check names every import that the rules forbid in a room.
func check(name string, imports []string) (faults []string) {
	this, known := rooms[name]
	if !known {
		return []string{fmt.Sprintf("the room %q has no rule: write one in the table above, with its reason", name)}
	}
	for _, imported := range imports {
		if ours, is := strings.CutPrefix(imported, module); is {
			if other := roomOf(ours); other != name && !slices.Contains(this.may, other) {
				faults = append(faults, fmt.Sprintf("%s must not import %s: %s", name, other, this.why))
			}
			continue
		}
		for _, rule := range outside {
			if matches(rule.path, imported) && !slices.Contains(rule.rooms, name) {
				faults = append(faults, fmt.Sprintf("%s must not import %s: %s", name, imported, rule.why))
			}
		}
	}
	return faults
}

func matches(pattern, imported string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return imported == base || below && strings.HasPrefix(imported, base+"/")
}

// The rules forbid what they say they forbid.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		room, imported, fault string
	}{
		{"record", module + "state", "record must not import state"},
		{"plugin", module + "fetch", "plugin must not import fetch"},
		{"ship", module + "plugin", "ship must not import plugin"},
		{"ship", module + "fetch", ""},
		{"fetch", module + "fetch", ""},
		{"record", "net/http/httptest", "record must not import net/http/httptest"},
		{"record", "os", "record must not import os"},
		{"ship", "os/signal", ""},
		{"ship", "math/rand/v2", ""},
		{"ship", "math/rand", "ship must not import math/rand"},
		{"auth", "C", "auth must not import C"},
		{"config", "go.etcd.io/bbolt/errors", "config must not import go.etcd.io/bbolt/errors"},
		{"state", "go.etcd.io/bbolt/errors", ""},
		{"attic", "fmt", `the room "attic" has no rule`},
		{"config/keys", module + "config", ""},
	} {
		got := strings.Join(check(roomOf(test.room), []string{test.imported}), "\n")
		if !strings.Contains(got, test.fault) || (test.fault == "") != (got == "") {
			t.Errorf("%s importing %s: %q, want %q", test.room, test.imported, got, test.fault)
		}
	}
}
