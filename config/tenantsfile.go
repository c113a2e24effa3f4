package config

import (
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// nameAlias is the short way to write Tenant_Name in the tenants file.
const nameAlias = "name"

// tenantsFile reads the entries of the tenants file.
func (l *loader) tenantsFile(name string) []entry {
	content, guarded, p := l.files.open(name, tenantsFileLimit, writable)
	if p != nil {
		l.fault(place{key: keyTenantsFile}, *p)
		return nil
	}
	f := tenantsFile{loader: l, name: name}
	root, bad := parseYAML(content)
	if bad != nil {
		l.fault(place{file: name, line: bad.line, column: bad.column}, bad.problem)
		return nil
	}
	entries := f.entries(root)
	if f.secrets {
		if p := l.files.guard(guarded, readable); p != nil {
			l.fault(place{key: keyTenantsFile}, problem{p.what + ", and there are secrets in it", p.hint})
		}
	}
	return entries
}

// tenantsFile walks the YAML of one file.
type tenantsFile struct {
	*loader
	name    string
	secrets bool // one was met, written out and not by a variable
}

const listForm = "write a list of tenants, each beginning with \"- name:\", under \"tenants:\""

// entries reads the list, which stands alone or under the key tenants.
func (f *tenantsFile) entries(root ast.Node) []entry {
	list := root
	if m, ok := root.(*ast.MappingNode); ok {
		list = nil
		told := len(f.faults)
		for _, pair := range m.Values {
			key := keyText(pair)
			switch {
			case !strings.EqualFold(key, keyTenants):
				f.bad(pair.Key, problem{"unknown key" + shownKey(key), didYouMean(key, []string{"tenants"}, listForm)})
			case list != nil:
				f.bad(pair.Key, problem{"tenants is here twice", "put all tenants into one list"})
			default:
				list = pair.Value
			}
		}
		if list == nil && len(f.faults) > told {
			return nil
		}
		if list == nil {
			f.bad(root, problem{"there is no list of tenants", listForm})
			return nil
		}
	}
	sequence, ok := list.(*ast.SequenceNode)
	if !ok {
		f.bad(list, problem{"there is no list of tenants", listForm + "; no tenants at all are \"tenants: []\""})
		return nil
	}
	entries := make([]entry, 0, len(sequence.Values))
	for _, item := range sequence.Values {
		if m, ok := item.(*ast.MappingNode); ok {
			entries = append(entries, f.entry(m))
		} else {
			f.bad(item, problem{"a tenant is a group of keys", "write \"- name: NAME\" and the tenant's other keys below it"})
		}
	}
	return entries
}

// entry reads the keys of one tenant: those of the table that a tenant may have,
// in any case.
func (f *tenantsFile) entry(m *ast.MappingNode) entry {
	e := entry{start: f.placeOf(m), folder: filepath.Dir(f.name), own: make(map[string]setting, len(m.Values))}
	if len(m.Values) > 0 {
		e.start = f.placeOf(m.Values[0].Key)
	}
	for _, pair := range m.Values {
		written := keyText(pair)
		key := strings.ToLower(written)
		if key == nameAlias {
			key = strings.ToLower(keyTenantName)
		}
		at := f.placeOf(pair.Key)
		if i, known := keyIndex[key]; !known || keys[i].Scope == Instance {
			near := f.unknownKey(at, written, known)
			e.own[strings.ToLower(near)] = setting{place: at, bad: true}
			continue
		}
		if first, twice := e.own[key]; twice && !first.bad {
			f.fault(at, problem{"key" + shownKey(written) + " is here twice, first at " + first.place.short(), "keep one of them"})
			continue
		}
		at.key = strings.ToLower(written)
		text, p := valueText(pair.Value, keys[keyIndex[key]].Type == List)
		f.secrets = f.secrets || keys[keyIndex[key]].Secret && setVariable.ReplaceAllString(text, "") != ""
		if p == nil {
			text, p = expand(text)
		}
		if p != nil {
			f.fault(at, *p)
		}
		e.own[key] = setting{text: text, place: at, bad: p != nil}
	}
	return e
}

// unknownKey refuses a key that no tenant has and returns the one that was
// probably meant, which then does not count as missing too.
func (f tenantsFile) unknownKey(at place, written string, instance bool) string {
	if instance {
		f.fault(at, problem{written + " is no key of a tenant", "it belongs in the [INPUT]"})
		return ""
	}
	candidates := []string{nameAlias}
	for _, k := range keys {
		if k.Scope != Instance {
			candidates = append(candidates, k.lower)
		}
	}
	f.fault(at, problem{"unknown key" + shownKey(written), didYouMean(written, candidates, "")})
	return nearest(written, candidates)
}

// didYouMean suggests the nearest candidate, or else says what else.
func didYouMean(word string, candidates []string, otherwise string) string {
	if near := nearest(word, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return otherwise
}

// shownKey is " NAME" when the key looks like one. Broken YAML may make a key of
// a secret, which must not be shown.
func shownKey(key string) string {
	if len(key) > 32 || key == "" {
		return ""
	}
	for _, r := range key {
		if r != '_' && r != '-' && r != ' ' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return ""
		}
	}
	return " " + key
}

func (f tenantsFile) bad(n ast.Node, p problem) { f.fault(f.placeOf(n), p) }

func (f tenantsFile) placeOf(n ast.Node) place {
	p := place{file: f.name, line: 1, column: 1}
	if n == nil {
		return p
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		p.line, p.column = t.Position.Line, t.Position.Column
	}
	return p
}
