package ship

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tinylib/msgp/msgp"

	"fluent-bit-defender/auth"
	"fluent-bit-defender/config"
	"fluent-bit-defender/control"
	"fluent-bit-defender/fetch"
	"fluent-bit-defender/internal/secret"
)

// service is a Microsoft whose alerts change under test control. It is read by
// the rules of fetch.Client: whole slices, a watermark at the end of each.
type service struct {
	mu      sync.Mutex
	offset  time.Duration // of its clock from the host's
	tenants map[string]map[string]time.Time
	visible map[string]time.Time // when an id can first be seen, on its clock
	fail    map[string]error     // per tenant
	reads   map[string]int
	froms   []time.Time
}

func newService() *service {
	return &service{tenants: map[string]map[string]time.Time{}, visible: map[string]time.Time{}, fail: map[string]error{}, reads: map[string]int{}}
}

func (m *service) now() time.Time {
	return time.Now().Add(m.offset).UTC().Truncate(100 * time.Nanosecond)
}

// set adds an alert or a new version of it, stamped ago before now.
func (m *service) set(tenant, id string, ago time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tenants[tenant] == nil {
		m.tenants[tenant] = map[string]time.Time{}
	}
	m.tenants[tenant][id] = m.now().Add(-ago)
}

func (m *service) setFail(tenant string, err error) {
	m.mu.Lock()
	m.fail[tenant] = err
	m.mu.Unlock()
}

func (m *service) polls(tenants ...string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for tenant, reads := range m.reads {
		if len(tenants) == 0 || slices.Contains(tenants, tenant) {
			n += reads
		}
	}
	return n
}

func (m *service) setClock(offset time.Duration) {
	m.mu.Lock()
	m.offset = offset
	m.mu.Unlock()
}

// Read answers one window in pages of 3 rows (reader). The tenant is known by its GraphURL.
func (m *service) Read(ctx context.Context, w fetch.Window, _ fetch.Tokens, emit func(fetch.Page) error) (fetch.Result, error) {
	tenant := strings.TrimPrefix(w.BaseURL, "https://")
	m.mu.Lock()
	m.reads[tenant]++
	m.froms = append(m.froms, w.From)
	err, now := m.fail[tenant], m.now()
	var rows []fetch.Alert
	for id, version := range m.tenants[tenant] {
		if version.Before(w.From) || now.Before(m.visible[id]) {
			continue
		}
		raw := fmt.Sprintf(`{"id":%q,"lastUpdateDateTime":%q,"title":"alert %[1]s of %s"}`, id, version.Format(time.RFC3339Nano), tenant)
		rows = append(rows, fetch.Alert{ID: id, Version: version, Raw: []byte(raw)})
	}
	m.mu.Unlock()
	if err != nil {
		return fetch.Result{}, err
	}
	slices.SortFunc(rows, func(a, b fetch.Alert) int { return a.Version.Compare(b.Version) })
	for pages := slices.Collect(slices.Chunk(rows, 3)); len(pages) > 1; pages = pages[1:] {
		page := fetch.Page{Alerts: pages[0], Date: now.Truncate(time.Second), DateKnown: true, Backfill: true, Through: pages[1][0].Version}
		if err := emit(page); err != nil {
			return fetch.Result{}, err
		}
		rows = rows[3:]
	}
	return fetch.Result{Complete: true}, emit(fetch.Page{Alerts: rows, Date: now.Truncate(time.Second), DateKnown: true, Through: now.Truncate(time.Second)})
}

// engine is a Fluent Bit around one instance after another.
type engine struct {
	t       testing.TB
	hub     *Hub
	service *service
	cfg     *config.Config
	inst    *Instance
	lines   *Lines
	log     []string

	answer  func(tag string, batch []byte) bool // nil: always true
	delayed bool
	ring    []map[string]any // delayed: taken, but not yet safe
	got     []map[string]any
	tags    map[string]int
}

