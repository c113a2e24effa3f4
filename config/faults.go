package config

import "strings"

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Where string // the key ("contoso.Tenant_Id") or the place ("tenants.yaml:12:5")
	What  string // what is wrong, never with a secret's value
	Hint  string // what to do or what was probably meant, "" when What says it all
}

// String is the fault in one line.
func (f Fault) String() string {
	if f.Hint == "" {
		return f.Where + ": " + f.What
	}
	return f.Where + ": " + f.What + "; " + f.Hint
}

// Faults is the error of Load and Reload: everything that is wrong, at once.
type Faults struct {
	List  []Fault  // in the order of the configuration, never empty
	Files []string // every file that was read or could not be: watch them, a change may repair the fault
}

// Error is one message with one line per fault.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}
