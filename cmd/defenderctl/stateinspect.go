package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"fluent-bit-defender/state"
)

// stateInspectCommand shows what is in a State_Path.
type stateInspectCommand struct {
	statePlace
	JSON bool `name:"json" help:"Print one JSON object for each State_Path instead of the tables."`
}

// Help is printed below the flags.
func (stateInspectCommand) Help() string {
	return `Shows how far each tenant's feeds were delivered (everything before WATERMARK; AGE is how long ago that is, by this
host's clock; SEEN is how many alerts are remembered so as not to send them twice) and whose refresh tokens are kept.
A token itself is never shown. Exit code 1: something in it is damaged, or it cannot be read.

Fluent Bit must be stopped. An instance "-" is one without an Alias.

Examples:
  defenderctl state inspect -c /etc/fluent-bit/fluent-bit.conf
  defenderctl state inspect --path /var/lib/fluent-bit/defender --json | jq '.checkpoints[] | select(.age_seconds > 3600)'`
}

// stateReport is what is known of one State_Path.
type stateReport struct {
	Path        string             `json:"path"`
	File        string             `json:"file"`
	Size        int64              `json:"file_bytes"`
	Schema      uint32             `json:"schema,omitempty"`
	KeyFile     string             `json:"key_file,omitempty"`
	Holder      *stateHolder       `json:"in_use_by,omitempty"`
	Fault       string             `json:"fault,omitempty"`
	Damage      []string           `json:"damage,omitempty"`
	Checkpoints []reportCheckpoint `json:"checkpoints"`
	Tokens      []reportLineage    `json:"refresh_tokens"`

	named bool // the configuration says what tenants are called
}

type stateHolder struct {
	PID     int    `json:"pid,omitempty"`
	Command string `json:"command,omitempty"`
	Host    string `json:"host,omitempty"`
}

type reportCheckpoint struct {
	Instance  string    `json:"instance"`
	Cloud     string    `json:"cloud"`
	Tenant    string    `json:"tenant,omitempty"`
	TenantID  string    `json:"tenant_id"`
	Feed      string    `json:"feed"`
	Watermark time.Time `json:"watermark,omitzero"`
	Age       int64     `json:"age_seconds"`
	Seen      int       `json:"seen"`
	Damage    string    `json:"damage,omitempty"`
}

// reportLineage is the refresh tokens of one sign-in.
type reportLineage struct {
	Cloud    string    `json:"cloud"`
	Tenant   string    `json:"tenant,omitempty"`
	TenantID string    `json:"tenant_id"`
	ClientID string    `json:"client_id"`
	Tokens   int       `json:"tokens"`
	Saved    time.Time `json:"saved,omitzero"`
	Damage   string    `json:"damage,omitempty"`
}

// Run prints what there is, and fails when not all of it is sound.
func (c stateInspectCommand) Run(out *console) error {
	places, err := c.find(out.say)
	if err != nil {
		return err
	}
	sound := true
	for i, p := range places {
		report, fault := p.report(out.say)
		if i > 0 && !c.JSON {
			fmt.Fprintln(out.data)
		}
		if err := report.print(out.data, c.JSON); err != nil {
			return err
		}
		if fault != nil {
			out.say.fault(fault)
			sound = false
		}
	}
	if !sound {
		return errReported
	}
	return nil
}

