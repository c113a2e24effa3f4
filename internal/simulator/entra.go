package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// graphHosts are the audiences that count as Microsoft Graph: all clouds'.
var graphHosts = []string{
	"https://graph.microsoft.com", "https://graph.microsoft.us",
	"https://dod-graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn",
	"00000003-0000-0000-c000-000000000000",
}

// otherResources can be asked for too, but Graph refuses their tokens.
var otherResources = []string{
	"https://api.securitycenter.microsoft.com", "https://api.securitycenter.windows.com",
	"https://api.security.microsoft.com", "https://graph.windows.net",
}

// token is POST /{tenant}/oauth2/v2.0/token, the grants refresh_token and
// client_credentials (Microsoft identity platform, "OAuth 2.0 authorization
// code flow" and "client credentials flow").
func (s *Simulator) token(c *call) answer {
	if c.r.Method != http.MethodPost {
		return c.entraError(900561)
	}
	form := c.r.PostForm
	id, secret, basic := c.r.BasicAuth()
	if basic { // RFC 6749 §2.3.1: both parts are form-encoded first
		id, secret = unescape(id), unescape(secret)
	} else {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	c.entry.App = id
	switch {
	case c.tenant == nil:
		return c.entraError(90002)
	case form.Get("grant_type") == "" || id == "":
		return c.entraError(900144)
	case form.Get("resource") != "":
		return c.entraError(901002)
	}
	if code := c.tenant.refused(); code != 0 {
		return c.entraError(code)
	}
	app, known := c.tenant.app(id)
	if !known {
		return c.entraError(700016)
	}
	if code := app.authenticate(secret); code != 0 {
		return c.entraError(code)
	}
	switch form.Get("grant_type") {
	case "client_credentials":
		return s.clientCredentials(c, app)
	case "refresh_token":
		return s.refresh(c, app)
	}
	return c.entraError(70003)
}

// authenticate returns the AADSTS code that the secret earns, 0 when it is right.
func (a App) authenticate(secret string) int {
	switch {
	case a.ClientSecret == "" && secret != "":
		return 700025
	case a.ClientSecret == "":
		return 0
	case secret == "":
		return 7000218
	case secret != a.ClientSecret:
		return 7000215
	case a.SecretExpired:
		return 7000222
	}
	return 0
}

func (s *Simulator) clientCredentials(c *call, app App) answer {
	if app.ClientSecret == "" {
		return c.entraError(7000218)
	}
	asked := parseScope(c.r.PostForm.Get("scope"))
	if len(asked.names) != 1 || asked.names[0] != ".default" {
		return c.entraError(70011)
	}
	if !asked.known {
		return c.entraError(500011)
	}
	signed := s.accessToken(c, app, asked.resource, true)
	return c.tokens(tokenAnswer{AccessToken: signed})
}

func (s *Simulator) refresh(c *call, app App) answer {
	token := c.r.PostForm.Get("refresh_token")
	if token == "" {
		return c.entraError(900144)
	}
	asked := parseScope(c.r.PostForm.Get("scope"))
	if asked.resource == "" {
		asked.resource, asked.known = graphHosts[0], true
	}
	if !asked.known {
		return c.entraError(500011)
	}
	for _, name := range asked.names {
		if name != ".default" && asked.isGraph() && !slices.Contains(app.Permissions, name) {
			return c.entraError(65001)
		}
	}
	rotation := c.tenant.behave().Rotation
	if !asked.offline && rotation == RotateKeep {
		rotation = RotateOmit // v2: a new one only when offline_access was asked for
	}
	next, code := s.redeem(c.tenant, app.ClientID, token, rotation)
	if code != 0 {
		return c.entraError(code)
	}
	var scope []string
	for _, p := range app.Permissions {
		scope = append(scope, asked.resource+"/"+p)
	}
	return c.tokens(tokenAnswer{
		Scope:        strings.Join(append(scope, asked.resource+"/.default"), " "),
		AccessToken:  s.accessToken(c, app, asked.resource, false),
		RefreshToken: next,
	})
}

func (s *Simulator) accessToken(c *call, app App, resource string, appOnly bool) string {
	now := s.Now()
	t := c.tenant
	granted := claims{
		Audience: resource, Issuer: "https://sts.windows.net/" + t.ID + "/",
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: now.Add(t.behave().lifetime()).Unix(),
		AppID: app.ClientID, Kind: "user", TenantID: t.ID,
		Unique: guid("token", s.seed, s.unique())[:22], Version: "1.0", Generation: t.generation(),
	}
	if appOnly {
		granted.Kind, granted.Roles = "app", app.Permissions
	} else {
		granted.Scopes = strings.Join(app.Permissions, " ")
	}
	if c.fault != nil && c.fault.Kind == ForeignToken {
		id, other := s.stranger(t)
		granted.TenantID, granted.Issuer = id, "https://sts.windows.net/"+id+"/"
		if other != nil {
			granted.Generation = other.generation() // it opens that tenant
		}
	}
	s.log.issued(t)
	signed := s.sign(granted)
	s.noteIssued(t, signed)
	return signed
}

// scope is a parsed scope parameter. When it names several resources, the
// first counts, as on Entra's refresh grant.
type scope struct {
	resource string
	names    []string // of that resource: "SecurityAlert.Read.All", ".default"
	known    bool     // the resource exists
	offline  bool     // offline_access was asked for
}

func (s scope) isGraph() bool { return slices.Contains(graphHosts, s.resource) }

func parseScope(text string) scope {
	var out scope
	for _, item := range strings.Fields(text) {
		switch item {
		case "offline_access":
			out.offline = true
			continue
		case "openid", "profile", "email":
			continue
		}
		resource, name := graphHosts[0], item
		if slash := strings.LastIndexByte(item, '/'); slash >= 0 {
			// "https://host//.default" names the resource "https://host/".
			resource, name = strings.TrimSuffix(item[:slash], "/"), item[slash+1:]
		}
		if out.resource == "" {
			out.resource = resource
			out.known = slices.Contains(graphHosts, resource) || slices.Contains(otherResources, resource)
		}
		if resource == out.resource {
			out.names = append(out.names, name)
		}
	}
	return out
}

// tokenAnswer is the body of a successful token answer, fields in Entra's order.
type tokenAnswer struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int64  `json:"expires_in"`
	ExtExpiresIn int64  `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

func (c *call) tokens(body tokenAnswer) answer {
	body.TokenType = "Bearer"
	body.ExpiresIn = int64(c.tenant.behave().lifetime() / time.Second)
	body.ExtExpiresIn = body.ExpiresIn
	return c.entra(http.StatusOK, body)
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
