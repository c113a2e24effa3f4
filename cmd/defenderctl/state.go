package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"fluent-bit-defender/state"
)

// stateCommand works on a State_Path while Fluent Bit does not hold it.
type stateCommand struct {
	Inspect stateInspectCommand `cmd:"" help:"Show the checkpoints, whose refresh tokens there are (never a token), the key and the file."`
	Export  stateExportCommand  `cmd:"" help:"Print all of it as JSON, without tokens or with sealed ones."`
	Import  stateImportCommand  `cmd:"" help:"Take in what was exported."`
	Reset   stateResetCommand   `cmd:"" help:"Make a tenant read again from an earlier time, or from a later one; or start anew."`
	Rekey   stateRekeyCommand   `cmd:"" help:"Seal all refresh tokens under a new key."`
}

// statePlace is the flags that say which State_Path is meant.
type statePlace struct {
	Config  string `short:"c" placeholder:"FILE" help:"The file that Fluent Bit reads: it says where State_Path is, and what the tenants are called."`
	Path    string `placeholder:"DIR" help:"The State_Path itself; with -c, which one of several."`
	KeyFile string `placeholder:"FILE" help:"The State_Key_File, where -c does not say it."`
}

// place is one State_Path.
type place struct {
	dir, keyFile string
	names        map[string]string // what a tenant is called, by its Tenant_Id in lower case
}

// find returns the State_Paths that the flags name, in the configuration's order.
func (p statePlace) find(say messages) ([]place, error) {
	if p.Config == "" && p.Path == "" {
		return nil, withHint(errors.New("which state is meant?"), "name the file that Fluent Bit reads with -c FILE, or the folder itself with --path DIR")
	}
	wanted := ""
	if p.Path != "" {
		var err error
		if wanted, err = filepath.Abs(p.Path); err != nil {
			return nil, err
		}
	}
	if p.Config == "" {
		return []place{{dir: wanted, keyFile: p.KeyFile}}, nil
	}
	all, err := selection{Config: p.Config}.read(say)
	if err != nil {
		return nil, withHint(err, "with --path DIR instead of -c no configuration is needed")
	}
	var places []place
	for _, in := range all.inputs {
		dir := in.statePath()
		i := slices.IndexFunc(places, func(known place) bool { return known.dir == dir })
		if i < 0 {
			i = len(places)
			places = append(places, place{dir, cmp.Or(p.KeyFile, in.config.StateKeyFile), map[string]string{}})
		}
		for _, tenant := range in.config.Tenants {
			places[i].names[strings.ToLower(tenant.ID)] = tenant.Name
		}
	}
	if wanted == "" {
		return places, nil
	}
	for _, known := range places {
		if known.dir == wanted {
			return []place{known}, nil
		}
	}
	return nil, withHint(fmt.Errorf("no [INPUT] of %s has the State_Path %s", p.Config, wanted), "it has: "+some(folders(places)))
}

// one is for commands that must not mistake the folder.
func (p statePlace) one(say messages) (place, error) {
	places, err := p.find(say)
	if err != nil {
		return place{}, err
	}
	if len(places) > 1 {
		return place{}, withHint(fmt.Errorf("%s has several State_Paths", p.Config), "say which with --path: "+some(folders(places)))
	}
	return places[0], nil
}

func folders(places []place) (dirs []string) {
	for _, p := range places {
		dirs = append(dirs, p.dir)
	}
	return dirs
}

func (p place) options(say messages) state.Options {
	return state.Options{KeyFile: p.keyFile, Existing: true, Notice: func(remark string) { say.notef("%s", remark) }}
}

func (p place) open(say messages) (*state.Store, error) {
	store, err := state.Open(p.dir, p.options(say))
	return store, p.explain(err)
}

// explain adds what an operator can do about err.
func (p place) explain(err error) error {
	var inUse *state.InUseError
	switch {
	case errors.As(err, &inUse):
		return withHint(err, "nobody else may work on it meanwhile: stop Fluent Bit first")
	case errors.Is(err, os.ErrNotExist):
		return withHint(err, "is it the State_Path that Fluent Bit runs with? It is made at its first start")
	}
	return err
}

// name is what the configuration calls a tenant, "" when it is not said.
func (p place) name(tenantID string) string { return p.names[strings.ToLower(tenantID)] }

// shown is how messages call a tenant.
func (p place) shown(tenantID string) string { return plain(cmp.Or(p.name(tenantID), tenantID)) }

// tenants are the ids of those that a name or id stands for.
func (p place) is(tenantID, wanted string) bool {
	return strings.EqualFold(tenantID, wanted) || strings.EqualFold(p.name(tenantID), wanted)
}

// instanceShown is an instance without an alias, which shares its checkpoints with all such.
const instanceShown = "-"

func showInstance(instance string) string { return cmp.Or(plain(instance), instanceShown) }

// sameInstance compares with what an operator calls it.
func sameInstance(instance, wanted string) bool {
	if wanted == instanceShown || unnamed.MatchString(wanted) {
		wanted = ""
	}
	return strings.EqualFold(instance, wanted)
}

// plain keeps what stands in a file from playing tricks on a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}

// showTime is a time in UTC as tables show it.
func showTime(at time.Time) string {
	if at.Year() <= 1 {
		return "-"
	}
	return at.UTC().Format("2006-01-02 15:04:05Z")
}

// showSpan is a span of time, roughly: two units at most.
func showSpan(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	day, d := d/(24*time.Hour), d%(24*time.Hour)
	switch {
	case day > 0:
		return fmt.Sprintf("%s%dd%dh", sign, day, d/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%s%dh%dm", sign, d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%s%dm%ds", sign, d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%s%ds", sign, d/time.Second)
}

// confirm asks, unless that was answered on the command line. Where nobody can
// be asked it is an error.
func confirm(say messages, yes bool, question string) error {
	if yes {
		return nil
	}
	unanswered := withHint(errors.New("nothing was changed, since nobody said yes"), "add --yes where nobody can be asked")
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return unanswered
	}
	say.notef("%s Type yes to go on:", question)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return unanswered
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "yes" && answer != "y" {
		return errors.New("nothing was changed")
	}
	return nil
}

// sorted lists the keys of a set.
func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
