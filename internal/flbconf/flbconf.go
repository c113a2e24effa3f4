// Package flbconf reads the configuration file that Fluent Bit reads, in its
// classic and its YAML form, as far as a tool needs it that checks an [INPUT]:
// every section with its properties in order, includes followed, variables
// replaced.
//
// Its promise: what it returns is what Fluent Bit 5.1 hands to the plugin, quirks
// included; where Fluent Bit refuses a file, so does Load, naming file and line.
// The reverse does not hold: it knows no plugin's properties.
//
// It imports nothing of this project.
package flbconf

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// File is a configuration with everything it includes.
type File struct {
	Path     string
	Sections []Section // in the order Fluent Bit meets them
	Unset    []Unset   // variables without a value: Fluent Bit warns and puts nothing in their place
}

// Section is one [INPUT], [OUTPUT], … or one element of a YAML pipeline. Nested
// parts (processors, routes) are left out.
type Section struct {
	Kind  string // lower case, singular: "service", "input", "filter", "output", …
	Props []Prop
	File  string // where it begins
	Line  int    // 1-based
}

// Prop is one key and its value.
type Prop struct {
	Key     string // as Fluent Bit hands it on; in the YAML form camelCase has become snake_case
	Written string // as it stands in the file
	Value   string // variables replaced; "" counts as absent
	File    string
	Line    int // 1-based
}

// Unset is a variable that has no value.
type Unset struct {
	Name string
	File string
	Line int
}

// Error says why a file cannot be read.
type Error struct {
	File string
	Line int // 0: the file as a whole
	What string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.What
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What)
}

// sizeLimit bounds one file; configurations with a thousand tenants are 3 MB.
const sizeLimit = 16 << 20

// Load reads the file at path, what it includes, and replaces ${NAME} by what the
// file itself sets (env:, @SET) or else env says (os.LookupEnv). The form is
// chosen by the extension, as Fluent Bit does: .yaml and .yml are YAML, everything
// else is classic. The error is an *Error.
func Load(path string, env func(string) (string, bool)) (*File, error) {
	p := &parser{file: &File{Path: path}, vars: newVariables(env)}
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		err = p.yaml(path)
	default:
		err = p.classic(path)
	}
	if err != nil {
		return nil, err
	}
	if err := p.resolve(); err != nil {
		return nil, err
	}
	return p.file, nil
}

// Service is the [SERVICE] section, empty when there is none.
func (f *File) Service() Section {
	for _, s := range f.Sections {
		if s.Kind == "service" {
			return s
		}
	}
	return Section{Kind: "service", File: f.Path}
}

// Inputs lists the inputs of the plugin called name.
func (f *File) Inputs(name string) []Section {
	var found []Section
	for _, s := range f.Sections {
		if s.Kind == "input" && strings.EqualFold(s.Get("name"), name) {
			found = append(found, s)
		}
	}
	return found
}

// Outputs lists all outputs.
func (f *File) Outputs() []Section {
	var found []Section
	for _, s := range f.Sections {
		if s.Kind == "output" {
			found = append(found, s)
		}
	}
	return found
}

// Get returns the first value of key, whatever its case, "" when absent: what
// Fluent Bit answers a plugin. It fits config.Properties.
func (s Section) Get(key string) string {
	for _, p := range s.Props {
		if strings.EqualFold(p.Key, key) {
			return p.Value
		}
	}
	return ""
}

// Last returns the last value of key: what counts for the keys that Fluent Bit's
// core takes for itself, such as Tag, Alias and Match.
func (s Section) Last(key string) string {
	for i := len(s.Props) - 1; i >= 0; i-- {
		if p := s.Props[i]; strings.EqualFold(p.Key, key) && p.Value != "" {
			return p.Value
		}
	}
	return ""
}

// Keys lists the keys of Props in their order, repeated ones too.
func (s Section) Keys() []string {
	keys := make([]string, len(s.Props))
	for i, p := range s.Props {
		keys[i] = p.Key
	}
	return keys
}

// parser collects sections and variables while it reads.
type parser struct {
	file *File
	vars *variables
	read []os.FileInfo // files read so far: none is read twice
}

// kinds are the sections Fluent Bit knows, in the order it tries them.
var kinds = []string{"service", "parser", "multiline_parser", "stream_processor", "plugins",
	"upstream_servers", "custom", "customs", "input", "inputs", "filter", "filters", "output", "outputs"}

// kindOf finds the kind of a section by its name; Fluent Bit accepts any beginning
// of a name, such as [IN] or [OUT].
func kindOf(name string) string {
	name = strings.ToLower(name)
	for _, k := range kinds {
		if name != "" && strings.HasPrefix(k, name) {
			if k == "plugins" || k == "upstream_servers" {
				return k
			}
			return strings.TrimSuffix(k, "s")
		}
	}
	return name
}

// begin opens a section and returns its index. There is one service section; a
// second one goes on with the first.
func (p *parser) begin(kind, file string, line int) int {
	if kind == "service" {
		for i, s := range p.file.Sections {
			if s.Kind == kind {
				return i
			}
		}
	}
	p.file.Sections = append(p.file.Sections, Section{Kind: kind, File: file, Line: line})
	return len(p.file.Sections) - 1
}

// add puts a property into section i.
func (p *parser) add(i int, prop Prop) {
	p.file.Sections[i].Props = append(p.file.Sections[i].Props, prop)
}

// content reads a file, once only.
func (p *parser) content(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &Error{File: path, What: "cannot read it: " + reason(err)}
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{File: path, What: "cannot read it: it is no regular file"}
	}
	for _, before := range p.read {
		if os.SameFile(before, info) {
			return nil, &Error{File: path, What: "is included twice; Fluent Bit reads no file twice"}
		}
	}
	p.read = append(p.read, info)
	file, err := os.Open(path)
	if err != nil {
		return nil, &Error{File: path, What: "cannot read it: " + reason(err)}
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, sizeLimit+1))
	if err != nil {
		return nil, &Error{File: path, What: "cannot read it: " + reason(err)}
	}
	if len(content) > sizeLimit {
		return nil, &Error{File: path, What: "is larger than 16 MB; is it the right file?"}
	}
	return content, nil
}

// resolve replaces the variables in every value, once all of them are known.
func (p *parser) resolve() error {
	if err := p.vars.settle(); err != nil {
		return err
	}
	for _, s := range p.file.Sections {
		for i := range s.Props {
			prop := &s.Props[i]
			value, unset := p.vars.expand(prop.Value)
			prop.Value = value
			for _, name := range unset {
				p.file.Unset = append(p.file.Unset, Unset{Name: name, File: prop.File, Line: prop.Line})
			}
		}
	}
	return nil
}