func tenant(name string) config.Tenant {
	return config.Tenant{
		Name: name, Slug: name, ID: name + ".example", Cloud: "login.example", LoginURL: "https://login.example", GraphURL: "https://" + name,
		ClientID: "app", RefreshToken: secret.New("seed"), Feeds: []string{"alerts"}, Enabled: true,
		PollInterval: time.Minute, Lookback: 24 * time.Hour, Overlap: 15 * time.Minute,
	}
}

func newEngine(t testing.TB, tenants ...string) *engine {
	cfg := &config.Config{
		BatchLimit: 2000, BufferLimit: 1 << 20, RecordLimit: 1 << 20, CommitDelay: 10 * time.Second,
		StatePath: t.TempDir() + "/state", TenantTag: "defender.{tenant}.{feed}",
	}
	for _, name := range tenants {
		cfg.Tenants = append(cfg.Tenants, tenant(name))
	}
	return &engine{t: t, hub: NewHub(), service: newService(), cfg: cfg, lines: NewLines(1000, 4000), tags: map[string]int{}}
}

func (e *engine) start() {
	e.t.Helper()
	inst, err := e.hub.start(e.cfg, Options{Name: "test", Log: slog.New(e.lines), Seed: 1}, e.service)
	if err != nil {
		e.t.Fatal(err)
	}
	e.inst = inst
}

// kill ends the instance as SIGKILL would: what is not durable is gone.
func (e *engine) kill() {
	e.inst.commits.mu.Lock()
	e.inst.commits.queue = nil
	e.inst.commits.mu.Unlock()
	e.inst.Stop()
	e.ring = nil
}

// run lets seconds pass, with one callback in each.
func (e *engine) run(seconds int) {
	for range seconds {
		time.Sleep(time.Second)
		synctest.Wait()
		evidence := Direct
		if e.delayed {
			evidence = Delayed
		}
		// What the ring held has been drained meanwhile.
		e.got = append(e.got, e.ring...)
		e.ring = nil
		e.inst.Collect(evidence, func(tag string, batch []byte) bool {
			if e.answer != nil && !e.answer(tag, batch) {
				return false
			}
			e.tags[tag]++
			events := decode(e.t, batch)
			if e.delayed {
				e.ring = append(e.ring, events...)
			} else {
				e.got = append(e.got, events...)
			}
			return true
		})
		e.lines.Drain(func(level slog.Level, line string) { e.log = append(e.log, level.String()+" "+line) })
	}
}

// decode reads the records of a batch.
func decode(t testing.TB, batch []byte) (records []map[string]any) {
	t.Helper()
	for len(batch) > 0 {
		var event any
		var err error
		if event, batch, err = msgp.ReadIntfBytes(batch); err != nil {
			t.Fatalf("a batch holds no MessagePack: %v", err)
		}
		records = append(records, event.([]any)[1].(map[string]any))
	}
	return records
}

// check compares what came with what the service owes: the newest version of
// each alert, and nothing twice unless allowed.
func (e *engine) check(mayRepeat bool) {
	e.t.Helper()
	came := map[string]int{}
	for _, r := range e.got {
		came[fmt.Sprint(r["tenant_name"], " ", r["id"], " ", r["lastUpdateDateTime"])]++
	}
	for tenant, alerts := range e.service.tenants {
		for id, version := range alerts {
			key := fmt.Sprint(tenant, " ", id, " ", version.Format(time.RFC3339Nano))
			if came[key] == 0 {
				e.t.Errorf("missing: %s", key)
			}
		}
	}
	for key, n := range came {
		if n > 1 && !mayRepeat {
			e.t.Errorf("%d times: %s", n, key)
		}
	}
}

func (e *engine) logged(part string) (n int) {
	for _, line := range e.log {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func TestAlertsFlowAndAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso", "fabrikam")
		for n := range 10 {
			e.service.set("contoso", fmt.Sprint("a", n), time.Duration(n)*time.Hour)
			e.service.set("fabrikam", fmt.Sprint("b", n), time.Minute)
		}
		e.start()
		e.run(70)
		e.check(false)
		if len(e.got) != 20 || e.tags["defender.contoso.alerts"] == 0 || e.tags["defender.fabrikam.alerts"] == 0 || len(e.tags) != 2 {
			t.Errorf("%d records under %v, want 20 under a tag each", len(e.got), e.tags)
		}

		e.service.set("contoso", "a3", 0)               // updated
		e.service.set("contoso", "late", 4*time.Minute) // late
		e.run(70)
		e.inst.Stop()
		e.service.set("fabrikam", "while stopped", 0)
		e.start()
		e.run(70)
		e.check(false)
		if len(e.got) != 23 {
			t.Errorf("%d records, want 23", len(e.got))
		}
		e.inst.Stop()
	})
}

