package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// Version is one state of an alert that was visible.
type Version struct {
	ID string `json:"id"`
	// Version is lastUpdateDateTime exactly as it was served.
	Version string `json:"version"`
	// Since is when it became visible, by the host's clock.
	Since time.Time `json:"visible_since"`
}

// ErrNoAlert says that a tenant has no alert of that id.
var ErrNoAlert = errors.New("no such alert")

// traits are the properties of an alert that a filter can ask for, besides
// its times. "" stands for null.
type traits struct {
	severity, status, serviceSource, assignedTo, classification, determination string
}

func (t traits) get(property string) string {
	switch property {
	case "severity":
		return t.severity
	case "status":
		return t.status
	case "serviceSource":
		return t.serviceSource
	case "assignedTo":
		return t.assignedTo
	case "classification":
		return t.classification
	case "determination":
		return t.determination
	}
	return ""
}

// face is one version of an alert, ready to be served. It never changes.
type face struct {
	owner   *alert
	stamp   ticks // lastUpdateDateTime
	seq     uint64
	created ticks
	text    string // lastUpdateDateTime as it stands in body
	body    []byte
	traits  traits
	plain   []byte // body for readers without Prefer, when that differs
}

// order is the store's own: by time, ties in the order they became visible.
func (f *face) order(g *face) int {
	return cmp.Or(cmp.Compare(f.stamp, g.stamp), cmp.Compare(f.seq, g.seq))
}

// alert is all that is known of one id.
type alert struct {
	id     string
	recipe *recipe   // how to render the next version; nil for alerts put in from outside
	face   *face     // what is visible now; nil: nothing yet
	since  time.Time // since when
	newest ticks     // the highest stamp given so far, visible or not
	past   []Version
}

// store holds a tenant's alerts, sorted by lastUpdateDateTime as it is now.
type store struct {
	sim    *Simulator
	tenant *Tenant

	mu      sync.Mutex
	alerts  map[string]*alert
	index   []*face // visible, in order
	pending []late  // not visible yet, the next one first
	seq     uint64
	made    uint64 // alerts generated so far
}

// late is a version that becomes visible at a moment of the host's clock.
type late struct {
	due  time.Time
	face *face
}

func (s *store) init(sim *Simulator, t *Tenant) { s.sim, s.tenant = sim, t }

// alertLocked finds or makes the entry of an id.
func (s *store) alertLocked(id string) *alert {
	a := s.alerts[id]
	if a == nil {
		if s.alerts == nil {
			s.alerts = map[string]*alert{}
		}
		a = &alert{id: id}
		s.alerts[id] = a
	}
	return a
}

// offerLocked makes a version visible now or, with a delay, later.
func (s *store) offerLocked(f *face, delay time.Duration) {
	f.owner.newest = max(f.owner.newest, f.stamp)
	now := s.sim.base()
	if delay <= 0 {
		s.showLocked(f, now)
		return
	}
	due := now.Add(delay)
	at := sort.Search(len(s.pending), func(i int) bool { return s.pending[i].due.After(due) })
	s.pending = slices.Insert(s.pending, at, late{due, f})
}

// settleLocked shows what has become due. A version that a newer one overtook
// is never seen.
func (s *store) settleLocked() {
	if len(s.pending) == 0 {
		return
	}
	now, n := s.sim.base(), 0
	for n < len(s.pending) && !s.pending[n].due.After(now) {
		if f := s.pending[n].face; f.owner.face == nil || f.owner.face.stamp < f.stamp {
			s.showLocked(f, s.pending[n].due)
		}
		n++
	}
	s.pending = slices.Delete(s.pending, 0, n)
}

// showLocked puts a version in the place of the one its alert shows now.
func (s *store) showLocked(f *face, since time.Time) {
	a := f.owner
	if old := a.face; old != nil {
		if at, found := slices.BinarySearchFunc(s.index, old, (*face).order); found {
			s.index = slices.Delete(s.index, at, at+1)
		}
		a.past = append(a.past, Version{a.id, old.text, a.since})
	}
	a.face, a.since = f, since
	s.seq++
	f.seq = s.seq
	if n := len(s.index); n == 0 || s.index[n-1].order(f) < 0 {
		s.index = append(s.index, f)
		return
	}
	at, _ := slices.BinarySearchFunc(s.index, f, (*face).order)
	s.index = slices.Insert(s.index, at, f)
}

// tickLocked is the simulator's time, later than anything the alert had.
func (s *store) tickLocked(a *alert) ticks {
	now := ticksOf(s.sim.Now())
	if a != nil && now <= a.newest {
		return a.newest + 1
	}
	return now
}

// Owed is the newest visible version of every alert, by id: what a reader
// that reads long enough must have got.
func (t *Tenant) Owed() map[string]Version {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.settleLocked()
	owed := make(map[string]Version, len(t.store.index))
	for _, f := range t.store.index {
		owed[f.owner.id] = Version{f.owner.id, f.text, f.owner.since}
	}
	return owed
}

// Versions is every version that was ever visible, by id, oldest first.
func (t *Tenant) Versions() map[string][]Version {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.settleLocked()
	all := make(map[string][]Version, len(t.store.index))
	for _, f := range t.store.index {
		a := f.owner
		all[a.id] = append(slices.Clone(a.past), Version{a.id, f.text, a.since})
	}
	return all
}

// Len is how many alerts are visible.
func (t *Tenant) Len() int {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.settleLocked()
	return len(t.store.index)
}

// Pending is how many versions are yet to become visible.
func (t *Tenant) Pending() int {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.settleLocked()
	return len(t.store.pending)
}

// Alert is the JSON of an alert as it is served now, with the members that
// only Prefer brings out.
func (t *Tenant) Alert(id string) ([]byte, error) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.settleLocked()
	a := t.store.alerts[id]
	if a == nil || a.face == nil {
		return nil, fmt.Errorf("alert %q of tenant %s: %w", id, t.Name, ErrNoAlert)
	}
	return slices.Clone(a.face.body), nil
}
