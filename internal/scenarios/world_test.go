package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/secret/secrettest"
	"fluent-bit-defender/internal/simulator"
)

// buildFolder keeps compiled programs between runs.
const buildFolder = "../../build/flbhost"

// What runs is built once.
var (
	pluginPath = sync.OnceValues(func() (string, error) {
		return flbhost.BuildPlugin(context.Background(), ".", filepath.Join(buildFolder, "scenarios"))
	})
	hostPath = sync.OnceValues(func() (string, error) {
		return flbhost.CompileHost(context.Background(), buildFolder, false)
	})
	oldHostPath = sync.OnceValues(func() (string, error) {
		return flbhost.CompileHost(context.Background(), buildFolder, true)
	})
)

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is what one scenario plays in: Microsoft, an engine, and a sink.
type world struct {
	*testing.T
	engine  flbhost.Engine
	service *service
	tenants []*simulator.Tenant
	sink    *flbhost.Sink
	options flbhost.Options
	process *flbhost.Process   // the last one started
	started []*flbhost.Process // all of them
}

func newWorld(t *testing.T, e flbhost.Engine, o simulator.Options) *world {
	w := &world{T: t, engine: e, service: newService(t, o), sink: must[*flbhost.Sink](t)(flbhost.NewSink())}
	t.Cleanup(func() { w.sink.Close() })
	w.options = flbhost.Options{Plugin: must[string](t)(pluginPath()), Dir: t.TempDir(), Sink: w.sink}
	t.Cleanup(w.showTrouble)
	return w
}

// host is the stand-in with a clock that is sped up.
func host(t *testing.T) flbhost.Host {
	return flbhost.Host{Path: must[string](t)(hostPath()), Interval: 50 * time.Millisecond, Drain: 20 * time.Millisecond}
}

// patience is how long a scenario waits for anything; it is not slept.
func (w *world) patience() context.Context {
	limit := 2 * time.Minute
	if long {
		limit = 20 * time.Minute
	}
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	w.Cleanup(cancel)
	return ctx
}

// tenant adds a customer to Microsoft's side.
func (w *world) tenant(o simulator.TenantOptions) *simulator.Tenant {
	w.Helper()
	t := must[*simulator.Tenant](w.T)(w.service.sim.AddTenant(o))
	w.tenants = append(w.tenants, t)
	return t
}

// customers adds tenants by name.
func (w *world) customers(names ...string) []*simulator.Tenant {
	w.Helper()
	for _, name := range names {
		w.tenant(simulator.TenantOptions{Name: name})
	}
	return w.tenants
}