// TestNothingIsLost lets Fluent Bit refuse, pause, be killed and be restarted
// at random while alerts arrive, change and come late.
func TestNothingIsLost(t *testing.T) {
	for _, mode := range []struct {
		name           string
		delayed, kills bool
	}{{"direct", false, false}, {"direct, kills", false, true}, {"delayed, kills", true, true}} {
		t.Run(mode.name, func(t *testing.T) {
			for seed := range uint64(8) {
				synctest.Test(t, func(t *testing.T) { campaign(t, seed, mode.delayed, mode.kills) })
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func campaign(t *testing.T, seed uint64, delayed, kills bool) {
	rng := rand.New(rand.NewPCG(seed, 1))
	e := newEngine(t, "contoso", "fabrikam", "adatum")
	e.delayed = delayed
	for n := range e.cfg.Tenants {
		e.cfg.Tenants[n].SweepInterval, e.cfg.Tenants[n].SweepWindow = 10*time.Minute, 30*time.Hour
	}
	refusing := false
	e.answer = func(string, []byte) bool { return !refusing && rng.IntN(4) > 0 }
	e.start()
	for range 60 {
		tenant := []string{"contoso", "fabrikam", "adatum"}[rng.IntN(3)]
		for range rng.IntN(8) {
			e.service.set(tenant, fmt.Sprint(tenant, rng.IntN(60)), time.Duration(rng.IntN(240))*time.Second)
		}
		if rng.IntN(6) == 0 { // far later than the overlap
			e.service.set(tenant, fmt.Sprint(tenant, "late", rng.IntN(60)), time.Duration(20+rng.IntN(180))*time.Minute)
		}
		refusing = rng.IntN(5) == 0
		if rng.IntN(6) == 0 {
			e.inst.Pause()
			e.run(rng.IntN(20))
			e.inst.Resume()
		}
		e.run(1 + rng.IntN(90))
		switch n := rng.IntN(10); {
		case n == 0 && !delayed:
			e.inst.Stop()
			e.start()
		case n < 3 && kills:
			e.kill()
			e.start()
		}
	}
	refusing, e.answer = false, nil
	e.run(900)
	e.check(kills)
	e.balanced(kills)
	if e.logged("internal error")+e.logged("please report") > 0 {
		t.Error(e.log)
	}
	e.inst.Stop()
}

// balanced holds the ledgers against themselves and against what came.
func (e *engine) balanced(mayRepeat bool) {
	e.t.Helper()
	var appended uint64
	for _, s := range e.inst.streams {
		l, err := e.inst.store.Ledger(s.key)
		if err != nil || !l.Balanced() {
			e.t.Errorf("%s: %+v does not balance (%v)", s.key, l, err)
		}
		appended += l.Appended
	}
	if came := uint64(len(e.got)); came != appended && !mayRepeat || came < appended {
		e.t.Errorf("%d records came, the ledgers say %d", came, appended)
	}
}

func TestADeadTokenStopsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso", "fabrikam")
		e.service.setFail("contoso", &fetch.Error{Kind: fetch.Token, Err: &auth.Diagnosis{
			Tenant: "contoso", Code: 700082, Summary: "the refresh token expired", Action: "sign in again", Who: auth.SignedIn, Retry: auth.Never}})
		e.service.set("contoso", "a", time.Minute)
		e.service.set("fabrikam", "b", time.Minute)
		e.start()
		e.run(3 * 3600)
		if len(e.got) != 1 {
			t.Errorf("%d records, want fabrikam's", len(e.got))
		}
		if n := e.logged("sign in again"); n < 3 || n > 5 {
			t.Errorf("%d lines in three hours about the dead token, want about one an hour: %q", n, e.log)
		}
		if n := e.logged("test] contoso/alerts: "); n == 0 {
			t.Errorf("the line does not name the tenant: %q", e.log)
		}

		// The operator repairs it: it is polled at once.
		repaired := *e.cfg
		repaired.Tenants = slices.Clone(e.cfg.Tenants)
		repaired.Tenants[0].RefreshToken = secret.New("new seed")
		e.service.setFail("contoso", nil)
		e.inst.apply(&repaired)
		e.run(3)
		e.check(false)
		if e.logged("is read again") != 1 {
			t.Errorf("no line says that it works again: %q", e.log)
		}
		e.inst.Stop()
	})
}

func TestTransientTroubleIsQuietAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.service.setFail("contoso", &fetch.Error{Kind: fetch.Server, Status: 503})
		e.service.set("contoso", "a", time.Minute)
		e.start()
		e.run(60)
		if e.logged("contoso/alerts") != 0 {
			t.Errorf("a minute of 503 is not worth a line: %q", e.log)
		}
		e.run(600)
		if e.logged("WARN [input:defender:test] contoso/alerts: ") != 1 {
			t.Errorf("want one line about ten minutes of 503: %q", e.log)
		}
		e.service.setFail("contoso", nil)
		e.run(400)
		e.check(false)
		e.inst.Stop()
	})
}

func TestThrottlingIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.service.setFail("contoso", &fetch.Error{Kind: fetch.Throttled, Status: 429, RetryAfter: 10 * time.Minute})
		e.start()
		e.run(9 * 60)
		if n := e.service.polls("contoso"); n != 1 {
			t.Errorf("%d requests while told to wait 10 minutes, want 1", n)
		}
		e.run(3 * 60)
		if n := e.service.polls("contoso"); n != 2 {
			t.Errorf("%d requests after 12 minutes, want 2", n)
		}
		e.inst.Stop()
	})
}

// TestAWrongHostClockLosesNothing has the host days ahead, then days behind.
func TestAWrongHostClockLosesNothing(t *testing.T) {
	for _, offset := range []time.Duration{-72 * time.Hour, 72 * time.Hour, 0} {
		t.Run(offset.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEngine(t, "contoso")
				e.service.setClock(offset)
				e.service.set("contoso", "old", 23*time.Hour)
				e.service.set("contoso", "new", time.Second)
				e.start()
				e.run(5)
				e.check(false)
				e.service.set("contoso", "later", 0)
				e.run(120)
				e.inst.Stop()
				e.service.setClock(0) // the host's clock was set right meanwhile
				if offset <= 0 {
					e.service.set("contoso", "newest", 0)
				}
				e.start()
				e.run(120)
				e.check(false)
				e.inst.Stop()
			})
		})
	}
}

// TestOneWrongDateMovesNoWatermark has one of Microsoft's servers live in the
// future for one answer.
func TestOneWrongDateMovesNoWatermark(t *testing.T) {
	for _, ahead := range []time.Duration{20 * time.Minute, 45 * time.Minute, 365 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) { oneWrongDate(t, ahead) })
	}
}

func oneWrongDate(t *testing.T, ahead time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.service.set("contoso", "a", time.Minute)
		e.start()
		e.run(100)
		polls := e.service.polls()
		e.service.setClock(ahead)
		for e.service.polls() == polls {
			e.run(1)
		}
		e.service.setClock(0)
		e.service.set("contoso", "b", 0)
		e.run(100)
		e.check(false)
		e.inst.Stop()
	})
}

func TestPollsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []string
		for n := range 300 {
			all = append(all, fmt.Sprint("t", n))
		}
		e := newEngine(t, all...)
		e.start()
		e.run(120) // the first round is quicker
		last := e.service.polls()
		for second := range 60 {
			e.run(1)
			now := e.service.polls()
			if polls := now - last; polls < 3 || polls > 7 {
				t.Errorf("%d polls in second %d, want about 5", polls, second)
			}
			last = now
		}
		e.inst.Stop()
	})
}

