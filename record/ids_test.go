package record

import (
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	// These ids are in receivers' indexes: a change of either breaks folding
	// across an upgrade.
	if got, want := fmt.Sprintf("%x", RecordID(contoso.TenantID, "alerts", "a1", updated)), "08dc835bdaf1b40b65e90e8ebb73f93f"; got != want {
		t.Errorf("record id %s, was %s", got, want)
	}
	if got, want := fmt.Sprintf("%x", AlertUID(contoso.TenantID, "alerts", "a1")), "6f781af260e780a7f4a186a884478d1c"; got != want {
		t.Errorf("alert uid %s, was %s", got, want)
	}
	if RecordID("t", "f", "a1", updated) != RecordID("t", "f", "a1", updated.In(time.FixedZone("", 7200))) {
		t.Error("the same instant in another zone is another version")
	}
	seen := map[[16]byte]string{}
	add := func(what string, id [16]byte) {
		if before, known := seen[id]; known {
			t.Errorf("%s has the id of %s", what, before)
		}
		seen[id] = what
	}
	for _, parts := range [][3]string{{"t", "f", "a"}, {"t", "fa", ""}, {"tf", "a", ""}, {"", "tf", "a"}, {"t", "f", "b"}, {"t", "g", "a"}, {"u", "f", "a"}} {
		add(fmt.Sprintf("alert %q", parts), AlertUID(parts[0], parts[1], parts[2]))
		for _, tick := range []time.Duration{0, 100, time.Second} {
			add(fmt.Sprintf("record %q+%v", parts, tick), RecordID(parts[0], parts[1], parts[2], updated.Add(tick)))
		}
		add(fmt.Sprintf("record %q in year 1", parts), RecordID(parts[0], parts[1], parts[2], time.Time{}))
	}
	ev, _ := encode(t, Options{}, Alert{ID: "a1", Version: updated, Raw: []byte(`{}`)})
	id := RecordID(contoso.TenantID, contoso.Feed, "a1", updated)
	uid := AlertUID(contoso.TenantID, contoso.Feed, "a1")
	if ev.fields["record_id"] != hex.EncodeToString(id[:]) || ev.fields["alert_uid"] != hex.EncodeToString(uid[:]) {
		t.Errorf("the record shows other ids: %v", ev.fields)
	}
}

func TestIdentityIsCut(t *testing.T) {
	long := make([]byte, 1<<20)
	for i := range long {
		long[i] = 'n'
	}
	f := NewFlat(Identity{TenantID: string(long), TenantName: "\xff", Feed: string(long)}, Options{RecordLimit: 1})
	ev, _, err := decodeEvent(first(f.Append(nil, Alert{Raw: []byte(`{`)})))
	if err != nil || len(ev.fields["tenant_id"].(string)) != maxShown || ev.fields["tenant_name"] != replacement {
		t.Error(err, ev.fields)
	}
}

// Many tenants encode at once, out of one pool of scratch memory.
func TestFlatIsSafeForConcurrentUse(t *testing.T) {
	alerts := append(sample(t, "wide", "value"), sample(t, "graph-alerts_v2", "value")...)
	alerts = append(alerts, Alert{Raw: []byte(`{"broken`)}, Alert{ID: "x", Version: updated, Raw: []byte(`{"a":1,"a":2}`)})
	var want []string
	flat := NewFlat(contoso, Options{})
	for _, a := range alerts {
		want = append(want, string(first(flat.Append(nil, a))))
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			own := NewFlat(contoso, Options{})
			for i := range 50 {
				f := []*Flat{flat, own}[i%2]
				k := (i + w) % len(alerts)
				if got := string(first(f.Append(nil, alerts[k]))); got != want[k] {
					t.Errorf("alert %d differs", k)
					return
				}
			}
		})
	}
	wg.Wait()
}
