package flbconf

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	yamlparser "github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yaml reads one file of the YAML form and what it includes.
func (p *parser) yaml(path string) error {
	content, err := p.content(path)
	if err != nil {
		return err
	}
	tokens := lexer.Tokenize(string(content))
	if t := tooDeep(tokens); t != nil {
		return &Error{path, t.Position.Line, "is nested too deeply"}
	}
	tree, err := yamlparser.Parse(tokens, 0, yamlparser.AllowDuplicateMapKey())
	if err != nil {
		return yamlError(path, err)
	}
	f := yamlFile{parser: p, path: path}
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if err := f.document(doc.Body); err != nil {
			return err
		}
	}
	return nil
}

// yamlError keeps position and message of a parser's error, but not its excerpt
// of the file, in which secrets may stand.
func yamlError(path string, err error) error {
	bad := &Error{File: path, What: "is no valid YAML"}
	var e yaml.Error
	if errors.As(err, &e) {
		bad.What += ": " + strings.Join(strings.Fields(quotedParts.ReplaceAllString(e.GetMessage(), "…")), " ")
		if t := e.GetToken(); t != nil && t.Position != nil {
			bad.Line = t.Position.Line
		}
	}
	return bad
}

// quotedParts are the pieces of a parser's message that repeat the source.
var quotedParts = regexp.MustCompile("(?s)\".*\"|'.*'|`.*`")

// tooDeep returns the token that opens more levels than any configuration has;
// the YAML parser recurses, and a stack that overflows ends the process.
func tooDeep(tokens token.Tokens) *token.Token {
	const most = 100
	open, run := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open, run = open+1, run+1
		case token.SequenceEndType, token.MappingEndType:
			open, run = max(0, open-1), 0
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			run++
		default:
			run = 0
		}
		if open > most || run > most {
			return t
		}
	}
	return nil
}

type yamlFile struct {
	*parser
	path string
}

func (f yamlFile) fault(n ast.Node, what string) error { return &Error{f.path, lineOf(n), what} }

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// document reads the top level; names there have no case.
func (f yamlFile) document(root ast.Node) error {
	top, ok := root.(*ast.MappingNode)
	if !ok {
		return f.fault(root, "a configuration begins with keys such as service: and pipeline:")
	}
	for _, pair := range top.Values {
		var err error
		switch name := strings.ToLower(pair.Key.GetToken().Value); name {
		case "env":
			err = f.env(pair.Value)
		case "includes":
			err = f.includes(pair.Value)
		case "service":
			if f.hasService() {
				return f.fault(pair.Key, "service is defined twice")
			}
			err = f.section("service", pair.Key, pair.Value)
		case "pipeline":
			err = f.pipeline(pair.Value)
		case "customs":
			err = f.list("custom", pair.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f yamlFile) hasService() bool {
	for _, s := range f.file.Sections {
		if s.Kind == "service" {
			return true
		}
	}
	return false
}

// env reads variables: a map, or a list of maps with name and value.
func (f yamlFile) env(n ast.Node) error {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			value, err := f.scalar(pair.Value)
			if err != nil {
				return err
			}
			f.vars.declared = append(f.vars.declared, declaration{pair.Key.GetToken().Value, value, f.path, lineOf(pair.Key)})
		}
		return nil
	case *ast.SequenceNode:
		for _, item := range n.Values {
			if err := f.envItem(item); err != nil {
				return err
			}
		}
		return nil
	}
	return f.fault(n, "env is no group of variables")
}

func (f yamlFile) envItem(n ast.Node) error {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return f.fault(n, "an element of env has the keys name and value")
	}
	d := declaration{file: f.path, line: lineOf(n)}
	var uri string
	for _, pair := range m.Values {
		value, err := f.scalar(pair.Value)
		if err != nil {
			return err
		}
		switch key := pair.Key.GetToken().Value; strings.ToLower(key) {
		case "name":
			d.name = value
		case "value":
			d.value = value
		case "uri":
			uri = value
		case "refresh_interval":
		default:
			d.name, d.value = key, value
		}
	}
	if uri != "" {
		d.value = uri
	}
	if d.name != "" {
		f.vars.declared = append(f.vars.declared, d)
	}
	return nil
}