func TestTwoUnnamedInstancesMayNotShareATenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		first, err := e.hub.start(e.cfg, Options{Name: "defender.0"}, e.service)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.hub.start(e.cfg, Options{Name: "defender.1"}, e.service)
		if err == nil || !strings.Contains(err.Error(), "contoso.example") || !strings.Contains(err.Error(), "defender.0") || !strings.Contains(err.Error(), "Alias") {
			t.Errorf("the second instance got %v, want an error that names tenant, holder and remedy", err)
		}
		named, err := e.hub.start(e.cfg, Options{Name: "soc"}, e.service)
		if err != nil {
			t.Errorf("an instance with an alias is refused: %v", err)
		}
		first.Stop()
		named.Stop()
		if again, err := e.hub.start(e.cfg, Options{Name: "defender.1"}, e.service); err != nil {
			t.Errorf("after the first stopped: %v", err)
		} else {
			again.Stop()
		}
	})
}

func TestRemovedTenantsComeBackWithoutRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso", "fabrikam")
		e.service.set("contoso", "a", time.Minute)
		e.start()
		e.run(5)
		without := *e.cfg
		without.Tenants = e.cfg.Tenants[1:]
		e.inst.apply(&without)
		e.run(100)
		reads := e.service.polls("contoso")
		e.service.set("contoso", "b", 0)
		e.run(100)
		if e.service.polls("contoso") != reads {
			t.Error("a removed tenant is still polled")
		}
		e.inst.apply(e.cfg)
		e.run(70)
		e.check(false)
		e.inst.Stop()
	})
}

func TestAPanicInOnePollIsOneTenantsTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso", "fabrikam")
		e.service.set("fabrikam", "b", time.Minute)
		inst, err := e.hub.start(e.cfg, Options{Name: "test", Log: slog.New(e.lines)}, panicking{e.service})
		if err != nil {
			t.Fatal(err)
		}
		e.inst = inst
		e.run(10)
		e.check(false)
		if e.logged("internal error") != 1 {
			t.Errorf("log: %q", e.log)
		}
		inst.Stop()
	})
}

func TestALoopGoesOnAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := NewLines(10, 4000)
		i := &Instance{slog: slog.New(lines)}
		runs := 0
		i.keep(t.Context(), func(context.Context) {
			if runs++; runs < 3 {
				panic("bad luck")
			}
		})
		if got := fmt.Sprint(drained(lines)); runs != 3 || strings.Count(got, "bad luck") != 2 {
			t.Errorf("%d runs, want 3; log: %s", runs, got)
		}
	})
}

type panicking struct{ *service }

func (p panicking) Read(ctx context.Context, w fetch.Window, t fetch.Tokens, emit func(fetch.Page) error) (fetch.Result, error) {
	if w.BaseURL == "https://contoso" {
		var nothing *fetch.Window
		return fetch.Result{Requests: nothing.From.Second()}, nil
	}
	return p.service.Read(ctx, w, t, emit)
}

func TestUnreadableAlertsAreDeliveredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		odd := oddReader{json.RawMessage(`{"id":"x","title":"no time"}`), json.RawMessage(`{"lastUpdateDateTime":"2026-01-01T00:00:00Z"}`), json.RawMessage(`17`)}
		inst, err := e.hub.start(e.cfg, Options{Name: "test", Log: slog.New(e.lines)}, odd)
		if err != nil {
			t.Fatal(err)
		}
		e.inst = inst
		e.run(2 * 3600)
		if len(e.got) != 3 {
			t.Errorf("%d records in two hours, want 3", len(e.got))
		}
		inst.Stop()
		if e.inst, err = e.hub.start(e.cfg, Options{Name: "test", Log: slog.New(e.lines)}, odd); err != nil {
			t.Fatal(err)
		}
		e.run(200)
		if len(e.got) != 3 {
			t.Errorf("%d records after a restart, want 3", len(e.got))
		}
		e.inst.Stop()
	})
}

// oddReader answers every window with the same rows, which lack id or time.
type oddReader []json.RawMessage

