package record

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// flatten is the format flat once more, slow and by other means: from
// encoding/json's maps, for alerts in which no two names collide.
func flatten(alert map[string]any) map[string]any {
	out := map[string]any{}
	flattenObject("", alert, func(key string, v any) { out[key] = v }, func(key string, l []any) {
		groups := map[string][]any{}
		for _, item := range l {
			name := key
			if key == "evidence" {
				if item == nil {
					continue
				}
				typ, _ := item.(map[string]any)["@odata.type"].(string)
				typ = strings.TrimPrefix(typ[strings.LastIndex(typ, ".")+1:], "#")
				if s := strings.TrimSuffix(typ, "Evidence"); s != "" {
					typ = s
				}
				if typ == "" {
					typ = "unknown"
				}
				name += "." + typ
			}
			groups[name] = append(groups[name], item)
		}
		for name, rows := range groups {
			for i, row := range rows {
				if row == nil {
					continue
				}
				put := func(key string, v any) {
					if out[key] == nil {
						out[key] = make([]any, len(rows))
					}
					out[key].([]any)[i] = v
				}
				flattenObject(name+".", row.(map[string]any), put, func(key string, l []any) { put(key, numbered(pruned(l))) })
			}
		}
	})
	return out
}

func flattenObject(prefix string, o map[string]any, put func(string, any), table func(string, []any)) {
	for k, v := range o {
		key := prefix + k
		switch v := v.(type) {
		case nil:
		case map[string]any:
			flattenObject(key+".", v, put, table)
		case []any:
			objects, others := 0, 0
			for _, item := range v {
				switch item.(type) {
				case map[string]any:
					objects++
				case nil:
				default:
					others++
				}
			}
			switch {
			case len(v) == 0:
			case objects > 0 && others == 0:
				table(key, v)
			default:
				put(key, numbered(pruned(v)))
			}
		default:
			put(key, numbered(v))
		}
	}
}

// pruned is v without null and empty members; nil when nothing is left.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			if p := pruned(x); p != nil {
				out[k] = p
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		if len(v) == 0 {
			return nil
		}
		out := make([]any, len(v))
		for i, x := range v {
			if out[i] = pruned(x); out[i] == nil {
				switch x.(type) {
				case map[string]any:
					out[i] = map[string]any{}
				case []any:
					out[i] = []any{}
				}
			}
		}
		return out
	}
	return v
}

// numbered replaces every json.Number by what the format says, by way of
// exact arithmetic.
func numbered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = numbered(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = numbered(x)
		}
		return out
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			if i, err := v.Int64(); err == nil && i <= 1<<53 && i >= -1<<53 && v != "-0" {
				return i
			} else if v != "-0" {
				return string(v)
			}
		}
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return string(v)
		}
		written, _ := new(big.Rat).SetString(string(v))
		held, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
		if written.Cmp(held) != 0 {
			return string(v)
		}
		return f
	}
	return v
}

// anAlert draws an object whose names contain neither dots nor repetitions.
func anAlert(t *rapid.T) map[string]any {
	name := rapid.StringMatching(`[a-zA-Z@é"\\日]{1,6}`)
	str := rapid.String()
	num := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) json.Number { return json.Number(strconv.FormatInt(rapid.Int64().Draw(t, "i"), 10)) }),
		rapid.Custom(func(t *rapid.T) json.Number {
			return json.Number(strconv.FormatFloat(rapid.Float64Range(-1e30, 1e30).Draw(t, "f"), 'g', rapid.IntRange(1, 22).Draw(t, "p"), 64))
		}),
		rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,2})?`), func(s string) json.Number { return json.Number(s) }),
	)
	var value func(t *rapid.T, depth int) any
	obj := func(t *rapid.T, depth int) map[string]any {
		o := map[string]any{}
		for range rapid.IntRange(0, 6).Draw(t, "members") {
			o[name.Draw(t, "name")] = value(t, depth+1)
		}
		return o
	}
	value = func(t *rapid.T, depth int) any {
		kind := rapid.IntRange(0, 7).Draw(t, "kind")
		if depth > 5 {
			kind %= 5
		}
		switch kind {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "b")
		case 2:
			return num.Draw(t, "num")
		case 3, 4:
			return str.Draw(t, "str")
		case 5:
			return obj(t, depth)
		default:
			l := make([]any, rapid.IntRange(0, 4).Draw(t, "items"))
			objects := rapid.Bool().Draw(t, "objects")
			for i := range l {
				if objects && rapid.IntRange(0, 9).Draw(t, "null") > 0 {
					l[i] = obj(t, depth+1)
				} else if !objects {
					l[i] = value(t, depth+1)
				}
			}
			return l
		}
	}
	a := obj(t, 0)
	if rapid.Bool().Draw(t, "evidence") {
		types := []any{nil, "#microsoft.graph.security.deviceEvidence", "#microsoft.graph.security.fileEvidence", "#x.newEvidence", "Evidence", ""}
		l := []any{}
		for range rapid.IntRange(0, 6).Draw(t, "evidences") {
			o := obj(t, 1)
			o["@odata.type"] = rapid.SampledFrom(types).Draw(t, "type")
			l = append(l, o)
		}
		a["evidence"] = l
	}
	return a
}

func TestFlatAgreesWithSlowFlattening(t *testing.T) {
	f := NewFlat(contoso, Options{})
	rapid.Check(t, func(t *rapid.T) {
		var raw bytes.Buffer
		enc := json.NewEncoder(&raw)
		enc.SetEscapeHTML(rapid.Bool().Draw(t, "escape"))
		if err := enc.Encode(anAlert(t)); err != nil {
			t.Fatal(err)
		}
		var alert map[string]any
		d := json.NewDecoder(bytes.NewReader(raw.Bytes()))
		d.UseNumber()
		if err := d.Decode(&alert); err != nil {
			t.Fatal(err)
		}
		out, outcome := f.Append(nil, Alert{ID: "a1", Version: updated, Raw: raw.Bytes()})
		ev, rest, err := decodeEvent(out)
		if err != nil || len(rest) > 0 || outcome != (Outcome{}) {
			t.Fatalf("%v, %d bytes left, %+v from %s", err, len(rest), outcome, raw.Bytes())
		}
		for _, k := range ownKeys {
			delete(ev.fields, k)
		}
		if diff := cmp.Diff(flatten(alert), ev.fields); diff != "" {
			t.Fatalf("-want +got\n%s\nfrom %s", diff, raw.Bytes())
		}
	})
}
