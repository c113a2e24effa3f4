package config

import (
	"errors"
	"os"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// badYAML is where and why a text is no YAML.
type badYAML struct {
	line, column int
	problem
}

// parseYAML returns the root of the text's one document. Duplicate keys pass;
// whoever walks the tree finds all of them, in any case.
func parseYAML(content []byte) (ast.Node, *badYAML) {
	tokens := lexer.Tokenize(string(content))
	if t := tooDeep(tokens); t != nil {
		return nil, &badYAML{t.Position.Line, t.Position.Column, problem{"is nested too deeply", "a tenants file is a list of groups of keys"}}
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxError(err)
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			t := doc.Body.GetToken()
			return nil, &badYAML{t.Position.Line, t.Position.Column, problem{"a second document begins", "put all tenants into one list"}}
		}
		root = doc.Body
	}
	return root, nil
}

// syntaxError keeps the parser's position and message; its excerpt of the source
// could show a secret.
func syntaxError(err error) *badYAML {
	bad := &badYAML{1, 1, problem{"is no valid YAML", ""}}
	var e yaml.Error
	if errors.As(err, &e) {
		bad.what += ": " + strings.Join(strings.Fields(quotedParts.ReplaceAllString(e.GetMessage(), "…")), " ")
		if t := e.GetToken(); t != nil && t.Position != nil {
			bad.line, bad.column = t.Position.Line, t.Position.Column
		}
	}
	return bad
}

// quotedParts are the pieces of a parser's message that repeat the source.
var quotedParts = regexp.MustCompile("(?s)\".*\"|'.*'|`.*`")

// tooDeep returns the token that opens more levels than any tenants file has; the
// parser recurses, and a stack that overflows ends the process.
func tooDeep(tokens token.Tokens) *token.Token {
	const most = 50
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

// keyText is a key as written.
func keyText(pair *ast.MappingValueNode) string {
	if t := pair.Key.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// valueText is a value as written; a list, where one may stand, is joined by commas.
func valueText(n ast.Node, listed bool) (string, *problem) {
	sequence, ok := n.(*ast.SequenceNode)
	switch {
	case !ok:
		return scalarText(n)
	case !listed:
		return "", &problem{"is a list", "write one value"}
	case len(sequence.Values) == 0:
		return "", &problem{"is an empty list", "write at least one element, or leave the key out"}
	}
	items := make([]string, len(sequence.Values))
	for i, v := range sequence.Values {
		text, p := scalarText(v)
		if p != nil {
			return "", &problem{"has an element that " + p.what, p.hint}
		}
		items[i] = text
	}
	return strings.Join(items, ","), nil
}

// scalarText is a single value as written: Fluent Bit's values are text, so 60,
// on and 0x1 are not numbers or booleans here.
func scalarText(n ast.Node) (string, *problem) {
	switch n := n.(type) {
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value), nil
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		if text := strings.TrimSpace(n.GetToken().Value); text != "" {
			return text, nil
		}
		return "", &problem{"has no value", "write one, or leave the key out"}
	case nil, *ast.NullNode:
		return "", &problem{"has no value", "write one, or leave the key out"}
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return "", &problem{"uses an anchor, alias or tag of YAML", "write a plain value; what all tenants share belongs in the [INPUT]"}
	}
	return "", &problem{"is no plain value", "write one value"}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// setVariable is one without a default: nothing of its value stands in the file.
var setVariable = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// expand replaces ${NAME} and ${NAME:-default} by the process's environment, as
// Fluent Bit does in its own files; but a variable without a value is a problem.
func expand(text string) (string, *problem) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	var missing string
	out := variable.ReplaceAllStringFunc(text, func(match string) string {
		part := variable.FindStringSubmatch(match)
		if value := os.Getenv(part[1]); value != "" {
			return strings.TrimSpace(value)
		}
		if part[2] == "" && missing == "" {
			missing = part[1]
		}
		return part[3]
	})
	if missing != "" {
		return "", &problem{"needs the environment variable " + missing + ", which is not set", "set it for Fluent Bit, or write ${" + missing + ":-DEFAULT}"}
	}
	if variable.ReplaceAllString(text, "") != text && strings.TrimSpace(out) == "" {
		return "", &problem{"has no value once its variables are replaced", ""}
	}
	return out, nil
}