func (o oddReader) Read(_ context.Context, w fetch.Window, _ fetch.Tokens, emit func(fetch.Page) error) (fetch.Result, error) {
	now := time.Now().UTC().Truncate(time.Second)
	page := fetch.Page{Date: now, DateKnown: true, Through: now}
	for _, raw := range o {
		page.Alerts = append(page.Alerts, fetch.Alert{Raw: raw})
	}
	page.Alerts[0].ID = "x"
	page.Alerts[1].Version = now.Add(-10 * 24 * time.Hour)
	return fetch.Result{Complete: true}, emit(page)
}

func TestABatchNeverExceedsItsLimitButForOneRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		for n := range 50 {
			e.service.set("contoso", fmt.Sprint(strings.Repeat("x", n*60), n), time.Duration(n)*time.Minute)
		}
		e.answer = func(_ string, batch []byte) bool {
			if n := len(decode(t, batch)); n > 1 && int64(len(batch)) > e.cfg.BatchLimit {
				t.Errorf("a batch of %d records has %d bytes, the limit is %d", n, len(batch), e.cfg.BatchLimit)
			}
			return true
		}
		e.start()
		e.run(90)
		e.check(false)
		e.inst.Stop()
	})
}

func TestCollectStopsAtARefusingEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []string
		for n := range 100 {
			all = append(all, fmt.Sprint("t", n))
		}
		e := newEngine(t, all...)
		for _, name := range all {
			e.service.set(name, name, time.Minute)
		}
		tries := 0
		e.answer = func(string, []byte) bool { tries++; return false }
		e.start()
		e.run(30)
		if tries > 30*(refusalsARound+1) {
			t.Errorf("%d appends in 30 callbacks of an engine that takes nothing", tries)
		}
		e.answer = nil
		e.run(60)
		e.check(false)
		e.inst.Stop()
	})
}

func TestTheSweepFindsWhatCameLaterThanTheOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.cfg.Tenants[0].SweepInterval, e.cfg.Tenants[0].SweepWindow = 6*time.Hour, 48*time.Hour
		e.service.set("contoso", "first", 10*time.Hour)
		e.start()
		e.run(30 * 60)
		e.service.set("contoso", "late", 20*time.Minute) // the overlap is 15 minutes
		e.run(7 * 3600)
		e.check(false)
		if n := e.logged("became visible later than Overlap"); n != 1 {
			t.Errorf("%d lines about one late alert, want one: %q", n, e.log)
		}
		e.inst.Stop()
		e.start()
		e.service.set("contoso", "later", 40*time.Hour) // before Lookback began: not known whether it came
		e.run(13 * 3600)
		if len(e.got) != 2 {
			t.Errorf("%d records, want 2", len(e.got))
		}
		e.balanced(false)
		if l, err := e.inst.store.Ledger(e.stream("contoso").key); err != nil || l.Late != 1 {
			t.Errorf("the ledger counts %d late alerts (%v), want 1", l.Late, err)
		}
		e.inst.Stop()
	})
}

func (e *engine) stream(tenant string) *stream {
	s, err := e.inst.find(control.Stream{Tenant: tenant, Feed: "alerts"})
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

func TestAuditAndRedeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.cfg.Tenants[0].AuditWindow = 24 * time.Hour
		for n := range 30 {
			e.service.set("contoso", fmt.Sprint("a", n), time.Duration(n)*time.Hour/2)
		}
		e.start()
		e.run(100)
		audit := func(shown, delivered int) *control.Audit {
			t.Helper()
			a, err := e.inst.Audit(t.Context(), control.AuditRequest{Stream: control.Stream{Tenant: "CONTOSO", Feed: "alerts"}, Since: 20 * time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if a.Shown != shown || a.Delivered != delivered || len(a.Alerts) != shown {
				t.Errorf("Microsoft shows %d, delivered %d, want %d and %d", a.Shown, a.Delivered, shown, delivered)
			}
			return a
		}
		audit(30, 30)
		e.service.set("contoso", "hidden", 2*time.Hour) // polls look 15 minutes back, and nothing sweeps
		a := audit(31, 30)
		var wanted []control.Alert
		for _, alert := range a.Alerts {
			if !alert.Delivered || alert.ID == "a7" || alert.ID == "a29" || alert.ID == "a0" {
				wanted = append(wanted, alert)
			}
		}
		if len(wanted) != 4 {
			t.Fatalf("%d alerts to ask for again, want 4", len(wanted))
		}
		if err := e.inst.Redeliver(t.Context(), control.RedeliverRequest{Stream: a.Stream, Alerts: wanted}); err != nil {
			t.Fatal(err)
		}
		e.kill() // the wish is durable
		e.start()
		e.run(100)
		audit(31, 31)
		if len(e.got) != 34 {
			t.Errorf("%d records, want 30 and 4", len(e.got))
		}
		ids := map[string]int{}
		for _, r := range e.got {
			ids[r["record_id"].(string)]++
		}
		for _, alert := range wanted {
			if want := map[bool]int{true: 2, false: 1}[alert.Delivered]; ids[alert.RecordID] != want {
				t.Errorf("%s did not come again under its record_id", alert.ID)
			}
		}
		e.balanced(false)
		if again, err := e.inst.store.Redeliveries(e.stream("contoso").key); err != nil || len(again) != 0 {
			t.Errorf("still asked for: %d (%v)", len(again), err)
		}
		e.inst.Stop()
	})
}

