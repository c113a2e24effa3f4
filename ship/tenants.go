package ship

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"time"

	"fluent-bit-defender/config"
	"fluent-bit-defender/fetch"
	"fluent-bit-defender/record"
	"fluent-bit-defender/state"
)

// watchEvery is how often the tenants file and the files of secrets are looked at.
const watchEvery = 2 * time.Second

// watch applies the tenants file and the files of secrets again when they change.
func (i *Instance) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	files := i.config.Files()
	last, said := fingerprint(files), ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		current := fingerprint(files)
		if current == last {
			continue
		}
		last = current
		cfg, err := i.config.Reload()
		if faults := (*config.Faults)(nil); errors.As(err, &faults) {
			files = faults.Files // what is repaired may be in a file that was not known before
		}
		if err != nil {
			if said == err.Error() {
				continue
			}
			said = err.Error()
			i.slog.Error("the changed configuration is not used, the last good one stays", "error", err)
			continue
		}
		for _, refused := range i.apply(cfg) {
			i.slog.Error("part of the changed configuration is not used", "error", refused)
		}
		files, said = cfg.Files(), ""
	}
}

// fingerprint changes when one of the files does.
func fingerprint(files []string) string {
	var all []byte
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			all = fmt.Appendf(all, "%s %v\n", file, err)
			continue
		}
		all = fmt.Appendf(all, "%s %d %d", file, info.ModTime().UnixNano(), info.Size())
		if unix, ok := info.Sys().(*syscall.Stat_t); ok { // not the time it was read: we read it
			all = fmt.Appendf(all, " %d %v", unix.Ino, unix.Ctim)
		}
		all = append(all, '\n')
	}
	return string(all)
}

// apply makes the streams what cfg says: added, changed, removed. A stream that
// cannot be had is refused and keeps none of the others from working.
func (i *Instance) apply(cfg *config.Config) (refused []error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.config = cfg
	if err := i.wire.move(i.hub, cfg.Network); err != nil {
		refused = append(refused, err)
	}
	i.warn(cfg.Warnings)
	starting := i.added == 0

	var added, changed, removed []string
	wanted := map[streamID]bool{}
	for _, t := range cfg.Tenants {
		if !t.Enabled {
			continue
		}
		for _, feed := range t.Feeds {
			id := streamID{tenantID{t.Cloud, t.ID}, feed}
			wanted[id] = true
			if s := i.streams[id]; s != nil && !s.removed {
				if i.configure(s, cfg, t) {
					changed = append(changed, t.Name+"/"+feed)
				}
				continue
			}
			if err := i.add(id, cfg, t); err != nil {
				refused = append(refused, err)
				continue
			}
			added = append(added, t.Name+"/"+feed)
		}
	}
	for id, s := range i.streams {
		if !wanted[id] && !s.removed {
			removed = append(removed, s.settings.Load().tenant.Name+"/"+id.feed)
			i.remove(s)
		}
	}
	if !starting {
		for verb, list := range map[string][]string{"added": added, "changed": changed, "removed": removed} {
			if len(list) > 0 {
				i.slog.Info(fmt.Sprintf("the tenants file or a secret's file has changed: %s %s", verb, names(list)))
			}
		}
	}
	return refused
}

// add starts a stream where its checkpoint stands, or where it was when it was
// removed: what then waited may not be committed yet.
func (i *Instance) add(id streamID, cfg *config.Config, t config.Tenant) error {
	feed, known := fetch.Lookup(id.feed)
	if !known {
		return fmt.Errorf("tenant %s: there is no feed %q", t.Name, id.feed)
	}
	key := state.Key{Instance: i.instanceKey(), Cloud: t.Cloud, TenantID: t.ID, Feed: id.feed}
	if err := i.hub.claim(i.claimOf(key), i.name); err != nil {
		return err
	}
	if s := i.streams[id]; s != nil {
		i.configure(s, cfg, t)
		s.removed = false
		if !s.polling {
			i.enlist(s, t.PollInterval)
		}
		return nil
	}
	checkpoint, found, err := i.store.Load(key)
	if err != nil {
		i.hub.unclaim(i.claimOf(key))
		return fmt.Errorf("tenant %s, feed %s: %w", t.Name, id.feed, err)
	}
	waiting := i.tenants[id.tenantID]
	if waiting == nil {
		waiting = new(int64)
		i.tenants[id.tenantID] = waiting
	}
	s := &stream{feed: feed, key: key, phase: phase(i.added, i.seed), place: -1}
	s.lane = lane{stream: s, tenant: waiting}
	if found {
		s.restore(checkpoint, t.Overlap)
	}
	if asked, err := i.store.Redeliveries(key); err == nil {
		s.redeliver = len(asked) > 0
	} // else the sweep meets it again and says so
	i.added++
	i.streams[id] = s
	i.configure(s, cfg, t)
	i.enlist(s, t.PollInterval)
	return nil
}

// configure gives s what cfg says of it. When that is new it is polled at once,
// whatever went wrong before, and configure reports true.
func (i *Instance) configure(s *stream, cfg *config.Config, t config.Tenant) bool {
	tag := cfg.Tag(t, s.feed.Name)
	old := s.settings.Load()
	if old != nil && !s.removed && old.tag == tag && reflect.DeepEqual(old.tenant, t) {
		return false
	}
	sourceKey, source := i.hub.source(i.folder(), i.store, i.wire, t, func(remark string) {
		i.slog.Warn(remark, "tenant", t.Name)
	})
	s.settings.Store(&settings{
		tenant: t, tag: tag, source: source, sourceKey: sourceKey, scope: fetch.Scope(t.GraphURL),
		retention: retention(t),
		encoder: record.NewFlat(
			record.Identity{TenantID: t.ID, TenantName: t.Name, Feed: s.feed.Name},
			record.Options{RawKey: cfg.RawKey, RecordLimit: cfg.RecordLimit}),
	})
	if old != nil && !s.removed {
		i.hub.dropSource(old.sourceKey)
	}
	i.hurry(s)
	return true
}

// hurry makes s the next to be polled. Instance.mu is held.
func (i *Instance) hurry(s *stream) {
	if s.place >= 0 {
		s.due = i.now()
		heap.Fix(&i.queue, s.place)
		i.wakeUp()
	}
}

// remove ends a stream. What already waits of it is still handed over and
// committed; its checkpoint stays for its return.
func (i *Instance) remove(s *stream) {
	s.removed = true
	if s.cancel != nil {
		s.cancel() // nothing more is asked, however long the poll would go on
	}
	if s.place >= 0 {
		heap.Remove(&i.queue, s.place)
	}
	i.hub.dropSource(s.settings.Load().sourceKey)
	i.hub.unclaim(i.claimOf(s.key))
}

func (i *Instance) claimOf(key state.Key) claim { return claim{i.folder(), key} }

// folder is State_Path as the hub knows it.
func (i *Instance) folder() string {
	folder, err := filepath.Abs(i.config.StatePath)
	if err != nil {
		return i.config.StatePath
	}
	return folder
}
