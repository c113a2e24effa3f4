package main

import (
	"slices"
	"strings"
	"time"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

// account compares what arrived with what the simulator has shown.
type account struct {
	tenants  []*simulator.Tenant
	records  []flbhost.Record             // all that arrived, in order
	arrivals map[versionKey]time.Time     // when each version came first
	alerts   map[string]bool              // the alert_uids among them
	times    map[string]int               // how often each record_id came
	live     map[versionKey]time.Time     // since when those were visible that nothing but polling kept waiting
	late     map[versionKey]time.Duration // how long after their time stamp the late ones showed
}

// versionKey is one version of one alert.
type versionKey struct{ tenantID, id, version string }

// arrival says what is special about a record.
type arrival struct {
	updated bool          // an earlier version of the alert came before
	late    time.Duration // it showed that long after its time stamp
}

func newAccount(tenants []*simulator.Tenant) *account {
	return &account{
		tenants: tenants, arrivals: map[versionKey]time.Time{}, alerts: map[string]bool{}, times: map[string]int{},
		live: map[versionKey]time.Time{}, late: map[versionKey]time.Duration{},
	}
}

// enter notes a record that arrived at that moment.
func (a *account) enter(record flbhost.Record, at time.Time) arrival {
	key := versionKey{text(record, "tenant_id"), text(record, "id"), text(record, "lastUpdateDateTime")}
	what := arrival{updated: a.alerts[text(record, "alert_uid")], late: a.late[key]}
	if _, before := a.arrivals[key]; !before {
		a.arrivals[key] = at
	}
	a.records = append(a.records, record)
	a.alerts[text(record, "alert_uid")] = true
	a.times[text(record, "record_id")]++
	return what
}

// expect says that a version is not held up by anything but polling, so that its delay counts.
func (a *account) expect(t *simulator.Tenant, v simulator.Version) { a.live[keyOf(t, v)] = v.Since }

// expectLate says the same of one that showed late.
func (a *account) expectLate(t *simulator.Tenant, v simulator.Version, by time.Duration) {
	a.expect(t, v)
	a.late[keyOf(t, v)] = by
}

func keyOf(t *simulator.Tenant, v simulator.Version) versionKey {
	return versionKey{t.ID, v.ID, v.Version}
}

// owed counts the versions that were ever visible: all are to arrive.
func (a *account) owed() int {
	n := 0
	for _, tenant := range a.tenants {
		for _, versions := range tenant.Versions() {
			n += len(versions)
		}
	}
	return n
}

// missing counts the versions of a tenant that were visible and have not arrived.
func (a *account) missing(tenants ...*simulator.Tenant) int {
	n := 0
	for _, tenant := range tenants {
		for _, versions := range tenant.Versions() {
			for _, version := range versions {
				if _, here := a.arrivals[keyOf(tenant, version)]; !here {
					n++
				}
			}
		}
	}
	return n
}

// doubled counts the records that came although their record_id had come before.
func (a *account) doubled() int {
	n := 0
	for _, times := range a.times {
		n += times - 1
	}
	return n
}

// delays is the median and the longest time between visible and delivered, of what came live.
func (a *account) delays() (median, longest time.Duration) {
	var all []time.Duration
	for key, since := range a.live {
		if at, here := a.arrivals[key]; here {
			all = append(all, at.Sub(since))
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

// requests counts what the plugin asked Entra and Graph.
func requests(s *simulator.Simulator, tenants []*simulator.Tenant) (signIns, pages int) {
	for _, tenant := range tenants {
		counts := s.Counts(tenant.Name).Requests
		signIns += counts[simulator.Token]
		pages += counts[simulator.Alerts]
	}
	return signIns, pages
}

// text is a field of a record as text; "" where there is none.
func text(record flbhost.Record, key string) string {
	value, _ := record.Fields[key].(string)
	return value
}

// firstText is the first text under a key: a field of its own, or of a column.
func firstText(record flbhost.Record, key string) string {
	if column, ok := record.Fields[key].([]any); ok {
		for _, value := range column {
			if s, ok := value.(string); ok && s != "" {
				return s
			}
		}
	}
	return text(record, key)
}

// entity is whom or what an alert is about: the device before its user, whatever else is known after both.
func entity(record flbhost.Record) string {
	for _, key := range []string{
		"evidence.device.hostName", "evidence.device.deviceDnsName", "evidence.user.userAccount.accountName",
		"evidence.mailbox.primaryAddress", "evidence.azureResource.resourceName",
	} {
		if name := firstText(record, key); name != "" {
			account, _, _ := strings.Cut(name, "@") // the customer stands in the line already
			return account
		}
	}
	return ""
}
