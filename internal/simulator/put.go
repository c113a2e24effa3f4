package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Add makes a new alert, stamped and visible now.
func (t *Tenant) Add() Version { return t.addOne(0, 0) }

// AddLate makes a new alert that is stamped now and becomes visible after a
// delay. The Version's Since is that moment.
func (t *Tenant) AddLate(delay time.Duration) Version { return t.addOne(0, delay) }

// AddAged makes a new alert, visible now, that was last updated an age ago.
func (t *Tenant) AddAged(age time.Duration) Version { return t.addOne(age, 0) }

func (t *Tenant) addOne(age, delay time.Duration) Version { return t.add(1, age, delay)[0] }

// AddBurst makes n new alerts that share one stamp, an age ago; they are
// visible now. More than 1,000 straddle a page's edge.
func (t *Tenant) AddBurst(n int, age time.Duration) []Version { return t.add(n, age, 0) }

func (t *Tenant) add(n int, age, delay time.Duration) []Version {
	s := &t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
	stamp := s.tickLocked(nil) - ticksOfDuration(age)
	since := s.sim.base().Add(delay)
	made := make([]Version, 0, n)
	for range n {
		s.made++
		r := &recipe{tenantID: t.ID, domain: t.Domain, seed: s.sim.seed, number: s.made, created: stamp}
		f := r.render()
		f.owner = s.alertLocked(r.id())
		f.owner.recipe = r
		s.offerLocked(f, delay)
		made = append(made, Version{f.owner.id, f.text, since})
	}
	return made
}

func ticksOfDuration(d time.Duration) ticks { return ticks(d / 100) }

// Update changes an alert's status, assignment or comments, as an analyst
// would, and stamps it now.
func (t *Tenant) Update(id string) (Version, error) { return t.UpdateLate(id, 0) }

// UpdateLate does the same, but the new version shows only after a delay.
func (t *Tenant) UpdateLate(id string, delay time.Duration) (Version, error) {
	s := &t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
	a := s.alerts[id]
	if a == nil {
		return Version{}, fmt.Errorf("alert %q of tenant %s: %w", id, t.Name, ErrNoAlert)
	}
	stamp := s.tickLocked(a)
	var f *face
	if a.recipe != nil {
		a.recipe.edits = append(a.recipe.edits, stamp)
		f = a.recipe.render()
	} else {
		var err error
		if f, err = restamped(a.face.body, stamp); err != nil {
			return Version{}, fmt.Errorf("alert %q of tenant %s: %w", id, t.Name, err)
		}
	}
	f.owner = a
	s.offerLocked(f, delay)
	return Version{id, f.text, s.sim.base().Add(delay)}, nil
}

// Put serves an alert's JSON as it is, as a new alert or as the new version
// of the one with its id, visible now. It need not be sound: what cannot be
// found in it (id, times) counts as empty, so that broken alerts can be
// served too; one without a readable lastUpdateDateTime is stamped now for
// sorting and filtering, and one without an id goes by "?1", "?2", … on record.
func (t *Tenant) Put(body []byte) Version {
	s := &t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
	f, id := readFace(bytes.Clone(body))
	if id == "" {
		s.made++
		id = fmt.Sprintf("?%d", s.made)
	}
	f.owner = s.alertLocked(id)
	f.owner.recipe = nil
	if f.stamp == 0 {
		f.stamp = s.tickLocked(nil)
	}
	s.offerLocked(f, 0)
	return Version{id, f.text, f.owner.since}
}

// PutPage puts every alert of a page ({"value":[…]}), such as a documented
// sample, and says what they became.
func (t *Tenant) PutPage(page []byte) ([]Version, error) {
	var body struct {
		Value []json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(page, &body); err != nil {
		return nil, fmt.Errorf("page of alerts: %w", err)
	}
	var put []Version
	for _, item := range body.Value {
		put = append(put, t.Put(item))
	}
	return put, nil
}

// readFace reads what filters and paging need from an alert's JSON.
func readFace(body []byte) (f *face, id string) {
	var fields struct {
		ID, CreatedDateTime, LastUpdateDateTime                                    string
		Severity, Status, ServiceSource, AssignedTo, Classification, Determination string
	}
	// Fields that were read before an error stay; the rest counts as empty.
	_ = json.Unmarshal(body, &fields)
	f = &face{body: body, text: fields.LastUpdateDateTime, plain: hideNewer(body), traits: traits{
		severity: fields.Severity, status: fields.Status, serviceSource: fields.ServiceSource,
		assignedTo: fields.AssignedTo, classification: fields.Classification, determination: fields.Determination,
	}}
	f.stamp, _ = parseTicks(fields.LastUpdateDateTime)
	f.created, _ = parseTicks(fields.CreatedDateTime)
	return f, fields.ID
}

// restamped is an alert that did not come from a recipe, with a new
// lastUpdateDateTime and nothing else changed in meaning.
func restamped(body []byte, stamp ticks) (*face, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("cannot be updated: %w", err)
	}
	fields["lastUpdateDateTime"] = json.RawMessage(`"` + stamp.String() + `"`)
	f, _ := readFace(marshal(fields))
	return f, nil
}
