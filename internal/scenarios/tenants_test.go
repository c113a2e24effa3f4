package scenarios

import (
	"net/http"
	"strings"
	"time"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

// tenantsFile: customers are added, removed and changed while it runs; a broken
// edit changes nothing and says where it is broken.
func tenantsFile(w *world) {
	w.customers("contoso", "fabrikam")
	contoso, fabrikam := w.tenants[0], w.tenants[1]
	contoso.AddBurst(10, time.Hour)
	fabrikam.AddBurst(10, time.Hour)
	w.start(w.input("Alias file", "Tenants_File "+w.tenantsFile(row(contoso))))
	w.settle(nil, contoso)

	w.tenantsFile(row(contoso), row(fabrikam))
	w.says("has changed: added fabrikam/alerts")
	w.settle(nil, fabrikam)

	w.tenantsFile(row(fabrikam))
	w.says("has changed: removed contoso/alerts")
	asked := w.service.sim.Counts("contoso").Requests[simulator.Alerts]
	contoso.AddBurst(5, 0)
	fabrikam.Add()
	w.polled(3, fabrikam)
	w.settle(nil, fabrikam)
	if now := w.service.sim.Counts("contoso").Requests[simulator.Alerts]; now > asked+1 { // one may have been under way
		w.Errorf("contoso was asked %d times after it was removed", now-asked)
	}

	w.tenantsFile(row(fabrikam), "- name: adatum", "  tenant_id: [") // its lines 7 and 8
	line := w.says("the changed configuration is not used, the last good one stays")
	if !strings.Contains(line, "tenants.yaml:") {
		w.Errorf("the line does not say where: %s", line)
	}
	w.Log(line)
	fabrikam.Add()
	w.settle(nil, fabrikam)

	w.tenantsFile(row(contoso), row(fabrikam, "poll_interval: 2s"))
	w.says("has changed: changed fabrikam/alerts")
	fabrikam.Add()
	w.settle(nil, w.tenants...)
	w.stop()
	w.Log(w.once(w.tenants...))
}

// updateBetweenPages: while a backfill of several pages is read, alerts that
// were shown already are updated before every further request, so that all
// later rows move up by one.
func updateBetweenPages(w *world) {
	w.tenant(simulator.TenantOptions{Name: "contoso", Behaviour: &simulator.Behaviour{Limit: -1, NoGzip: true}})
	w.tenant(simulator.TenantOptions{Name: "fabrikam", Behaviour: &simulator.Behaviour{Limit: -1, NoGzip: true, OrderBy: simulator.OrderIgnore}})
	var ids [][]string
	for _, t := range w.tenants {
		var mine []string
		for n := range 2300 {
			mine = append(mine, t.AddAged(23*time.Hour-time.Duration(n)*30*time.Second).ID)
		}
		ids = append(ids, mine)
	}
	updates := make(chan int, 14) // as many as may be, then it is quiet
	for n := range cap(updates) {
		updates <- n
	}
	before := func(r *http.Request) {
		if !strings.Contains(r.URL.Path, "alerts_v2") {
			return
		}
		select {
		case n := <-updates:
			if n < 2 {
				return // the first request of either tenant
			}
			for i, t := range w.tenants {
				t.Update(ids[i][n])                  // at the beginning, oldest first
				t.Update(ids[i][len(ids[i])-1-n])    // and at the other end
				t.Update(ids[i][(n*97)%len(ids[i])]) // and anywhere
			}
		default:
		}
	}
	w.service.before.Store(&before)
	w.start(w.inputOf(w.tenants, "Alias pages"))
	check(w.T, w.service.until(w.patience(), func() bool { return len(updates) == 0 }))
	w.settle(nil, w.tenants...)
	w.stop()
	w.Log(w.once(w.tenants...))
}

// tagPerTenant: Fluent Bit routes customers by tags that are theirs alone.
func tagPerTenant(w *world) {
	w.customers("contoso", "fabrikam", "adatum")
	for _, t := range w.tenants {
		t.AddBurst(5, time.Hour)
	}
	input := w.inputOf(w.tenants, "Tenant_Tag defender.{tenant}.{feed}")
	w.start(input)
	w.settle(nil, w.tenants...)
	w.stop()
	for _, r := range w.sink.Records() {
		if want := "defender." + text(r, "tenant_name") + ".alerts"; r.Tag != want {
			w.Errorf("a record of %s has the tag %s", text(r, "tenant_name"), r.Tag)
		}
	}
	w.once(w.tenants...)

	before := len(w.sink.Records())
	w.options.Output = "Match defender.fabrikam.*"
	w.start(strings.Replace(input, "Tenant_Tag", "Alias again\nTenant_Tag", 1)) // with checkpoints of its own
	w.polled(2, w.tenants...)
	w.settle(nil, w.tenants[1])
	w.stop()
	routed := w.sink.Records()[before:]
	if n := w.audit(routed, w.tenants[1]); n.records != 5 {
		w.Errorf("%v came to the output of fabrikam", n)
	}
}

// options: Raw_Key, Min_Severity and Enabled.
func options(w *world) {
	w.customers("contoso", "fabrikam", "adatum")
	for _, t := range w.tenants {
		t.AddBurst(40, time.Hour)
	}
	contoso := w.tenants[0]
	w.start(w.inputOf(w.tenants, "Raw_Key raw", "fabrikam.Min_Severity high", "adatum.Enabled off"))
	w.settle(nil, contoso)
	w.polled(2, contoso, w.tenants[1])
	w.stop()
	n := map[string]int{}
	for _, r := range w.sink.Records() {
		name := text(r, "tenant_name")
		n[name]++
		if severity := text(r, "severity"); name == "fabrikam" && severity != "high" {
			w.Errorf("an alert of severity %s in spite of Min_Severity", severity)
		}
		tenant, _ := w.service.sim.Tenant(name)
		if raw := string(must[[]byte](w.T)(tenant.Alert(text(r, "id")))); text(r, "raw") != raw {
			w.Errorf("the raw alert is\n%s\nnot\n%s", text(r, "raw"), raw)
		}
	}
	if asked := w.service.sim.Counts("adatum").Requests; len(asked) > 0 || n["adatum"] > 0 {
		w.Errorf("adatum is off and was asked: %v", asked)
	}
	if n["contoso"] != 40 || n["fabrikam"] == 0 || n["fabrikam"] == 40 {
		w.Errorf("records by tenant: %v", n)
	}
	w.once(contoso, w.tenants[1])
}

// tenFaults: all that is wrong is said in one message, a line each.
func tenFaults(w *world) {
	w.customers("contoso", "fabrikam")
	contoso := w.tenants[0]
	w.start(w.input("Alias faulty",
		"Poll_Interval never",
		"Overlap 0",
		"Batch_Limit huge",
		"Min_Severity grave",
		"Feeds alrts",
		"Enabled perhaps",
		"Graph_Url ftp://graph.microsoft.com",
		"Tenants contoso, fabrikam, adatum",
		"contoso.Tenant_Id "+contoso.ID,
		"contoso.Client_Id "+contoso.Apps()[0].ClientID,
		"contoso.Client_Secret "+contoso.Apps()[0].ClientSecret,
		"fabrikam.Tenant_Id not a tenant",
		"fabrikam.Client_Id "+contoso.Apps()[0].ClientID,
		"fabrikam.Client_Secret_File /nowhere/at/all",
		"adatum.Tenant_Id adatum.com",
		"adatum.Client_Id "+contoso.Apps()[0].ClientID,
	))
	if err := w.process.Wait(w.patience()); err == nil {
		w.Error("the engine started all the same")
	}
	log := w.log()
	var message []string
	for i, line := range log {
		if !strings.Contains(line, "[error] [input:defender:") {
			continue
		}
		if message != nil {
			w.Errorf("a second message: %s", line)
		}
		message = []string{line}
		for _, more := range log[i+1:] {
			if !strings.HasPrefix(more, " ") {
				break
			}
			message = append(message, more)
		}
	}
	if len(message) != 10 {
		w.Errorf("%d lines, not 10", len(message))
	}
	w.Log(strings.Join(message, "\n"))
}

// twoInstances: two sections with customers and tags of their own keep apart,
// also over hot reloads while alerts flow.
func twoInstances(w *world) {
	w.customers("contoso", "fabrikam")
	for _, t := range w.tenants {
		t.AddBurst(200, time.Hour)
	}
	w.start(w.inputOf(w.tenants[:1], "Alias first", "Tag of.contoso"), w.inputOf(w.tenants[1:], "Alias second", "Tag of.fabrikam"))
	for range 3 {
		w.polled(1, w.tenants...)
		for _, t := range w.tenants {
			for range 50 {
				t.Update(t.Add().ID)
			}
			t.AddLate(time.Second)
		}
		w.reload()
	}
	w.polled(3, w.tenants...)
	w.settle(nil, w.tenants...)
	w.stop()
	for _, t := range w.tenants {
		w.audit(tagged(w.sink.Records(), "of."+t.Name), t)
	}
	w.Log(w.once(w.tenants...))
}

// sharedTenant: two sections with names of their own both get all of one tenant.
func sharedTenant(w *world) {
	w.customers("contoso")
	w.tenants[0].AddBurst(50, time.Hour)
	w.start(w.inputOf(w.tenants, "Alias first", "Tag one"), w.inputOf(w.tenants, "Alias second", "Tag two"))
	both := func() {
		for _, tag := range []string{"one", "two"} {
			w.settle(func(r flbhost.Record) bool { return r.Tag == tag }, w.tenants...)
		}
	}
	both()
	w.stop()
	w.tenants[0].Add()
	w.start()
	both()
	w.stop()
	for _, tag := range []string{"one", "two"} {
		if n := w.audit(tagged(w.sink.Records(), tag), w.tenants...); n.doubles > 0 || n.records != 51 {
			w.Errorf("%s: %v", tag, n)
		}
	}
}

// claimedTwice: two sections without names that would share a checkpoint are refused.
func claimedTwice(w *world) {
	w.customers("contoso")
	w.start(w.inputOf(w.tenants, "Tag one"), w.inputOf(w.tenants, "Tag two"))
	if err := w.process.Wait(w.patience()); err == nil {
		w.Error("the engine started all the same")
	}
	line := w.says("is already read by")
	for _, want := range []string{"[error] [input:defender:defender.1]", w.tenants[0].ID, "defender.0", "Alias"} {
		if !strings.Contains(line, want) {
			w.Errorf("the line does not say %q: %s", want, line)
		}
	}
}
