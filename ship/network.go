package ship

import (
	"net/http"
	"slices"
	"sync/atomic"

	"fluent-bit-defender/config"
	"fluent-bit-defender/fetch"
)

// wire is an instance's way to Microsoft. It is moved when CA_File or Proxy_Url
// change, under the requests and token sources that use it.
type wire struct {
	transport atomic.Pointer[http.Transport]
}

// RoundTrip sends a request by the way that is configured now.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.transport.Load().RoundTrip(r)
}

// move makes n the way. What is under way goes on as it began.
func (w *wire) move(h *Hub, n config.Network) error {
	transport, err := h.transport(n)
	if err == nil {
		w.transport.Store(transport)
	}
	return err
}

// transport returns the one transport of all instances that have n for a way:
// few connections to few hosts, shared by thousands of tenants.
func (h *Hub) transport(n config.Network) (*http.Transport, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if shared := h.transports[n]; shared != nil {
		return shared, nil
	}
	made, err := fetch.Transport(fetch.Wire{Roots: n.Roots, Proxy: n.Proxy}, pollsAtOnce)
	if err == nil {
		h.transports[n] = made
	}
	return made, err
}

// warn says what of the configuration should not stay as it is, once for as
// long as it does.
func (i *Instance) warn(warnings []config.Fault) {
	for _, w := range warnings {
		if !slices.Contains(i.warned, w) {
			i.slog.Warn(w.String())
		}
	}
	i.warned = warnings
}
