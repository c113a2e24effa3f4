package ship

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fluent-bit-defender/control"
)

// listen lets i answer on the socket of its state folder. Without a socket
// everything but the questions goes on.
func (h *Hub) listen(i *Instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i.store.instances = append(i.store.instances, i)
	if i.store.control != nil {
		return
	}
	server, err := control.Listen(i.folder(), answers{h, i.store})
	if err != nil {
		i.slog.Warn("defenderctl will not reach this process: the socket in State_Path cannot be made", "error", err)
		return
	}
	i.store.control = server
}

// unlisten ends that.
func (h *Hub) unlisten(i *Instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i.store.instances = slices.DeleteFunc(i.store.instances, func(other *Instance) bool { return other == i })
}

// answers lets every instance on one state folder answer (control.Engine).
type answers struct {
	hub   *Hub
	store *sharedStore
}

// Audit asks the instance that reads the stream.
func (a answers) Audit(ctx context.Context, r control.AuditRequest) (*control.Audit, error) {
	i, err := a.reads(r.Stream)
	if err != nil {
		return nil, err
	}
	return i.Audit(ctx, r)
}

// Redeliver tells the instance that reads the stream.
func (a answers) Redeliver(ctx context.Context, r control.RedeliverRequest) error {
	i, err := a.reads(r.Stream)
	if err != nil {
		return err
	}
	return i.Redeliver(ctx, r)
}

func (a answers) reads(r control.Stream) (*Instance, error) {
	a.hub.mu.Lock()
	all := append([]*Instance(nil), a.store.instances...)
	a.hub.mu.Unlock()
	var found []*Instance
	var refused []error
	for _, i := range all {
		if r.Instance != "" && r.Instance != i.name {
			continue
		}
		if _, err := i.find(r); err != nil {
			refused = append(refused, err)
			continue
		}
		found = append(found, i)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("%s and %s both read it: say which is meant", found[0].name, found[1].name)
	case len(refused) > 0:
		return nil, errors.Join(refused...)
	}
	return nil, fmt.Errorf("no [INPUT] named %q runs here", r.Instance)
}
