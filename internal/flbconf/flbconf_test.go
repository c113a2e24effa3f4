package flbconf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// environment answers from a fixed set of variables.
func environment(name string) (string, bool) {
	value, ok := map[string]string{"TOKEN": "hush", "EMPTY": "", "HOSTNAME": "host-1"}[name]
	return value, ok
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, name string) *File {
	t.Helper()
	f, err := Load(name, environment)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestClassicForm(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "etc/fluent-bit.conf", strings.Join([]string{
		"# a comment",
		"@SET who=contoso",
		"[SERVICE]",
		"    Flush        1",
		"    # another",
		"    HTTP_Server  On   ",
		"",
		"[INPUT]\r",
		"    Name          defender\r",
		"    Tag           late.${who}",
		"    Tenants       contoso, fabrikam",
		"    contoso.Refresh_Token ${TOKEN}",
		"        [PROCESSORS] of this input", // Fluent Bit wants a space in every line
		"        Key           of the group",
		"    Tag           twice # no comment",
		"@include conf.d/*.conf",
		"    Enabled       ${EMPTY}",
		"[IN]",
		"    Name          Defender",
		"    Alias         ${NOT_SET:-second}${NOT_SET}",
		"[SERVICE]",
		"    Grace         5",
	}, "\n"))
	write(t, "etc/conf.d/1.conf", "[OUTPUT]\n\tName stdout\n\tMatch late.*\n")
	write(t, "etc/conf.d/2.conf", "@SET who=fabrikam\n[OUTPUT]\n Name null\n Match *")
	f := load(t, "etc/fluent-bit.conf")

	inputs := f.Inputs("defender")
	if len(inputs) != 2 || len(f.Outputs()) != 2 || len(f.Sections) != 5 {
		t.Fatalf("%d inputs, %d outputs, %d sections", len(inputs), len(f.Outputs()), len(f.Sections))
	}
	main := "etc/fluent-bit.conf"
	want := Section{Kind: "input", File: main, Line: 8, Props: []Prop{
		{Key: "name", Written: "Name", Value: "defender", File: main, Line: 9},
		{Key: "tag", Written: "Tag", Value: "late.fabrikam", File: main, Line: 10},
		{Key: "tenants", Written: "Tenants", Value: "contoso, fabrikam", File: main, Line: 11},
		{Key: "contoso.refresh_token", Written: "contoso.Refresh_Token", Value: "hush", File: main, Line: 12},
		{Key: "tag", Written: "Tag", Value: "twice # no comment", File: main, Line: 15},
		{Key: "enabled", Written: "Enabled", Value: "", File: main, Line: 17},
	}}
	if diff := cmp.Diff(want, inputs[0]); diff != "" {
		t.Error(diff)
	}
	if got := inputs[1].Get("ALIAS"); got != "second" {
		t.Errorf("alias %q", got)
	}
	if f.Service().Get("grace") != "5" || f.Service().Get("HTTP_Server") != "On" {
		t.Errorf("service %+v", f.Service())
	}
	if got := inputs[0].Get("tag") + "|" + inputs[0].Last("tag"); got != "late.fabrikam|twice # no comment" {
		t.Errorf("tag: %s", got)
	}
	if diff := cmp.Diff([]Unset{{"EMPTY", main, 17}, {"NOT_SET", main, 20}}, f.Unset); diff != "" {
		t.Error(diff)
	}
	if got := strings.Join(inputs[0].Keys(), " "); got != "name tag tenants contoso.refresh_token tag enabled" {
		t.Errorf("keys %s", got)
	}
	second := f.Outputs()[1]
	if second.File != filepath.Join(mustRoot(t), "etc/conf.d/2.conf") || second.Line != 2 {
		t.Errorf("the second output is at %s:%d", second.File, second.Line)
	}
}