// includes reads other files, relative to this one.
func (f yamlFile) includes(n ast.Node) error {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return f.fault(n, "includes is no list of files")
	}
	for _, item := range list.Values {
		name, err := f.scalar(item)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(f.path), name)
		}
		files := []string{name}
		if strings.Contains(name, "*") {
			if files, err = filepath.Glob(name); err != nil || len(files) == 0 {
				return f.fault(item, "no file matches "+name)
			}
		}
		for _, file := range files {
			if err := f.yaml(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// pipeline reads inputs, filters and outputs.
func (f yamlFile) pipeline(n ast.Node) error {
	parts, ok := n.(*ast.MappingNode)
	if !ok {
		return f.fault(n, "pipeline is no group of inputs, filters and outputs")
	}
	for _, pair := range parts.Values {
		name := strings.ToLower(pair.Key.GetToken().Value)
		switch name {
		case "inputs", "filters", "outputs":
		default:
			return f.fault(pair.Key, "a pipeline has inputs, filters and outputs only")
		}
		if err := f.list(strings.TrimSuffix(name, "s"), pair.Value); err != nil {
			return err
		}
	}
	return nil
}

// list reads a list of sections of one kind.
func (f yamlFile) list(kind string, n ast.Node) error {
	items, ok := n.(*ast.SequenceNode)
	if !ok {
		return f.fault(n, kind+"s is no list; each element begins with \"- name:\"")
	}
	for _, item := range items.Values {
		at := item
		if m, ok := item.(*ast.MappingNode); ok && len(m.Values) > 0 {
			at = m.Values[0].Key
		}
		if err := f.section(kind, at, item); err != nil {
			return err
		}
	}
	return nil
}

// section reads one section. A list is the same key again and again, of which a
// plugin sees the first value only; nested parts belong to Fluent Bit's core.
func (f yamlFile) section(kind string, at, n ast.Node) error {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return f.fault(n, "the "+kind+" is no group of keys")
	}
	i := f.begin(kind, f.path, lineOf(at))
	for _, pair := range m.Values {
		written := pair.Key.GetToken().Value
		values := []ast.Node{pair.Value}
		switch v := pair.Value.(type) {
		case *ast.SequenceNode:
			values = v.Values
		case *ast.MappingNode:
			if kind == "input" || kind == "filter" || kind == "output" {
				switch written {
				case "processors", "routes", "telemetry":
				default:
					return f.fault(pair.Key, "the value of "+written+" is a group of keys, which no plugin takes")
				}
			}
			continue
		}
		for _, v := range values {
			if _, nested := v.(*ast.MappingNode); nested {
				continue
			}
			value, err := f.scalar(v)
			if err != nil {
				return err
			}
			f.add(i, Prop{Key: snakeCase(strings.TrimSpace(written)), Written: written, Value: strings.TrimSpace(value), File: f.path, Line: lineOf(pair.Key)})
		}
	}
	return nil
}

// scalar is a value as written; like Fluent Bit it refuses aliases.
func (f yamlFile) scalar(n ast.Node) (string, error) {
	switch n := n.(type) {
	case nil:
		return "", nil
	case *ast.AnchorNode:
		return f.scalar(n.Value)
	case *ast.TagNode:
		return f.scalar(n.Value)
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.AliasNode:
		return "", f.fault(n, "Fluent Bit knows no YAML aliases")
	case *ast.MappingNode, *ast.SequenceNode:
		return "", f.fault(n, "a single value belongs here")
	}
	t := n.GetToken()
	if t == nil || t.Type == token.ImplicitNullType {
		return "", nil
	}
	return t.Value, nil
}

// snakeCase is what Fluent Bit makes of a key in the YAML form
// (flb_cf_key_translate): one that begins with a small letter is taken for
// camelCase. With an underscore in it, it is only lowered; otherwise every capital
// letter becomes an underscore and its small letter, so that "contoso.Feeds"
// arrives as "contoso._feeds".
func snakeCase(key string) string {
	switch {
	case key == "" || key[0] < 'a' || key[0] > 'z':
		return key
	case strings.Contains(key, "_"):
		return strings.ToLower(key)
	}
	var out strings.Builder
	for _, c := range []byte(key) {
		if c >= 'A' && c <= 'Z' {
			out.WriteByte('_')
			c += 'a' - 'A'
		}
		out.WriteByte(c)
	}
	return out.String()
}
