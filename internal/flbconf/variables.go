package flbconf

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// variables are what ${NAME} stands for: first what the configuration sets, then
// the process's environment.
type variables struct {
	env      func(string) (string, bool)
	declared []declaration // env: of the YAML form
	set      []declaration // @SET of the classic form, which wins
	values   map[string]string
}

// declaration is one variable as the configuration sets it.
type declaration struct {
	name, value string
	file        string
	line        int
}

func newVariables(env func(string) (string, bool)) *variables {
	return &variables{env: env, values: map[string]string{}}
}

// settle puts the declarations into effect, the later over the earlier. A value
// file://PATH stands for the file's content without the newline at its end.
func (v *variables) settle() error {
	if host, err := os.Hostname(); err == nil {
		v.values["HOSTNAME"] = host // Fluent Bit sets it when the environment does not
		if own, ok := v.env("HOSTNAME"); ok && own != "" {
			v.values["HOSTNAME"] = own
		}
	}
	for _, d := range append(v.declared, v.set...) {
		if path, ok := strings.CutPrefix(d.value, "file://"); ok && path != "" {
			content, err := os.ReadFile(path)
			if err != nil {
				return &Error{d.file, d.line, "cannot read " + path + " for the variable " + d.name + ": " + reason(err)}
			}
			d.value = string(content)
			if n := len(d.value); n > 0 && (d.value[n-1] == '\n' || d.value[n-1] == '\r') {
				d.value = d.value[:n-1]
			}
			if d.value == "" {
				return &Error{d.file, d.line, path + ", for the variable " + d.name + ", is empty"}
			}
		}
		v.values[d.name] = d.value
	}
	return nil
}

func (v *variables) lookup(name string) (string, bool) {
	if value, ok := v.values[name]; ok {
		return value, true
	}
	value, ok := v.env(name)
	return value, ok && value != ""
}

// expand replaces ${NAME} and ${NAME:-default} as flb_env_var_translate does, with
// its ways: a closing brace that stands before the next opening ends the search,
// and an opening one that is never closed swallows what is left.
func (v *variables) expand(value string) (expanded string, unset []string) {
	const longest = 4096
	var out strings.Builder
	rest, end, any := value, -1, false // end: of the last closing brace looked at, within rest
	for rest != "" {
		start := strings.Index(rest, "${")
		if start < 0 {
			end = -1
			break
		}
		end = strings.IndexByte(rest, '}')
		if end < 0 {
			if any {
				return out.String(), unset
			}
			break
		}
		if n := end - start - 2; n <= 0 || n >= longest {
			break
		}
		any = true
		name, fallback, hasFallback := strings.Cut(rest[start+2:end], ":")
		if hasFallback && strings.HasPrefix(fallback, "-") {
			fallback = fallback[1:]
		} else {
			name, hasFallback = rest[start+2:end], false
		}
		out.WriteString(rest[:start])
		switch text, ok := v.lookup(name); {
		case ok && (text != "" || !hasFallback):
			out.WriteString(text)
		case hasFallback:
			out.WriteString(fallback)
		default:
			unset = append(unset, name)
		}
		rest, end = rest[end+1:], -1
	}
	if !any {
		return value, nil
	}
	out.WriteString(rest[end+1:])
	return out.String(), unset
}

// reason is why a file could not be read, without its name.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
