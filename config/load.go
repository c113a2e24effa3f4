package config

import (
	"fmt"
	"strings"
)

// draft is what the readers write into.
type draft struct {
	config *Config
	tenant Tenant
	folder string // relative names of secret files begin here
	secret func(path string) (string, *problem)
	read   func(path string, limit int64) ([]byte, *problem)

	plainHosts  []string // Allow_Http
	listed      []string // Tenants
	tenantsFile string   // Tenants_File
	written     keySet   // keys somebody wrote, well or badly
}

// keySet is a set of rows of the table.
type keySet uint64

func (s keySet) has(names ...string) bool {
	for _, name := range names {
		if s&(1<<keyIndex[strings.ToLower(name)]) != 0 {
			return true
		}
	}
	return false
}

// setting is one value that somebody wrote.
type setting struct {
	text  string
	place place
	bad   bool // told already: there is no text to read, but the key counts as written
}

// place is where something was written: a key, or a position in a file and
// perhaps the key there.
type place struct {
	file         string
	line, column int
	key          string
}

// String says the key too, for the beginning of a fault's line.
func (p place) String() string {
	if p.file == "" || p.key == "" {
		return p.short()
	}
	return p.short() + ": " + p.key
}

// short points at the place from within a message.
func (p place) short() string {
	if p.file == "" {
		return p.key
	}
	return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column)
}

// entry is one tenant as it was written.
type entry struct {
	single bool               // by the short form in the [INPUT]
	prefix string             // by properties: what comes before each key, "contoso."
	start  place              // by the tenants file: where its entry begins
	folder string             // where relative names of secret files begin, "" for the working directory
	own    map[string]setting // by key in lower case
}

// at is where key was written, or where it would have been.
func (e entry) at(key string) place {
	if s, ok := e.own[strings.ToLower(key)]; ok {
		return s.place
	}
	if e.start.file != "" {
		return e.start
	}
	return place{key: e.prefix + key}
}

// loader collects while it reads.
type loader struct {
	get    Properties
	files  fileSet
	faults []Fault
}

func (l *loader) fault(at place, p problem) {
	l.faults = append(l.faults, Fault{Where: at.String(), What: p.what, Hint: p.hint})
}

func load(get Properties, captured map[string]string) (*Config, error) {
	l := &loader{get: get}
	base, single := l.instance(&Config{captured: captured})
	entries := l.listed(base.listed)
	if len(single.own) > 0 {
		entries = append(entries, single)
	}
	if base.tenantsFile != "" {
		entries = append(entries, l.tenantsFile(base.tenantsFile)...)
	}
	l.tenants(base, entries)
	if len(l.faults) > 0 {
		return nil, &Faults{List: l.faults, Files: l.files.names()}
	}
	base.config.files = l.files.names()
	base.config.Warnings = append(base.config.Warnings, l.files.warnings()...)
	return base.config, nil
}

// instance reads the keys of the [INPUT] itself: the draft that every tenant
// starts from, and what was written of the single tenant's short form.
func (l *loader) instance(c *Config) (*draft, entry) {
	base := &draft{config: c, secret: l.files.secret, read: l.files.read}
	defaults := entry{own: map[string]setting{}}
	shared := entry{own: map[string]setting{}}
	single := entry{single: true, own: map[string]setting{}}
	for _, k := range keys {
		name, at := k.lower, place{key: k.Name}
		if k.Default != "" {
			defaults.own[name] = setting{text: k.Default, place: at}
		}
		switch text := strings.TrimSpace(l.get(k.Name)); {
		case text == "":
		case k.Scope == OneTenant:
			single.own[name] = setting{text: text, place: at}
		default:
			shared.own[name] = setting{text: text, place: at}
		}
	}
	l.apply(base, defaults)
	base.written = 0
	l.apply(base, shared)
	l.limits(base)
	return base, single
}

// limits makes the sizes fit each other: a default gives way, a written value is refused.
func (l *loader) limits(d *draft) {
	c := d.config
	fit := func(key string, field *int64, most int64, why string) {
		if *field <= most {
			return
		}
		if !d.written.has(key) {
			*field = most
			return
		}
		l.fault(place{key: key}, problem{formatSize(*field) + " is too much for a Buffer_Limit of " + formatSize(c.BufferLimit) + why,
			"write at most " + formatSize(most) + ", or raise Buffer_Limit"})
	}
	fit(keyBatchLimit, &c.BatchLimit, c.BufferLimit/4, ", of which one tenant may hold four batches")
	fit(keyRecordLimit, &c.RecordLimit, c.BufferLimit, "")
}

// apply reads what an entry holds into d, in the order of the table.
func (l *loader) apply(d *draft, e entry) {
	for i, k := range keys {
		s, ok := e.own[k.lower]
		if !ok {
			continue
		}
		if file, twice := e.own[k.lower+strings.ToLower(fileSuffix)]; k.Secret && twice {
			l.fault(file.place, problem{k.Name + " and " + k.Name + fileSuffix + " are both given", "keep one of them"})
		}
		d.written |= 1 << i
		if s.bad {
			continue
		}
		if p := k.read(d, s.text); p != nil {
			l.fault(s.place, *p)
		}
	}
}

// listed collects what the properties say of each tenant that Tenants names.
// Fluent Bit cannot list its keys, so every key is asked for.
func (l *loader) listed(names []string) []entry {
	var entries []entry
	for _, name := range names {
		e := entry{prefix: name + ".", own: map[string]setting{}}
		for _, k := range keys {
			if k.Scope == Instance || k.Name == keyTenantName {
				continue
			}
			full := name + "." + k.Name
			for _, form := range spellings(name, k.Name) {
				text := strings.TrimSpace(l.get(form))
				if _, found := e.own[k.lower]; text != "" && !found {
					e.own[k.lower] = setting{text: text, place: place{key: full}}
				}
			}
		}
		switch {
		case takenByCore(name + "." + keyTenantID):
			l.fault(place{key: keyTenants}, problem{"Fluent Bit keeps keys such as " + name + "." + keyTenantID + " for itself",
				"choose another name, or describe this tenant in a Tenants_File"})
			continue
		case len(e.own) == 0:
			l.fault(place{key: keyTenants}, problem{shown(name) + " names no tenant: no key begins with " + name + ".",
				"add " + name + "." + keyTenantID + " and " + name + "." + keyRefreshToken + ", or remove the name"})
			continue
		}
		e.own[strings.ToLower(keyTenantName)] = setting{text: name, place: place{key: keyTenants}}
		entries = append(entries, e)
	}
	return entries
}
