package simulator

import "maps"

// Secrets are all values that must never be seen outside an exchange with the
// simulator, each with what it is: the apps' client secrets, every refresh
// token that was registered or given, every access token that was issued.
func (s *Simulator) Secrets() map[string]string {
	all := map[string]string{}
	for _, t := range s.Tenants() {
		for _, app := range t.Apps() {
			if app.ClientSecret != "" {
				all[app.ClientSecret] = "client secret of " + t.Name
			}
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	maps.Copy(all, s.issued)
	for token, g := range s.grants {
		what := "refresh token"
		if len(g.tenants) > 0 {
			what += " of " + g.tenants[0].Name
		}
		all[token] = what
	}
	return all
}

// noteIssued remembers an access token.
func (s *Simulator) noteIssued(t *Tenant, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued[token] = "access token of " + t.Name
}

// stranger is a tenant other than t: another one of the simulator's, or one
// that it does not know.
func (s *Simulator) stranger(t *Tenant) (id string, other *Tenant) {
	for _, other := range s.Tenants() {
		if other != t {
			return other.ID, other
		}
	}
	return guid("stranger", t.ID), nil
}