// TestAPanicInAPageLosesNothing: what was taken of a page and not yet queued is
// taken again by the next poll.
func TestAPanicInAPageLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.start()
		e.run(5)
		s := e.stream("contoso")
		err := guard(func() error {
			p := &poll{Instance: e.inst, stream: s, settings: s.settings.Load(), ctx: t.Context()}
			defer p.forgetUnsealed()
			now := time.Now().UTC()
			p.take(fetch.Alert{ID: "a", Version: now, Raw: []byte(`{"id":"a"}`)}, now)
			panic("in the second row")
		})
		if err == nil || len(s.seen) != 0 || s.sums.fresh != 0 || s.sums.read != 0 {
			t.Errorf("%d are remembered as delivered, sums %d and %d (%v)", len(s.seen), s.sums.fresh, s.sums.read, err)
		}
		e.inst.Stop()
	})
}

// TestAnImpossibleTimeStopsNobody: the state keeps years 1 to 9999, and a commit
// that it refuses would hold up every tenant.
func TestAnImpossibleTimeStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso", "fabrikam")
		e.service.set("contoso", "far", 0)
		e.service.tenants["contoso"]["far"] = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
		e.service.set("fabrikam", "b", time.Minute)
		e.start()
		e.run(100)
		if len(e.got) != 2 || e.inst.commits.failing.Load() {
			t.Errorf("%d records, want 2; log: %q", len(e.got), e.log)
		}
		e.inst.Stop()
	})
}

// TestAPauseOfAnotherInputIsNotOurs: Fluent Bit tells all instances of a pause and
// does not say whose it is.
func TestAPauseOfAnotherInputIsNotOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		e.service.set("contoso", "a", time.Minute)
		e.start()
		e.inst.Pause()
		e.run(70)
		e.check(false)
		e.inst.Stop()
		if e.inst.Collect(Direct, func(string, []byte) bool { t.Error("handed over after Stop"); return true }); len(e.got) != 1 {
			t.Errorf("%d records, want 1", len(e.got))
		}
	})
}

// TestARemovedTenantIsNotReadToItsEnd removes a tenant in the middle of a reading
// without end.
func TestARemovedTenantIsNotReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, "contoso")
		ended := make(chan struct{})
		var err error
		if e.inst, err = e.hub.start(e.cfg, Options{Name: "test"}, endless{ended}); err != nil {
			t.Fatal(err)
		}
		e.run(5)
		without := *e.cfg
		without.Tenants = nil
		e.inst.apply(&without)
		<-ended // else synctest finds everybody waiting for ever
		e.inst.Stop()
	})
}

type endless struct{ ended chan struct{} }

func (r endless) Read(ctx context.Context, _ fetch.Window, _ fetch.Tokens, _ func(fetch.Page) error) (fetch.Result, error) {
	<-ctx.Done()
	close(r.ended)
	return fetch.Result{}, ctx.Err()
}
