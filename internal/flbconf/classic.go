package flbconf

import (
	"os"
	"path/filepath"
	"strings"
)

// classic reads the classic form, beginning with the main file, whose directory
// is where relative includes are looked for.
func (p *parser) classic(path string) error {
	root, err := filepath.EvalSymlinks(path)
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return &Error{File: path, What: "cannot read it: " + reason(err)}
	}
	return p.classicFile(path, filepath.Dir(root))
}

// classicFile reads one file line by line.
func (p *parser) classicFile(path, root string) error {
	content, err := p.content(path)
	if err != nil {
		return err
	}
	f := classicFile{parser: p, path: path, root: root, section: -1}
	for n, text := range strings.Split(string(content), "\n") {
		f.line = n + 1
		if err := f.read(strings.TrimSuffix(text, "\r")); err != nil {
			return err
		}
	}
	return nil
}

// classicFile is where one file has got to.
type classicFile struct {
	*parser
	path, root string
	line       int
	section    int    // index of the section that is open, -1 for none
	group      bool   // within a group of the section, such as [PROCESSORS]
	indent     string // that of the first indented line; every other must have the same
}

func (f *classicFile) fault(what string) error { return &Error{f.path, f.line, what} }

func (f *classicFile) read(text string) error {
	switch {
	case text == "" || text[0] == '#':
		return nil
	case len(text) > 9 && strings.EqualFold(text[:9], "@INCLUDE "):
		return f.include(text[9:])
	case text[0] == '@' && len(text) > 3:
		return f.meta(text)
	case text[0] == '[':
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return f.fault("the section's name has no closing bracket")
		}
		f.section, f.group = f.begin(kindOf(text[1:end]), f.path, f.line), false
		return nil
	}
	return f.property(text)
}

// include reads another file, or all that match a pattern. Files are looked for
// in the working directory first, patterns beside the main file only.
func (f *classicFile) include(name string) error {
	if strings.Contains(name, "*") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(f.root, name)
		}
		matches, err := filepath.Glob(name)
		if err != nil || len(matches) == 0 {
			return f.fault("no file matches " + name)
		}
		for _, match := range matches {
			if err := f.classicFile(match, f.root); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := os.Stat(name); err != nil && !filepath.IsAbs(name) {
		name = filepath.Join(f.root, name)
	}
	if _, err := os.Stat(name); err != nil {
		return f.fault("cannot include " + name + ": " + reason(err))
	}
	return f.classicFile(name, f.root)
}

// meta reads @SET name=value; Fluent Bit passes over every other command.
func (f *classicFile) meta(text string) error {
	command, rest, ok := strings.Cut(text[1:], " ")
	if !ok {
		return f.fault("the command @" + command + " has nothing behind it")
	}
	name, value, ok := strings.Cut(strings.TrimSpace(rest), "=")
	if strings.EqualFold(command, "SET") && ok {
		f.vars.set = append(f.vars.set, declaration{name, value, f.path, f.line})
	}
	return nil
}

// property reads an indented line: a key and its value, or the name of a group.
func (f *classicFile) property(text string) error {
	if f.indent == "" {
		n := len(text) - len(strings.TrimLeft(text, " \t"))
		f.indent = text[:max(1, n)]
		if n == len(text) {
			return nil
		}
		if n == 0 {
			return f.fault("a key must be indented; Fluent Bit takes its first letter for the indentation")
		}
	}
	line, ok := strings.CutPrefix(text, f.indent)
	if !ok {
		return f.fault("the indentation differs from that of the file's first indented line")
	}
	deeper := len(line) - len(strings.TrimLeft(line, " \t"))
	switch {
	case deeper > 0 && deeper != len(f.indent):
		return f.fault("the indentation is neither once nor twice that of the file's first indented line")
	case deeper == 0:
		f.group = false
	}
	line = line[deeper:]
	if line == "" || line[0] == '#' {
		return nil
	}
	key, value, ok := strings.Cut(line, " ")
	switch {
	case !ok && line[0] != '[':
		return f.fault("the key " + key + " has no value; put a space, not a tab, between them")
	case f.section < 0:
		return f.fault("a key stands before the first section")
	case line[0] == '[':
		if !strings.Contains(line, "]") || !ok {
			return f.fault("the group's name has no closing bracket and space behind it")
		}
		f.group = true
		return nil
	}
	if value = strings.TrimSpace(value); value == "" {
		return f.fault("the key " + key + " has an empty value")
	}
	if !f.group {
		f.add(f.section, Prop{Key: strings.TrimSpace(strings.ToLower(key)), Written: key, Value: value, File: f.path, Line: f.line})
	}
	return nil
}
