package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLateArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{})
		late := c.tenant.AddLate(3 * time.Minute)
		time.Sleep(time.Second)
		soon := c.tenant.Add()
		time.Sleep(3*time.Minute - 2*time.Second)
		if got := c.page("").ids(); !slices.Equal(got, []string{soon.ID}) || c.tenant.Pending() != 1 {
			t.Errorf("before its time: %v, %d pending", got, c.tenant.Pending())
		}
		if _, owed := c.tenant.Owed()[late.ID]; owed {
			t.Error("owed before it was visible")
		}
		time.Sleep(time.Second)
		p := c.page("$orderby=lastUpdateDateTime asc")
		if !slices.Equal(p.ids(), []string{late.ID, soon.ID}) {
			t.Errorf("after: %v", p.ids())
		}
		if got := p.Value[0]["lastUpdateDateTime"]; got != late.Version {
			t.Errorf("stamped %v, want the time it was made: %v", got, late.Version)
		}
		if owed := c.tenant.Owed()[late.ID]; !owed.Since.Equal(late.Since) || owed.Version != late.Version {
			t.Errorf("owed %+v, want %+v", owed, late)
		}
	})
}

// A late version that a newer one overtook is never seen, so nobody owes it.
func TestOvertakenVersionIsNeverVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{})
		first := c.tenant.Add()
		time.Sleep(time.Second)
		if _, err := c.tenant.UpdateLate(first.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		last, err := c.tenant.Update(first.ID)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		versions := c.tenant.Versions()[first.ID]
		if len(versions) != 2 || versions[0].Version != first.Version || versions[1].Version != last.Version {
			t.Errorf("%+v", versions)
		}
	})
}

func TestUpdateChangesOnlyTheWorkflow(t *testing.T) {
	c := newClient(t, Options{})
	allowed := []string{"status", "assignedTo", "classification", "determination", "comments", "resolvedDateTime", "lastUpdateDateTime"}
	for range 50 {
		id := c.tenant.Add().ID
		var before, after map[string]any
		read := func(into *map[string]any) {
			body, err := c.tenant.Alert(id)
			if err != nil || json.Unmarshal(body, into) != nil {
				t.Fatalf("%v: %s", err, body)
			}
		}
		read(&before)
		for range 4 {
			if _, err := c.tenant.Update(id); err != nil {
				t.Fatal(err)
			}
		}
		read(&after)
		var changed []string
		for key := range maps.Keys(after) {
			if !reflect.DeepEqual(before[key], after[key]) {
				changed = append(changed, key)
			}
		}
		slices.Sort(changed)
		for _, key := range changed {
			if !slices.Contains(allowed, key) {
				t.Errorf("%v: %s changed", after["title"], key)
			}
		}
		if after["status"] != "resolved" || len(after["comments"].([]any)) != 4 {
			t.Errorf("status %v, comments %v", after["status"], after["comments"])
		}
	}
	if _, err := c.tenant.Update("nobody"); !errors.Is(err, ErrNoAlert) {
		t.Errorf("unknown id: %v", err)
	}
}

// Random additions, late ones and updates: what was seen through pages is
// what is owed, and the index stays sorted.
func TestOwedIsWhatPagesShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Behaviour: Behaviour{Limit: -1}})
		random := rand.New(rand.NewPCG(1, 2))
		var ids []string
		seen := map[string]map[string]bool{}
		for range 600 {
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			switch {
			case len(ids) == 0 || random.IntN(3) == 0:
				for _, v := range c.tenant.add(1+random.IntN(4), time.Duration(random.IntN(100))*time.Second, time.Duration(max(0, random.IntN(60)-30))*time.Second) {
					ids = append(ids, v.ID)
				}
			default:
				if _, err := c.tenant.UpdateLate(ids[random.IntN(len(ids))], time.Duration(max(0, random.IntN(20)-10))*time.Second); err != nil {
					t.Fatal(err)
				}
			}
			last := ticks(0)
			for _, f := range c.tenant.store.read(query{until: 1 << 62, top: 1 << 30}).rows {
				if f.stamp < last {
					t.Fatal("not sorted")
				}
				last = f.stamp
				if seen[f.owner.id] == nil {
					seen[f.owner.id] = map[string]bool{}
				}
				seen[f.owner.id][f.text] = true
			}
		}
		time.Sleep(5 * time.Minute)
		owed := c.tenant.Owed()
		if len(owed) != len(ids) || c.tenant.Pending() != 0 {
			t.Fatalf("%d owed, %d made, %d pending", len(owed), len(ids), c.tenant.Pending())
		}
		versions := c.tenant.Versions()
		for _, a := range c.everything("$top=100") {
			id, version := a["id"].(string), a["lastUpdateDateTime"]
			if owed[id].Version != version {
				t.Errorf("%s: served %v, owed %v", id, version, owed[id].Version)
			}
			all := versions[id]
			if all[len(all)-1] != owed[id] {
				t.Errorf("%s: newest of %v is not owed", id, all)
			}
			for text := range seen[id] {
				if !slices.ContainsFunc(all, func(v Version) bool { return v.Version == text }) {
					t.Errorf("%s: version %s was shown and is not on record", id, text)
				}
			}
		}
	})
}