// mustRoot is the working directory without symbolic links.
func mustRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestYAMLForm(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "secret.txt", "from-file\n")
	write(t, "etc/fluent-bit.yaml", `
env:
  who: contoso
  FROM_FILE: file://secret.txt
includes:
  - more.yaml
service:
  flush: 1
  http_server: on
pipeline:
  inputs:
    - name: defender
      threaded: off
      Tenants: ${who}
      tenantsFile: t.yaml
      contoso.tenant_id: 0x10
      contoso.Feeds: alerts
      contoso.Refresh_Token: "${FROM_FILE}"
      service_sources: [a, b]
      raw_key:
      processors:
        logs:
          - name: content_modifier
    - name: dummy
  outputs:
    - name: stdout
      match: 'x.*'
      format: |
        json
`)
	write(t, "etc/more.yaml", "env:\n  - name: who\n    value: early\npipeline:\n  outputs:\n    - {name: null, match: '*'}\n")
	f := load(t, "etc/fluent-bit.yaml")
	main := "etc/fluent-bit.yaml"
	inputs := f.Inputs("Defender")
	if len(inputs) != 1 {
		t.Fatalf("%d inputs", len(inputs))
	}
	want := Section{Kind: "input", File: main, Line: 12, Props: []Prop{
		{"name", "name", "defender", main, 12},
		{"threaded", "threaded", "off", main, 13},
		{"Tenants", "Tenants", "early", main, 14},
		{"tenants_file", "tenantsFile", "t.yaml", main, 15},
		{"contoso.tenant_id", "contoso.tenant_id", "0x10", main, 16},
		{"contoso._feeds", "contoso.Feeds", "alerts", main, 17},
		{"contoso.refresh_token", "contoso.Refresh_Token", "from-file", main, 18},
		{"service_sources", "service_sources", "a", main, 19},
		{"service_sources", "service_sources", "b", main, 19},
		{"raw_key", "raw_key", "", main, 20},
	}}
	if diff := cmp.Diff(want, inputs[0]); diff != "" {
		t.Error(diff)
	}
	outputs := f.Outputs()
	if len(outputs) != 2 || outputs[0].Get("name") != "null" || outputs[1].Get("format") != "json" {
		t.Errorf("outputs %+v", outputs)
	}
	if f.Service().Get("HTTP_Server") != "on" {
		t.Errorf("service %+v", f.Service())
	}
}

func TestVariables(t *testing.T) {
	v := newVariables(environment)
	v.declared = []declaration{{name: "A", value: "one"}, {name: "TOKEN", value: "own"}, {name: "NONE", value: ""}}
	v.set = []declaration{{name: "A", value: "two"}}
	if err := v.settle(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ value, want, unset string }{
		{"plain", "plain", ""},
		{"${A}", "two", ""},
		{"<${A}-${TOKEN}>", "<two-own>", ""},
		{"${HOSTNAME}", "host-1", ""},
		{"${X}", "", "X"},
		{"${EMPTY}${X}", "", "EMPTY X"},
		{"${X:-y}${EMPTY:-z}", "yz", ""},
		{"${X:-}", "", ""},
		{"${NONE}", "", ""},
		{"${NONE:-d}", "d", ""},
		{"${X:y:-z}", "", "X:y:-z"},
		{"${}", "${}", ""},
		{"a}${A}", "a}${A}", ""},
		{"${A}b}${A}", "two${A}", ""},
		{"${A}${open", "two", ""},
		{"${open", "${open", ""},
		{"$A {A}", "$A {A}", ""},
	} {
		got, unset := v.expand(c.value)
		if got != c.want || strings.Join(unset, " ") != c.unset {
			t.Errorf("%s = %q, unset %q; want %q, %q", c.value, got, unset, c.want, c.unset)
		}
	}
}

// refusals are files that Fluent Bit refuses, and what we say of each.
var refusals = []struct{ name, content, want string }{
	{"tab.conf", "[INPUT]\n\tName\tdummy\n", "tab.conf:2: the key Name\tdummy has no value; put a space, not a tab, between them"},
	{"value.conf", "[INPUT]\n    Name dummy\n    Tag\n", "value.conf:3: the key Tag has no value; put a space, not a tab, between them"},
	{"empty.conf", "[INPUT]\n    Name dummy\n    Tag \n", "empty.conf:3: the key Tag has an empty value"},
	{"indent.conf", "[INPUT]\n    Name dummy\n  # x\n", "indent.conf:3: the indentation differs from that of the file's first indented line"},
	{"deeper.conf", "[INPUT]\n Name dummy\n   \n Tag x\n", "deeper.conf:3: the indentation is neither once nor twice that of the file's first indented line"},
	{"flat.conf", "[INPUT]\nName dummy\n", "flat.conf:2: a key must be indented; Fluent Bit takes its first letter for the indentation"},
	{"header.conf", "[INPUT\n Name dummy\n", "header.conf:1: the section's name has no closing bracket"},
	{"early.conf", " Name dummy\n[INPUT]\n Name dummy\n", "early.conf:1: a key stands before the first section"},
	{"glob.conf", "@INCLUDE nope*.conf\n[INPUT]\n Name dummy\n", "glob.conf:1: no file matches ROOT/nope*.conf"},
	{"gone.conf", "@INCLUDE nope.conf\n[INPUT]\n Name dummy\n", "gone.conf:1: cannot include ROOT/nope.conf: no such file or directory"},
	{"self.conf", "@INCLUDE self.conf\n[INPUT]\n Name dummy\n", "self.conf: is included twice; Fluent Bit reads no file twice"},
	{"command.conf", "@INCLUDE\n[INPUT]\n Name dummy\n", "command.conf:1: the command @INCLUDE has nothing behind it"},
	{"alias.yaml", "pipeline:\n  inputs:\n    - name: dummy\n      tag: &x a\n      alias: *x\n", "alias.yaml:5: Fluent Bit knows no YAML aliases"},
	{"twice.yaml", "service:\n  flush: 1\nservice:\n  flush: 1\n", "twice.yaml:3: service is defined twice"},
	{"map.yaml", "pipeline:\n  inputs:\n    dummy:\n      tag: b\n", "map.yaml:3: inputs is no list; each element begins with \"- name:\""},
	{"nested.yaml", "pipeline:\n  inputs:\n    - name: dummy\n      foo: {a: b}\n", "nested.yaml:4: the value of foo is a group of keys, which no plugin takes"},
	{"part.yaml", "pipeline:\n  input:\n    - name: dummy\n", "part.yaml:2: a pipeline has inputs, filters and outputs only"},
	{"syntax.yaml", "pipeline: [\n", "syntax.yaml:1: is no valid YAML: sequence end token … not found"},
	{"include.yaml", "includes:\n  - nope.yaml\n", "nope.yaml: cannot read it: no such file or directory"},
	{"variable.yaml", "env:\n  A: file:///nope\npipeline:\n  inputs:\n    - name: dummy\n", "variable.yaml:2: cannot read /nope for the variable A: no such file or directory"},
}