// input is an [INPUT] with what every scenario needs and it does not say itself.
func (w *world) input(lines ...string) string {
	said := map[string]bool{}
	for _, line := range lines {
		said[strings.Fields(line)[0]] = true
	}
	for _, line := range []string{
		"Name defender",
		"Threaded off",
		"Storage.Type filesystem",
		"Login_Url " + w.service.url,
		"Graph_Url " + w.service.url,
		"State_Path " + filepath.Join(w.options.Dir, "state"),
		"Poll_Interval 1s",
	} {
		if !said[strings.Fields(line)[0]] {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// inputOf is an [INPUT] of tenants, each with its own app.
func (w *world) inputOf(tenants []*simulator.Tenant, lines ...string) string {
	var names []string
	for _, t := range tenants {
		app := t.Apps()[0]
		names = append(names, t.Name)
		lines = append(lines, t.Name+".Tenant_Id "+t.ID, t.Name+".Client_Id "+app.ClientID,
			t.Name+".Client_Secret "+app.ClientSecret, t.Name+".Refresh_Token "+app.RefreshToken)
	}
	return w.input(append(lines, "Tenants "+strings.Join(names, ","))...)
}

// start starts the engine; state and storage are those of the run before.
func (w *world) start(inputs ...string) {
	w.Helper()
	if len(inputs) > 0 {
		w.options.Inputs = inputs
	}
	w.process = must[*flbhost.Process](w.T)(flbhost.Start(w.Context(), w.engine, w.options))
	w.started = append(w.started, w.process)
	w.Cleanup(w.process.Kill)
}

// stop ends the engine as an operator would (SIGTERM).
func (w *world) stop() {
	w.Helper()
	check(w.T, w.process.Stop(w.patience()))
}

// kill ends it as a crash would (SIGKILL).
func (w *world) kill() { w.process.Kill() }

func (w *world) reload() {
	w.Helper()
	check(w.T, w.process.Reload(w.patience()))
}

// says waits for a line of the running engine.
func (w *world) says(text string) string {
	w.Helper()
	return must[string](w.T)(w.process.WaitLog(w.patience(), text))
}

func (w *world) command(text string) {
	w.Helper()
	check(w.T, w.process.Command(w.patience(), text))
}

// log is what all engines of this scenario have said so far.
func (w *world) log() (all []string) {
	for _, p := range w.started {
		all = append(all, p.Log()...)
	}
	return all
}

// lines are those of the log that contain all of texts.
func (w *world) lines(texts ...string) (found []string) {
	for _, line := range w.log() {
		hit := true
		for _, text := range texts {
			hit = hit && strings.Contains(line, text)
		}
		if hit {
			found = append(found, line)
		}
	}
	return found
}

// arrives waits until n records are here in all.
func (w *world) arrives(n int) {
	w.Helper()
	check(w.T, w.sink.Wait(w.process.While(w.patience()), func(records []flbhost.Record) bool { return len(records) >= n }))
}

// showTrouble prints the log of a scenario that failed, and fails one whose
// engine wrote a secret anywhere or tells of a fault in the plugin.
func (w *world) showTrouble() {
	log := strings.Join(w.log(), "\n")
	if strings.Contains(log, "please report it") {
		w.Error("the log tells of a fault in the plugin")
	}
	var hunt secrettest.Hunt
	hunt.Add("the documented refresh token", "AwABAAAAvPM1KaPlrEqdFSBzjqfTGAMxZGUTdM0t4B4...")
	for value, what := range w.service.sim.Secrets() {
		hunt.Add(what, value)
	}
	for name, content := range w.written() {
		if found := hunt.In(content); len(found) > 0 {
			w.Errorf("%s shows %v", name, found)
		}
	}
	if w.Failed() {
		w.Logf("the log:\n%s", log)
	}
}

// written is what engines left behind, by name: log, state and storage. The
// configuration is what the scenario wrote itself.
func (w *world) written() map[string][]byte {
	all := map[string][]byte{"the log": []byte(strings.Join(w.log(), "\n"))}
	for _, folder := range []string{"state", "storage"} {
		err := filepath.WalkDir(filepath.Join(w.options.Dir, folder), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
				return nil
			}
			if err == nil {
				all[path], err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			w.Error(err)
		}
	}
	return all
}

// service is the simulator behind a listener that tells of every request.
type service struct {
	sim    *simulator.Simulator
	url    string
	before atomic.Pointer[func(*http.Request)] // called before each is answered

	mu      sync.Mutex
	begun   map[string]int // requests by path and decoded query
	changed chan struct{}  // closed and replaced when a request begins or ends
}

func newService(t *testing.T, o simulator.Options) *service {
	s := &service{sim: simulator.New(o), begun: map[string]int{}, changed: make(chan struct{})}
	server := httptest.NewServer(s)
	s.url = server.URL
	t.Cleanup(func() {
		s.sim.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// ServeHTTP passes a request on.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil {
		query = r.URL.RawQuery
	}
	s.note(r.URL.Path + "?" + query)
	defer s.note("")
	if before := s.before.Load(); before != nil {
		(*before)(r)
	}
	s.sim.ServeHTTP(w, r)
}

func (s *service) note(request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if request != "" {
		s.begun[request]++
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// requests counts those that have begun, by a part of path?query.
func (s *service) requests(part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for request, count := range s.begun {
		if strings.Contains(request, part) {
			n += count
		}
	}
	return n
}

// until waits until enough says so, asking at each request's beginning and end.
func (s *service) until(ctx context.Context, enough func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if enough() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for requests: %w", context.Cause(ctx))
		}
	}
}

// polled waits until each tenant was asked for alerts n times more.
func (w *world) polled(n int, tenants ...*simulator.Tenant) {
	w.Helper()
	for _, t := range tenants {
		asked := func() int { return w.service.sim.Counts(t.Name).Requests[simulator.Alerts] }
		before := asked()
		check(w.T, w.service.until(w.process.While(w.patience()), func() bool { return asked() >= before+n }))
	}
}

// sample is the path of a documented answer of Microsoft's.
func sample(t *testing.T, room, name string) string {
	path := must[string](t)(filepath.Abs(filepath.Join("../..", room, "testdata", name)))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}
