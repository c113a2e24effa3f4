package ship

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fluent-bit-defender/control"
	"fluent-bit-defender/fetch"
	"fluent-bit-defender/record"
	"fluent-bit-defender/state"
)

// Audit asks Microsoft once more what it shows of a stream, and holds it against
// what was delivered (control.Engine).
func (i *Instance) Audit(ctx context.Context, r control.AuditRequest) (*control.Audit, error) {
	s, err := i.find(r.Stream)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(i.ctx, cancel)()
	s.reading.Lock()
	defer s.reading.Unlock()
	known, since, err := i.known(s)
	if err != nil {
		return nil, err
	}
	set := s.settings.Load()
	a := &control.Audit{
		Stream: control.Stream{Instance: i.name, Tenant: set.tenant.Name, Feed: s.feed.Name},
		From:   maxTime(i.clock.now().Add(-r.Since), since), Through: s.watermark, Known: since,
	}
	newest := map[string]time.Time{} // what is updated while it is read comes again
	window := fetch.Window{Feed: s.feed, BaseURL: set.tenant.GraphURL, MinSeverity: set.tenant.MinSeverity, ServiceSources: set.tenant.ServiceSources, From: a.From}
	result, err := i.reader.Read(ctx, window, set, func(page fetch.Page) error {
		for _, alert := range page.Alerts {
			if alert.ID == "" || alert.Version.Before(a.From) {
				continue // polls account for it, no id can be compared
			}
			if alert.Version.After(newest[alert.ID]) {
				newest[alert.ID] = alert.Version
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !result.Complete {
		return nil, errors.New("Microsoft's answer was only partial: ask again later")
	}
	for id, version := range newest {
		hash := record.RecordID(set.tenant.ID, s.feed.Name, id, version)
		delivered, found := known[hash]
		if found && !delivered || !found && !version.Before(s.watermark) {
			a.Pending++
			continue
		}
		a.Shown++
		if delivered {
			a.Delivered++
		}
		a.Alerts = append(a.Alerts, control.Alert{ID: id, Version: version, RecordID: hex.EncodeToString(hash[:]), Delivered: delivered})
	}
	slices.SortFunc(a.Alerts, func(a, b control.Alert) int {
		if c := a.Version.Compare(b.Version); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return a, nil
}

// Redeliver makes alerts go out once more, under the record_id they had
// (control.Engine). The wish is durable when it returns; the next poll fulfils it.
func (i *Instance) Redeliver(_ context.Context, r control.RedeliverRequest) error {
	s, err := i.find(r.Stream)
	if err != nil {
		return err
	}
	var wanted []state.Seen
	for _, alert := range r.Alerts {
		hash, err := hex.DecodeString(alert.RecordID)
		if err != nil || len(hash) != 16 {
			return fmt.Errorf("%q is no record_id: 32 hex digits are expected", alert.RecordID)
		}
		wanted = append(wanted, state.Seen{Hash: [16]byte(hash), Stamp: alert.Version})
	}
	if err := i.store.Redeliver(s.key, wanted); err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	s.redeliver = true
	i.hurry(s)
	return nil
}

// find returns the stream that a request names.
func (i *Instance) find(r control.Stream) (*stream, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []string
	for id, s := range i.streams {
		tenant := s.settings.Load().tenant
		if s.removed {
			continue
		}
		if id.feed == r.Feed && (strings.EqualFold(tenant.Name, r.Tenant) || strings.EqualFold(tenant.ID, r.Tenant)) {
			return s, nil
		}
		all = append(all, tenant.Name+"/"+id.feed)
	}
	return nil, fmt.Errorf("%s reads no feed %s of a tenant %q; it reads %s", i.name, r.Feed, r.Tenant, names(all))
}
