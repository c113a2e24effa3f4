package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fluent-bit-defender/config"
	"fluent-bit-defender/internal/flbconf"
)

// selection is the flags of every command that works on an operator's configuration.
type selection struct {
	Config string   `short:"c" required:"" placeholder:"FILE" help:"The file that Fluent Bit reads, in its classic or YAML form."`
	Tenant []string `sep:"none" placeholder:"NAME" help:"Only this tenant, by its name or Tenant_Id; may be repeated."`
}

// installation is what a Fluent Bit configuration says of this plugin.
type installation struct {
	file   *flbconf.File
	inputs []*input
	unread []string // keys that nobody reads, a line each: Fluent Bit starts all the same
}

// input is one [INPUT] named defender.
type input struct {
	section flbconf.Section
	name    string // what Fluent Bit calls it: its alias, or defender.0
	tag     string // the section's own
	config  *config.Config
	tenants []config.Tenant // those that were selected, disabled ones too
}

// read reads the configuration with everything it names. Its error holds all
// that keeps Fluent Bit from starting the plugin.
func (s selection) read(say messages) (*installation, error) {
	file, err := flbconf.Load(s.Config, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	for _, unset := range file.Unset {
		say.warnf("%s:%d: the variable %s has no value; is it set where Fluent Bit runs only?", unset.File, unset.Line, unset.Name)
	}
	sections := file.Inputs("defender")
	if len(sections) == 0 {
		return nil, withHint(fmt.Errorf("%s has no [INPUT] named defender", s.Config), inputsOf(file))
	}
	all := &installation{file: file}
	var faults []string
	for number, section := range sections {
		in := newInput(section, number)
		all.inputs = append(all.inputs, in)
		unread := config.Unread(section.Keys(), section.Get)
		in.config, err = config.Load(section.Get)
		if wrong := (*config.Faults)(nil); errors.As(err, &wrong) {
			faults = append(faults, in.located(append(unread, wrong.List...))...)
			continue
		} else if err != nil {
			return nil, err
		}
		all.unread = append(all.unread, in.located(unread)...)
	}
	if len(faults) > 0 {
		return nil, errors.New(strings.Join(append(faults, all.unread...), "\n"))
	}
	return all, s.choose(all)
}

func newInput(section flbconf.Section, number int) *input {
	own := fmt.Sprintf("defender.%d", number) // Fluent Bit's name for the nth of one plugin, and its default tag
	in := &input{section: section, name: own, tag: own}
	if alias := section.Last("alias"); alias != "" {
		in.name = alias
	}
	if tag := section.Last("tag"); tag != "" {
		in.tag = tag
	}
	return in
}

// located puts file and line before each fault, in their order.
func (in *input) located(faults []config.Fault) []string {
	places := make([]flbconf.Prop, len(faults))
	order := make([]int, len(faults))
	for i, fault := range faults {
		order[i] = i
		places[i] = in.place(fault.Where)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(places[a].File, places[b].File), cmp.Compare(places[a].Line, places[b].Line))
	})
	var lines []string
	for _, i := range order {
		fault, at := faults[i], places[i]
		if at.File == "" {
			lines = append(lines, fault.String())
			continue
		}
		fault.Where = cmp.Or(at.Written, fault.Where)
		lines = append(lines, fmt.Sprintf("%s:%d: %s", at.File, at.Line, fault))
	}
	return lines
}

// place is where a key stands, the last of several, or else where its section
// begins. What is a place in the tenants file already has none.
func (in *input) place(key string) flbconf.Prop {
	if strings.Contains(key, ":") {
		return flbconf.Prop{}
	}
	for _, prop := range slices.Backward(in.section.Props) {
		if strings.EqualFold(prop.Key, key) {
			return prop
		}
	}
	return flbconf.Prop{File: in.section.File, Line: in.section.Line}
}

// inputsOf is a hint for a file without an input of this plugin.
func inputsOf(file *flbconf.File) string {
	var names []string
	for _, section := range file.Sections {
		if section.Kind == "input" {
			names = append(names, section.Get("name"))
		}
	}
	if len(names) == 0 {
		return "it has no input at all: is it the file that Fluent Bit is started with?"
	}
	return "its inputs are: " + strings.Join(names, ", ")
}

// choose fills in the tenants that the command is about.
func (s selection) choose(all *installation) error {
	found := map[string]bool{}
	var names []string
	for _, in := range all.inputs {
		for _, tenant := range in.config.Tenants {
			names = append(names, tenant.Name)
			chosen := len(s.Tenant) == 0
			for _, wanted := range s.Tenant {
				if strings.EqualFold(wanted, tenant.Name) || strings.EqualFold(wanted, tenant.Slug) || strings.EqualFold(wanted, tenant.ID) {
					found[wanted], chosen = true, true
				}
			}
			if chosen {
				in.tenants = append(in.tenants, tenant)
			}
		}
	}
	for _, wanted := range s.Tenant {
		if !found[wanted] {
			return withHint(fmt.Errorf("no tenant in %s is called %q", s.Config, wanted), "its tenants are: "+some(names))
		}
	}
	return nil
}

// some lists the first ten of names.
func some(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// tagOf is the tag under which a tenant's records come.
func (in *input) tagOf(t config.Tenant, feed string) string {
	if tag := in.config.Tag(t, feed); tag != "" {
		return tag
	}
	return in.tag
}

// statePath is State_Path as the plugin would see it from this working directory.
func (in *input) statePath() string {
	path, err := filepath.Abs(in.config.StatePath)
	if err != nil {
		return in.config.StatePath
	}
	return path
}