// accepted are odd files that Fluent Bit takes all the same.
var accepted = []struct{ name, content string }{
	{"short.conf", "[IN]\n Name dummy\n[OUT]\n Name null\n"},
	{"group.conf", "[INPUT]\n  Name dummy\n    [PROCESSORS] \n"},
	{"comment.conf", "#x\n[INPUT]\n  Name dummy\n  # a comment\n#at the edge\n  Tag x # part of the tag\n"},
	{"set.conf", "@SET a=b\n@WHAT ever\n[INPUT]\n  Name dummy\n"},
	{"case.yaml", "Service:\n  flush: 1\nPipeline:\n  Inputs:\n    - Name: dummy\n"},
	{"list.yaml", "pipeline:\n  inputs:\n    - name: dummy\n      tag: a\n      tag: [b, c]\n"},
	{"null.yaml", "env:\n  - name: A\n    value: 1\npipeline:\n  inputs:\n    - name: dummy\n      dummy:\n"},
	{"anchor.yaml", "pipeline:\n  inputs:\n    - name: &n dummy\n"},
}

func TestRefusals(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range refusals {
		write(t, c.name, c.content)
		_, err := Load(c.name, environment)
		var bad *Error
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := strings.ReplaceAll(err.Error(), mustRoot(t), "ROOT"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	for _, c := range accepted {
		write(t, c.name, c.content)
		if f, err := Load(c.name, environment); err != nil || len(f.Inputs("dummy")) != 1 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestFluentBitAgrees holds both tables to the real thing, where there is one.
func TestFluentBitAgrees(t *testing.T) {
	fluentBit, err := exec.LookPath("fluent-bit")
	if err != nil {
		t.Skip("no fluent-bit on PATH")
	}
	if testing.Short() {
		t.Skip("starts Fluent Bit many times")
	}
	t.Chdir(t.TempDir())
	try := func(name, content string) error {
		write(t, name, content)
		return exec.Command(fluentBit, "--dry-run", "-c", name).Run()
	}
	for _, c := range refusals {
		if try(c.name, c.content) == nil {
			t.Errorf("Fluent Bit takes %s", c.name)
		}
	}
	for _, c := range accepted {
		if err := try(c.name, c.content); err != nil {
			t.Errorf("Fluent Bit refuses %s: %v", c.name, err)
		}
	}
}

// FuzzLoadIsRefusedOrComplete: no text makes Load panic, and every property has
// a place.
func FuzzLoadIsRefusedOrComplete(f *testing.F) {
	for _, c := range refusals {
		f.Add(strings.HasSuffix(c.name, ".yaml"), c.content)
	}
	for _, c := range accepted {
		f.Add(strings.HasSuffix(c.name, ".yaml"), c.content)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, yaml bool, content string) {
		name := filepath.Join(dir, "x.conf")
		if yaml {
			name = filepath.Join(dir, "x.yaml")
		}
		write(t, name, content)
		c, err := Load(name, environment)
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.What == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, s := range c.Sections {
			if s.Line < 1 || s.File == "" {
				t.Fatalf("%+v", s)
			}
			for _, p := range s.Props {
				if p.Line < 1 || p.File == "" {
					t.Fatalf("%+v", p)
				}
			}
		}
	})
}
