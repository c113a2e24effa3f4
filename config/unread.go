package config

import "strings"

// Unread reports the keys of one [INPUT] section that nobody will read: neither
// a key of this plugin, nor NAME.Key of a tenant that Tenants lists, nor one that
// Fluent Bit's core takes; and repeated keys, of which Fluent Bit hands over the
// first only. Fault.Where is the key as written in written.
func Unread(written []string, get Properties) []Fault {
	tenants, _ := list(get(keyTenants))
	readable := readableKeys(tenants)
	var faults []Fault
	seen := map[string]bool{}
	for _, key := range written {
		lower := strings.ToLower(key)
		_, known := readable[lower]
		switch {
		case takenByCore(key):
			continue
		case !known:
			faults = append(faults, Fault{Where: key, What: "nobody reads this key", Hint: nearestKey(key, tenants, readable)})
		case seen[lower]:
			faults = append(faults, Fault{Where: key, What: "is here twice, and Fluent Bit hands over the first value only", Hint: repeatHint(lower)})
		}
		seen[lower] = true
	}
	return faults
}

// readableKeys maps every key the plugin asks Fluent Bit for, in lower case, to
// its documented form.
func readableKeys(tenants []string) map[string]string {
	readable := map[string]string{}
	for _, k := range keys {
		readable[strings.ToLower(k.Name)] = k.Name
		if k.Scope == Instance || k.Name == keyTenantName {
			continue
		}
		for _, name := range tenants {
			for _, form := range spellings(name, k.Name) {
				readable[strings.ToLower(form)] = name + "." + k.Name
			}
		}
	}
	return readable
}

// nearestKey guesses what was meant. A key with a dot is NAME.Key: the half that
// is right stays, the other is guessed.
func nearestKey(key string, tenants []string, readable map[string]string) string {
	dot := strings.LastIndex(key, ".")
	if dot < 0 {
		var candidates []string
		for _, k := range keys {
			candidates = append(candidates, k.Name)
		}
		return didYouMean(key, append(candidates, coreKeys...), "remove it, or see the reference of keys")
	}
	name, last := key[:dot], key[dot+1:]
	if near := nearest(name, tenants); near != "" {
		name = near
	} else if i, ours := keyIndex[strings.ToLower(last)]; ours && keys[i].Scope != Instance {
		return "add " + name + " to " + keyTenants + ", which lists the tenants to read"
	}
	var candidates []string
	for _, k := range keys {
		if full, ok := readable[strings.ToLower(name+"."+k.Name)]; ok {
			candidates = append(candidates, full[len(name)+1:])
		}
	}
	if i, ours := keyIndex[strings.ToLower(last)]; ours && len(candidates) > 0 && keys[i].Scope == Instance {
		return keys[i].Name + " is one for all tenants: write it without " + name + "."
	}
	if near := nearest(last, candidates); near != "" {
		return "did you mean " + name + "." + near + "?"
	}
	return "remove it, or see the reference of keys"
}

func repeatHint(lower string) string {
	if i, ok := keyIndex[lower[strings.LastIndex(lower, ".")+1:]]; ok && keys[i].Type == List {
		return "write one line with commas"
	}
	return "keep one of them"
}
