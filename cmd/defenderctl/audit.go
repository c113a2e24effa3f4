package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"fluent-bit-defender/control"
	"fluent-bit-defender/fetch"
	"fluent-bit-defender/ship"
)

// auditCommand holds what Microsoft shows against what was delivered.
type auditCommand struct {
	Config    string        `short:"c" required:"" placeholder:"FILE" help:"The file that Fluent Bit reads, in its classic or YAML form."`
	Tenants   []string      `arg:"" optional:"" name:"tenant" help:"Only these tenants, by name or Tenant_Id."`
	Feed      string        `placeholder:"FEED" help:"Only this feed."`
	Since     time.Duration `default:"24h" help:"How far back to compare; Audit_Window says how long ids are kept."`
	Against   string        `placeholder:"FILE" help:"Compare with this export from the SIEM instead: any text that holds the record_ids."`
	Redeliver bool          `help:"Have what is missing delivered again, under the same record_id."`
	JSON      bool          `name:"json" help:"One line of JSON for each tenant and feed, with every alert that is missing."`
}

// Help is printed below the flags.
func (auditCommand) Help() string {
	return `Asks Microsoft once more for everything it shows of the last 24 hours, and compares ids and versions with what the plugin
delivered; or, with --against, with what the SIEM really holds. A running plugin is asked over the socket in its
State_Path; where none runs, the state is read directly. The exit code is 1 when something is missing.

Examples:
  defenderctl audit -c /etc/fluent-bit/fluent-bit.conf
  defenderctl audit contoso -c fluent-bit.conf --since 12h
  defenderctl audit contoso -c fluent-bit.conf --against export.csv --redeliver`
}

// audited is one tenant's feed with what is missing of it.
type audited struct {
	*control.Audit
	Missing []control.Alert `json:"missing"`
	Asked   bool            `json:"redelivery_asked_for"`
}

// Run compares every selected tenant and feed.
func (c auditCommand) Run(ctx context.Context, out *console) error {
	if c.Since <= 0 {
		return errors.New("--since counts back from now: write it without a minus")
	}
	all, err := selection{Config: c.Config, Tenant: c.Tenants}.read(out.say)
	if err != nil {
		return err
	}
	held, err := recordIDs(c.Against)
	if err != nil {
		return err
	}
	wrong := false
	for _, in := range all.inputs {
		engine, running, end, err := auditor(ctx, in, out.say)
		if err != nil {
			return err
		}
		for _, t := range in.tenants {
			for _, feed := range t.Feeds {
				if _, known := fetch.Lookup(feed); !known || !t.Enabled || c.Feed != "" && c.Feed != feed {
					continue
				}
				instance := ""
				if running {
					instance = in.name
				}
				whole, err := c.audit(ctx, out, engine, running, control.Stream{Instance: instance, Tenant: t.Name, Feed: feed}, held)
				if err != nil {
					out.say.fault(fmt.Errorf("%s/%s: %w", t.Name, feed, err))
				}
				wrong = wrong || err != nil || !whole
			}
		}
		end()
	}
	if wrong {
		return errReported
	}
	return nil
}

// auditor is the running plugin, or the state it left behind.
func auditor(ctx context.Context, in *input, say messages) (engine control.Engine, running bool, end func(), err error) {
	folder := in.config.StatePath
	client, err := control.Dial(ctx, folder)
	if err == nil {
		return client, true, func() {}, nil
	}
	if _, missing := os.Stat(filepath.Join(folder, "state.db")); missing != nil {
		return nil, false, nil, fmt.Errorf("nothing was delivered from %s yet: %w", folder, missing)
	}
	say.notef("no running plugin answers in %s: comparing with the state it left there", folder)
	instance, err := ship.NewHub().Examine(in.config, ship.Options{Name: in.name, Version: version})
	if err != nil {
		return nil, false, nil, err
	}
	return instance, false, instance.Stop, nil
}

// audit compares one stream and reports whether nothing is missing.
func (c auditCommand) audit(ctx context.Context, out *console, engine control.Engine, running bool, stream control.Stream, held map[string]bool) (whole bool, err error) {
	answer, err := engine.Audit(ctx, control.AuditRequest{Stream: stream, Since: c.Since})
	if err != nil {
		return false, err
	}
	result := audited{Audit: answer}
	for _, alert := range answer.Alerts {
		if held == nil && !alert.Delivered || held != nil && !held[alert.RecordID] {
			result.Missing = append(result.Missing, alert)
		}
	}
	if c.Redeliver && len(result.Missing) > 0 {
		if err := engine.Redeliver(ctx, control.RedeliverRequest{Stream: stream, Alerts: result.Missing}); err != nil {
			return false, fmt.Errorf("asking for %d alerts again: %w", len(result.Missing), err)
		}
		result.Asked = true
	}
	if c.JSON {
		result.Alerts = nil
		err = json.NewEncoder(out.data).Encode(result)
	} else {
		err = result.print(out.data, held != nil, running)
	}
	return len(result.Missing) == 0, err
}

// print says it in words; at most twenty of the missing ones are named.
func (a audited) print(to io.Writer, siem, running bool) error {
	w := bufio.NewWriter(to)
	held := "delivered"
	have := a.Delivered
	if siem {
		held, have = "the SIEM holds", a.Shown-len(a.Missing)
	}
	fmt.Fprintf(w, "%s/%s since %s: Microsoft says %d, %s %d", a.Tenant, a.Feed, a.From.UTC().Format(time.RFC3339), a.Shown, held, have)
	if a.Pending > 0 {
		fmt.Fprintf(w, "; %d newer ones are on their way", a.Pending)
	}
	fmt.Fprintln(w)
	const most = 20
	for n, alert := range a.Missing {
		if n == most {
			fmt.Fprintf(w, "  and %d more (--json names them all)\n", len(a.Missing)-most)
			break
		}
		fmt.Fprintf(w, "  missing %q of %s, record_id %s\n", alert.ID, alert.Version.Format(time.RFC3339Nano), alert.RecordID)
	}
	switch {
	case a.Asked && running:
		fmt.Fprintf(w, "  %d are asked for again: they come with the next poll\n", len(a.Missing))
	case a.Asked:
		fmt.Fprintf(w, "  %d are asked for again: they come when Fluent Bit runs\n", len(a.Missing))
	case len(a.Missing) > 0:
		fmt.Fprintln(w, "  --redeliver has them delivered again")
	}
	return w.Flush()
}

var recordID = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// recordIDs finds every record_id in a file, whatever its form; nil without a file.
func recordIDs(path string) (map[string]bool, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the export: %w", err)
	}
	defer f.Close()
	held := map[string]bool{}
	reader := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := reader.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("%s has a line of more than a million characters: export one alert a line", path)
		}
		for _, id := range recordID.FindAll(line, -1) {
			held[string(id)] = true
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the export: %w", err)
		}
	}
	if len(held) == 0 {
		return nil, withHint(fmt.Errorf("%s holds no record_id (32 hex digits)", path), "export the field record_id, one alert a line; with none in the SIEM, leave out --against and see what was delivered")
	}
	return held, nil
}