// everything is every alert, through pages.
func (c *client) everything(target string) (alerts []map[string]any) {
	for target != "" {
		p := c.page(target)
		alerts = append(alerts, p.Value...)
		target = p.NextLink
	}
	return alerts
}

func TestPutServesWhatItIsGiven(t *testing.T) {
	c := newClient(t, Options{})
	sample, err := os.ReadFile("testdata/graph-alerts_v2.json")
	if err != nil {
		t.Fatal(err)
	}
	put, err := c.tenant.PutPage(sample)
	if err != nil || len(put) != 1 {
		t.Fatalf("%v %v", put, err)
	}
	p := c.page("$filter=lastUpdateDateTime eq 2021-05-02T14:19:01.3266667Z and severity eq 'low'")
	if len(p.Value) != 1 || p.Value[0]["incidentId"] != "28282" {
		t.Errorf("%v", p)
	}
	if owed := c.tenant.Owed()[put[0].ID]; owed.Version != "2021-05-02T14:19:01.3266667Z" {
		t.Errorf("owed %+v", owed)
	}
	if v, err := c.tenant.Update(put[0].ID); err != nil || c.page("").Value[0]["lastUpdateDateTime"] != v.Version {
		t.Errorf("updated: %+v %v", v, err)
	}
	for _, odd := range []string{`{"title":"no id","lastUpdateDateTime":"0001-01-01T00:00:00Z"}`, `{"id":"dup","id":"dup2","lastUpdateDateTime":"soon"}`, `{"id":7}`} {
		c.tenant.Put([]byte(odd))
	}
	if got := len(c.tenant.Owed()); got != 4 {
		t.Errorf("%d owed", got)
	}
	backwards := []byte(`{"id":"dup2","lastUpdateDateTime":"2020-01-01T00:00:00Z","serviceSource" : "microsoftSentinel"}`)
	c.tenant.Put(backwards)
	p = c.page("$filter=lastUpdateDateTime le 2020-01-01T00:00:00Z and lastUpdateDateTime gt 0001-01-02T00:00:00Z")
	if len(p.Value) != 1 || p.Value[0]["serviceSource"] != "unknownFutureValue" {
		t.Errorf("time that moved backwards: %v", p.Value)
	}
}

// Every scenario is complete, of the shape of Microsoft's sample, and about 4 KB.
func TestAlertsAreRich(t *testing.T) {
	c := newClient(t, Options{})
	sample, err := os.ReadFile("testdata/graph-alerts_v2.json")
	if err != nil {
		t.Fatal(err)
	}
	var documented page
	if err := json.Unmarshal(sample, &documented); err != nil {
		t.Fatal(err)
	}
	titles, kinds, bytes := map[any]bool{}, map[any]bool{}, 0
	const n = 500
	for range n {
		body, err := c.tenant.Alert(c.tenant.Add().ID)
		if err != nil {
			t.Fatal(err)
		}
		bytes += len(body)
		var a map[string]any
		if err := json.Unmarshal(body, &a); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		titles[a["title"]] = true
		for key := range documented.Value[0] {
			if _, has := a[key]; !has {
				t.Fatalf("%v: no %s", a["title"], key)
			}
		}
		for _, e := range a["evidence"].([]any) {
			kinds[e.(map[string]any)["@odata.type"]] = true
		}
	}
	if len(titles) != len(scenarios) || len(kinds) < 20 {
		t.Errorf("%d of %d scenarios, %d kinds of evidence", len(titles), len(scenarios), len(kinds))
	}
	if mean := bytes / n; mean < 3500 || mean > 6500 {
		t.Errorf("%d bytes an alert", mean)
	}
}

// Readers, writers and the control side at the same time: for the race
// detector, and every reader must see whole pages.
func TestConcurrentUse(t *testing.T) {
	c := newClient(t, Options{Behaviour: Behaviour{Limit: -1}})
	c.signIn()
	first := c.tenant.Add()
	var all sync.WaitGroup
	for _, work := range []func(i int){
		func(int) { c.tenant.Add() },
		func(i int) { c.tenant.AddLate(time.Duration(i) * time.Microsecond) },
		func(int) {
			if _, err := c.tenant.Update(first.ID); err != nil {
				t.Error(err)
			}
		},
		func(int) {
			var p page
			if raw, err := io.ReadAll(c.get("$top=20", "Prefer", "include-unknown-enum-members").Body); err != nil || json.Unmarshal(raw, &p) != nil || len(p.Value) == 0 {
				t.Errorf("%v: %.100s", err, raw)
			}
		},
		func(int) { c.refresh(c.tenant.Apps()[0].RefreshToken) },
		func(i int) {
			if err := c.sim.Fault(Fault{Endpoint: Token, Kind: Status, Count: 1}); err != nil {
				t.Error(err)
			}
			c.sim.SetClock(time.Duration(i))
			c.sim.Requests()
			c.sim.Counts("contoso")
		},
		func(int) { c.tenant.Owed(); c.tenant.Versions(); c.tenant.Len() },
	} {
		all.Go(func() {
			for i := range 50 {
				work(i)
			}
		})
	}
	all.Wait()
	if got := len(c.tenant.Owed()) + c.tenant.Pending(); got != 101 {
		t.Errorf("%d alerts", got)
	}
}
