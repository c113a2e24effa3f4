package ship

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-defender/config"
	"fluent-bit-defender/fetch"
)

// stopWithin bounds Stop: Fluent Bit waits for it.
const stopWithin = 1500 * time.Millisecond

// Options are an instance's surroundings.
type Options struct {
	Name    string           // what Fluent Bit calls it: its alias, or "defender.0"
	Log     *slog.Logger     // nil: nothing is logged
	Version string           // of this program, for the log and the User-Agent
	Now     func() time.Time // nil: time.Now
	Seed    uint64           // shifts the tenants' places in the interval; any value will do
}

// Instance is one [INPUT] section at work.
type Instance struct {
	name   string
	hub    *Hub
	store  *sharedStore
	wire   *wire
	reader reader
	slog   *slog.Logger
	now    func() time.Time
	clock  *clock

	buffer  *buffer
	commits *committer
	pauses  *pauses

	started   time.Time
	seed      float64
	polls     slots
	backfills slots
	wake      chan struct{}

	stopped atomic.Bool // nothing more is handed over

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex // guards what follows, and the schedule fields of streams
	config  *config.Config
	streams map[streamID]*stream
	tenants map[tenantID]*int64 // bytes that wait
	added   int                 // streams ever added
	warned  []config.Fault      // what the configuration in use was warned of
	queue   streamQueue
}

type tenantID struct{ cloud, id string }

type streamID struct {
	tenantID
	feed string
}

// unnamed matches the names that Fluent Bit gives to instances without an
// alias. They depend on the order of sections, so no checkpoint is kept under them.
var unnamed = regexp.MustCompile(`^defender\.\d+$`)

// Start opens the state and begins to poll. Errors name the instance's fault and
// what to do; nothing is left running then.
func (h *Hub) Start(cfg *config.Config, o Options) (*Instance, error) {
	i, err := h.start(cfg, o, nil)
	if err == nil {
		h.listen(i)
	}
	return i, err
}

// Examine is Start for a look: nothing is polled and nothing delivered, but Audit
// and Redeliver work. Stop it.
func (h *Hub) Examine(cfg *config.Config, o Options) (*Instance, error) {
	return h.prepare(cfg, o, nil)
}

func (h *Hub) start(cfg *config.Config, o Options, r reader) (*Instance, error) {
	i, err := h.prepare(cfg, o, r)
	if err != nil {
		return nil, err
	}
	i.slog.Info(fmt.Sprintf("fluent-bit-defender %s: %d tenants, %d feeds in all, state in %s", o.Version, len(cfg.Tenants), len(i.streams), cfg.StatePath))
	for _, loop := range []func(context.Context){i.schedule, i.commits.run, i.watch} {
		i.work.Go(func() { i.keep(i.ctx, loop) })
	}
	return i, nil
}

// prepare makes an instance with all its streams that does nothing yet.
func (h *Hub) prepare(cfg *config.Config, o Options, r reader) (*Instance, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	way := new(wire)
	if err := way.move(h, cfg.Network); err != nil {
		return nil, err
	}
	if r == nil {
		r = fetch.NewClient(&http.Client{Transport: way}, fetch.Options{Version: o.Version, Now: o.Now})
	}
	log := o.Log.With("instance", o.Name)
	store, err := h.openStore(cfg.StatePath, cfg.StateKeyFile, func(s string) { log.Warn(s) })
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithCancel(context.Background())
	p := &pauses{now: o.Now}
	i := &Instance{
		name: o.Name, hub: h, store: store, wire: way, reader: r, slog: log, now: o.Now, clock: &clock{local: o.Now},
		buffer: newBuffer(cfg.BufferLimit, cfg.BatchLimit), pauses: p,
		commits: newCommitter(store, cfg.CommitDelay, p, log, o.Now),
		started: o.Now(), seed: float64(o.Seed%1e6) / 1e6,
		polls: make(slots, pollsAtOnce), backfills: make(slots, backfillsAtOnce), wake: make(chan struct{}, 1),
		ctx: ctx, cancel: cancel,
		config: cfg, streams: map[streamID]*stream{}, tenants: map[tenantID]*int64{},
	}
	var claimed []error
	for _, refused := range i.apply(cfg) {
		if errors.As(refused, new(*claimedError)) {
			claimed = append(claimed, refused)
			continue
		}
		log.Error("a tenant is left out, the others go on", "error", refused)
	}
	if len(claimed) > 0 {
		i.release()
		return nil, errors.Join(claimed...)
	}
	return i, nil
}

// Pause tells that Fluent Bit takes nothing for now. It only sets flags.
func (i *Instance) Pause() { i.pauses.pause() }

// Resume ends a pause.
func (i *Instance) Resume() { i.pauses.resume() }

// Stop ends the instance within 2 s: requests under way are given up, what Fluent
// Bit has safely taken is committed, what still waits is read again at the next
// start.
func (i *Instance) Stop() {
	i.stopped.Store(true)
	i.cancel()
	ended := make(chan struct{})
	go func() {
		i.work.Wait()
		close(ended)
	}()
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		i.slog.Warn("stopping without waiting any longer for requests under way")
	}
	if err := i.commits.flush(); err != nil {
		i.slog.Error("could not save the last checkpoints: some alerts will arrive twice, under the same record_id", "error", err)
	}
	i.release()
}

// release gives back what the hub shares.
func (i *Instance) release() {
	i.cancel()
	i.hub.unlisten(i)
	i.mu.Lock()
	for _, s := range i.streams {
		if !s.removed {
			i.remove(s)
		}
	}
	i.mu.Unlock()
	if err := i.hub.closeStore(i.config.StatePath); err != nil {
		i.slog.Error("could not close the state", "error", err)
	}
}

// log is the logger for messages about s.
func (i *Instance) log(s *stream) *slog.Logger {
	return i.slog.With("tenant", s.settings.Load().tenant.Name, "feed", s.feed.Name)
}

// instanceKey is the instance's part of its checkpoints' keys.
func (i *Instance) instanceKey() string {
	if unnamed.MatchString(i.name) {
		return ""
	}
	return i.name
}

// names lists up to ten names.
func names(all []string) string {
	slices.Sort(all)
	if len(all) > 10 {
		return strings.Join(all[:10], ", ") + fmt.Sprintf(" and %d more", len(all)-10)
	}
	return strings.Join(all, ", ")
}

// clock is Microsoft's, as its answers showed it.
type clock struct {
	local func() time.Time

	mu       sync.Mutex
	offset   time.Duration // from local
	proposed time.Duration // an offset that one answer came with, far from the others
}

// clockJump is how far an answer's clock may be from what earlier ones showed
// before another answer must confirm it.
const clockJump = 2 * time.Minute

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local().Add(c.offset)
}

// set takes the date of an answer. It is false when that is far from what was
// known and the first to say so: one server with a wrong clock must not move
// watermarks past what was never read.
func (c *clock) set(date time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	offset := date.Sub(c.local())
	if (offset-c.offset).Abs() > clockJump && (offset-c.proposed).Abs() > clockJump {
		c.proposed = offset
		return false
	}
	c.offset, c.proposed = offset, offset
	return true
}