// report tells what can be known; the error is what is wrong with the rest.
func (p place) report(say messages) (r *stateReport, err error) {
	r = &stateReport{Path: p.dir, File: filepath.Join(p.dir, "state.db"), named: len(p.names) > 0,
		Checkpoints: []reportCheckpoint{}, Tokens: []reportLineage{}}
	info, err := os.Stat(r.File)
	if err == nil {
		r.Size = info.Size()
	}
	defer func() {
		if err != nil {
			r.Fault = err.Error()
		}
	}()
	store, err := p.open(say)
	if inUse := (*state.InUseError)(nil); errors.As(err, &inUse) {
		r.Holder = &stateHolder{inUse.PID, inUse.Command, inUse.Host}
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	facts, err := store.Facts()
	if err != nil {
		return r, err
	}
	r.Schema, r.KeyFile, r.Damage = facts.Schema, facts.KeyPath, facts.Damage
	now := time.Now()
	for _, f := range facts.Checkpoints {
		c := reportCheckpoint{Instance: f.Key.Instance, Cloud: f.Key.Cloud, Tenant: p.name(f.Key.TenantID), TenantID: f.Key.TenantID,
			Feed: f.Key.Feed, Watermark: f.Watermark, Age: int64(now.Sub(f.Watermark) / time.Second), Seen: f.Seen}
		if f.Err != nil {
			c.Damage, c.Age = f.Err.Error(), 0
		}
		r.Checkpoints = append(r.Checkpoints, c)
	}
	for _, f := range facts.Tokens {
		r.Tokens = append(r.Tokens, p.lineage(store, f))
	}
	return r, facts.Sound()
}

// lineage describes one value that auth keeps in the store: its key is cloud,
// tenant and app, and after an unreadable one a number; its value lists tokens.
func (p place) lineage(store *state.Store, f state.TokenFacts) (l reportLineage) {
	parts := append(strings.Split(f.Key, "|"), "", "", "")
	l = reportLineage{Cloud: parts[0], Tenant: p.name(parts[1]), TenantID: parts[1], ClientID: parts[2], Saved: f.Saved}
	if f.Err != nil {
		l.Damage = f.Err.Error()
		return l
	}
	value, _, err := store.LoadToken(f.Key)
	var kept struct {
		Tokens []json.RawMessage `json:"tokens"`
	}
	if err != nil || json.Unmarshal(value, &kept) != nil {
		l.Damage = "it does not read as a list of tokens"
	}
	l.Tokens = len(kept.Tokens)
	return l
}

func (r *stateReport) print(to io.Writer, asJSON bool) error {
	if asJSON {
		lines := json.NewEncoder(to)
		lines.SetEscapeHTML(false)
		return lines.Encode(r)
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "state\t%s\n", r.Path)
	if r.Schema > 0 {
		fmt.Fprintf(table, "file\t%d bytes, schema %d\n", r.Size, r.Schema)
		fmt.Fprintf(table, "key\t%s\n", r.KeyFile)
	} else {
		fmt.Fprintf(table, "file\t%d bytes\n", r.Size)
	}
	if h := r.Holder; h != nil {
		fmt.Fprintf(table, "held by\tprocess %s\n", strings.TrimSpace(fmt.Sprintf("%d (%s) %s", h.PID, h.Command, h.Host)))
	}
	if err := table.Flush(); err != nil || r.Schema == 0 {
		return err
	}
	fmt.Fprintln(to)
	row := func(named string, cells ...string) {
		if r.named {
			cells = append([]string{named}, cells...)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	row("TENANT", "INSTANCE", "CLOUD", "TENANT ID", "FEED", "WATERMARK", "AGE", "SEEN")
	for _, c := range r.Checkpoints {
		watermark, age, seen := showTime(c.Watermark), showSpan(time.Duration(c.Age)*time.Second), strconv.Itoa(c.Seen)
		if watermark == "-" {
			age = "-"
		}
		if c.Damage != "" {
			watermark, age, seen = "damaged", "-", "-"
		}
		row(orDash(c.Tenant), showInstance(c.Instance), orDash(c.Cloud), orDash(c.TenantID), orDash(c.Feed), watermark, age, seen)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(to)
	row("TENANT", "REFRESH TOKENS", "CLOUD", "TENANT ID", "CLIENT ID", "SAVED")
	for _, l := range r.Tokens {
		count := strconv.Itoa(l.Tokens)
		if l.Damage != "" {
			count = "damaged"
		}
		row(orDash(l.Tenant), count, orDash(l.Cloud), orDash(l.TenantID), orDash(l.ClientID), showTime(l.Saved))
	}
	return table.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return plain(s)
}
