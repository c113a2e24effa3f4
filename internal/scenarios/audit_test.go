package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

// version names one state of one alert of one tenant.
type version struct{ tenant, id, version string }

func versionOf(r flbhost.Record) version {
	return version{text(r, "tenant_id"), text(r, "id"), text(r, "lastUpdateDateTime")}
}

func text(r flbhost.Record, key string) string {
	s, _ := r.Fields[key].(string)
	return s
}

// tally is the outcome of an audit.
type tally struct{ records, doubles, versions int }

// settle waits until every tenant's newest versions, as they are now, are here
// among the records that count (nil: all do).
func (w *world) settle(counts func(flbhost.Record) bool, tenants ...*simulator.Tenant) {
	w.Helper()
	missing := map[version]bool{}
	for _, t := range tenants {
		for _, v := range t.Owed() {
			missing[version{t.ID, v.ID, v.Version}] = true
		}
	}
	owed, looked := len(missing), 0
	err := w.sink.Wait(w.process.While(w.patience()), func(records []flbhost.Record) bool {
		for _, r := range records[looked:] {
			if counts == nil || counts(r) {
				delete(missing, versionOf(r))
			}
		}
		looked = len(records)
		return len(missing) == 0
	})
	if err != nil {
		some := slices.Collect(maps.Keys(missing))
		w.Fatalf("%d of %d alerts are missing, such as %v: %v", len(missing), owed, some[:min(3, len(some))], err)
	}
}

// audit compares records with what the tenants ever showed: nothing invented,
// one record_id for one version, the right time; it counts what came twice.
func (w *world) audit(records []flbhost.Record, tenants ...*simulator.Tenant) tally {
	w.Helper()
	shown := map[version]bool{}
	for _, t := range tenants {
		for _, versions := range t.Versions() {
			for _, v := range versions {
				shown[version{t.ID, v.ID, v.Version}] = true
			}
		}
	}
	var n tally
	ids, owner := map[version]string{}, map[string]version{}
	for _, r := range records {
		v, id := versionOf(r), text(r, "record_id")
		n.records++
		if !shown[v] {
			w.Errorf("a record of %v, which nobody served", v)
		}
		if stamp, err := time.Parse(time.RFC3339Nano, v.version); err != nil || !stamp.Equal(r.Time) {
			w.Errorf("%v has the time %v", v, r.Time)
		}
		switch known, seen := ids[v]; {
		case id == "":
			w.Errorf("%v has no record_id", v)
		case seen && known != id:
			w.Errorf("%v has the record_ids %s and %s", v, known, id)
		case seen:
			n.doubles++
		case owner[id] != version{}:
			w.Errorf("%v and %v have the record_id %s", v, owner[id], id)
		}
		ids[v], owner[id] = id, v
	}
	n.versions = len(ids)
	return n
}

// once audits all that has arrived and fails when anything came twice.
func (w *world) once(tenants ...*simulator.Tenant) tally {
	w.Helper()
	n := w.audit(w.sink.Records(), tenants...)
	if n.doubles > 0 {
		w.Errorf("%d records came twice", n.doubles)
	}
	return n
}

// tagged are the records with a tag.
func tagged(records []flbhost.Record, tag string) []flbhost.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r flbhost.Record) bool { return r.Tag != tag })
}

func (n tally) String() string {
	return fmt.Sprintf("%d records of %d versions, %d doubles", n.records, n.versions, n.doubles)
}
