package config

import (
	"fmt"
	"strings"
)

// tenants reads every entry on top of base and checks them against each other.
func (l *loader) tenants(base *draft, entries []entry) {
	c := base.config
	c.Tenants = make([]Tenant, 0, len(entries))
	known := roster{slugs: map[string]owner{}, ids: map[string]owner{}}
	clientless := roll{}
	for _, e := range entries {
		d := *base
		d.folder = e.folder
		l.apply(&d, e)
		l.complete(&d, e, &clientless)
		l.distinct(known, d.tenant, e)
		c.Tenants = append(c.Tenants, d.tenant)
	}
	if clientless.count > 0 {
		l.fault(place{key: keyClientID}, problem{"is missing for " + clientless.String(),
			"set it once in the [INPUT], or " + clientless.example + keyClientID + " for one tenant"})
	}
	if len(entries) == 0 && len(l.faults) == 0 && base.tenantsFile == "" {
		l.fault(place{key: keyTenants}, problem{"no tenant is configured", "set Tenants, Tenants_File, or Tenant_Id and Refresh_Token"})
	}
}

// complete fills in what follows from other values and finds what is missing.
func (l *loader) complete(d *draft, e entry, clientless *roll) {
	t := &d.tenant
	if t.Name == "" && t.ID != "" {
		t.Name, t.Slug = t.ID, reduce(t.ID)
	}
	t.Cloud = hostOf(t.LoginURL)
	if !d.written.has(keyTenantID) {
		hint := "add " + e.spell(keyTenantID) + ", the customer's directory id"
		if e.single {
			hint = keyTenantName + " and " + keyRefreshToken + " describe a single tenant: add its " + keyTenantID + ", or write them as NAME.Key of a tenant in " + keyTenants
		}
		l.fault(e.at(keyTenantID), problem{e.lacks(t.Name, keyTenantID), hint})
	}
	if !d.written.has(keyRefreshToken, keyRefreshToken+fileSuffix, keyClientSecret, keyClientSecret+fileSuffix) {
		l.fault(e.at(keyRefreshToken), problem{e.lacks(t.Name, keyRefreshToken) + ", and there is no " + e.spell(keyClientSecret) + " either",
			"add " + e.spell(keyRefreshToken) + " or " + e.spell(keyRefreshToken+fileSuffix)})
	}
	if !d.written.has(keyClientID) {
		clientless.add(t.Name, e.prefix)
	}
}

// lacks says that the entry has no such key; a place in a file names neither
// the tenant nor the key itself.
func (e entry) lacks(name, key string) string {
	switch {
	case e.start.file == "":
		return "is missing"
	case name == "":
		return "the tenant has no " + e.spell(key)
	}
	return "tenant " + shown(name) + " has no " + e.spell(key)
}

// spell writes a key as the entry would have it.
func (e entry) spell(key string) string {
	if e.start.file != "" {
		return strings.ToLower(key)
	}
	return e.prefix + key
}

// roster knows who has a slug and who has a directory.
type roster struct{ slugs, ids map[string]owner }

type owner struct {
	name  string
	place place
}

// distinct refuses a tenant that is there already. Checkpoints are kept by cloud
// and directory, so one directory is one tenant whatever app reads it.
func (l *loader) distinct(known roster, t Tenant, e entry) {
	me := owner{t.Name, e.at(keyTenantName)}
	if t.Slug != "" {
		first, taken := known.slugs[t.Slug]
		switch {
		case !taken:
			known.slugs[t.Slug] = me
		case first.name == t.Name:
			l.fault(me.place, problem{"tenant " + shown(t.Name) + " is configured twice, first at " + first.place.short(), "remove one of them"})
			return
		default:
			l.fault(me.place, problem{fmt.Sprintf("tenant %s and tenant %s (%s) both reduce to %s in tags", shown(t.Name), shown(first.name), first.place.short(), t.Slug),
				"rename one of them"})
		}
	}
	if t.ID != "" {
		id := t.Cloud + "|" + t.ID
		if first, taken := known.ids[id]; taken {
			l.fault(e.at(keyTenantID), problem{"directory " + t.ID + " is configured twice, first as " + shown(first.name) + " at " + first.place.short(), "remove one of them"})
			return
		}
		me.place = e.at(keyTenantID)
		known.ids[id] = me
	}
}

// roll counts tenants and remembers the first few.
type roll struct {
	count   int
	first   []string
	example string
}

func (r *roll) add(name, prefix string) {
	r.count++
	if len(r.first) < 3 {
		r.first = append(r.first, name)
	}
	if r.example == "" {
		r.example = prefix
	}
}

func (r *roll) String() string {
	names := strings.Join(r.first, ", ")
	if more := r.count - len(r.first); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names
}
