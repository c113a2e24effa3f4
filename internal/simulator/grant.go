package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// refreshLife is how long Entra lets a refresh token lie unused.
const refreshLife = 90 * 24 * time.Hour

// grant is one refresh token. It is bound to an app (and a user), not to a
// tenant: it can be redeemed wherever it was registered.
type grant struct {
	clientID string
	tenants  []*Tenant
	issued   time.Time
	refusal  int // AADSTS code that it gets from now on, 0 while it works
}

// Grant makes a refresh token valid for an app at a tenant, as if somebody
// had just signed in; "" does nothing. It fails with ErrTaken when the same
// text is another app's token.
func (s *Simulator) Grant(t *Tenant, clientID, refreshToken string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grantLocked(t, clientID, refreshToken)
}

func (s *Simulator) grantLocked(t *Tenant, clientID, refreshToken string) error {
	if refreshToken == "" {
		return nil
	}
	g := s.grants[refreshToken]
	if g == nil {
		g = &grant{clientID: clientID}
		s.grants[refreshToken] = g
	}
	if !strings.EqualFold(g.clientID, clientID) {
		return fmt.Errorf("refresh token for app %s at tenant %s: %w", clientID, t.Name, ErrTaken)
	}
	if !slices.Contains(g.tenants, t) {
		g.tenants = append(g.tenants, t)
	}
	g.issued, g.refusal = s.Now(), 0
	return nil
}

// RevokeRefresh makes all refresh tokens issued for the tenant so far answer
// with an AADSTS code: 50173 (revoked), 700082 or 70008 (expired), … . New
// ones come from Simulator.Grant.
func (t *Tenant) RevokeRefresh(code int) {
	t.sim.mu.Lock()
	defer t.sim.mu.Unlock()
	for _, g := range t.sim.grants {
		if slices.Contains(g.tenants, t) {
			g.refusal = code
		}
	}
}

// redeem checks a refresh token and rotates it. code is the AADSTS code of a
// refusal; next is "" when the answer is to carry no new token.
func (s *Simulator) redeem(t *Tenant, clientID, token string, rotation Rotation) (next string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.grants[token]
	switch {
	case g == nil:
		return "", 9002313
	case g.refusal != 0:
		return "", g.refusal
	case !strings.EqualFold(g.clientID, clientID):
		return "", 700007
	case !slices.Contains(g.tenants, t):
		return "", 700005
	case s.Now().Sub(g.issued) > refreshLife:
		return "", 700082
	}
	if rotation == RotateOmit {
		return "", 0
	}
	if rotation == RotateRevoke {
		g.refusal = 70000
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "refresh %d %d %s", s.seed, s.unique(), t.ID))
	next = "0.FakeRefreshTokenOf-" + strings.ToLower(t.Name) + "-" + base64.RawURLEncoding.EncodeToString(sum[:])
	s.grants[next] = &grant{clientID: g.clientID, tenants: slices.Clone(g.tenants), issued: s.Now()}
	return next, 0
}

// claims are what an access token says. The names are Entra's; Generation is
// the simulator's own.
type claims struct {
	Audience   string   `json:"aud"`
	Issuer     string   `json:"iss"`
	IssuedAt   int64    `json:"iat"`
	NotBefore  int64    `json:"nbf"`
	Expires    int64    `json:"exp"`
	AppID      string   `json:"appid"`
	Kind       string   `json:"idtyp"` // "app" or "user"
	Roles      []string `json:"roles,omitempty"`
	Scopes     string   `json:"scp,omitempty"`
	TenantID   string   `json:"tid"`
	Unique     string   `json:"uti"`
	Version    string   `json:"ver"`
	Generation int      `json:"sim_generation"`
}

var jwtHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256","kid":"simulator-not-a-real-key"}`))

// sign makes an access token that looks like Entra's and that only this
// simulator accepts.
func (s *Simulator) sign(c claims) string {
	body, err := json.Marshal(c)
	if err != nil {
		panic(err) // a struct of strings and numbers always marshals
	}
	text := jwtHeader + "." + base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(s.mac(text))
}

// verify reads an access token back; ok is false for anything this simulator
// did not sign.
func (s *Simulator) verify(token string) (c claims, ok bool) {
	text, signature := token, ""
	if dot := strings.LastIndexByte(token, '.'); dot >= 0 {
		text, signature = token[:dot], token[dot+1:]
	}
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(given, s.mac(text)) {
		return claims{}, false
	}
	_, payload, _ := strings.Cut(text, ".")
	body, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return claims{}, false
	}
	return c, json.Unmarshal(body, &c) == nil
}

func (s *Simulator) mac(text string) []byte {
	h := hmac.New(sha256.New, s.secret[:])
	h.Write([]byte(text))
	return h.Sum(nil)
}
