package simulator

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// required are the permissions any one of which opens alerts_v2.
var required = []string{"SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All", "SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"}

// bearer is what a Graph request's access token turned out to be.
type bearer struct {
	claims claims
	fault  string // why it is refused; "" when it is good
}

// identify reads the access token; the tenant is the token's.
func (c *call) identify() {
	kind, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || token == "" {
		c.bearer.fault = "Access token is empty."
		return
	}
	granted, ok := c.sim.verify(token)
	if !ok {
		c.bearer.fault = "IDX14100: JWT is not well formed, or its signature is not valid."
		return
	}
	c.bearer.claims = granted
	c.entry.App = granted.AppID
	c.tenant, ok = c.sim.Tenant(granted.TenantID)
	switch {
	case !ok:
		c.bearer.fault = "The tenant for tenant guid '" + granted.TenantID + "' does not exist."
	case !slices.Contains(graphHosts, granted.Audience):
		c.bearer.fault = "Access token validation failure. Invalid audience."
	case c.now.Unix() >= granted.Expires:
		c.bearer.fault = "Lifetime validation failed, the token is expired."
	case granted.Generation != c.tenant.generation():
		c.bearer.fault = "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp"
	}
}

// alerts is GET /v1.0/security/alerts_v2 (Microsoft Graph, "List alerts_v2").
func (s *Simulator) alerts(c *call) answer {
	if c.bearer.fault != "" {
		a := c.graphError(http.StatusUnauthorized, "InvalidAuthenticationToken", c.bearer.fault)
		a.header.Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`)
		return a
	}
	b := c.tenant.behave()
	if wait, ok := c.tenant.admit(c.bearer.claims.AppID, b.limit()); !ok {
		return c.throttled(wait, b.RetryAfter)
	}
	if c.r.Method != http.MethodGet {
		return c.graphError(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
	}
	if missing := c.missingPermission(); missing != "" {
		return c.graphError(http.StatusForbidden, "Forbidden", missing)
	}
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return c.graphError(http.StatusBadRequest, "BadRequest", "The query string is not valid.")
	}
	q, err := parseQuery(values, b)
	if err != nil {
		message := err.Error()
		return c.graphError(http.StatusBadRequest, "BadRequest", strings.ToUpper(message[:1])+message[1:]+".")
	}
	return c.page(q, c.tenant.store.read(q), b.Keyset)
}

func (c *call) missingPermission() string {
	granted := c.bearer.claims.Roles
	if c.bearer.claims.Kind == "user" {
		granted = strings.Fields(c.bearer.claims.Scopes)
	}
	if slices.ContainsFunc(granted, func(p string) bool { return slices.Contains(required, p) }) {
		return ""
	}
	if c.bearer.claims.Kind == "user" {
		return fmt.Sprintf("Missing scope permissions on the request. API requires one of '%s'. Scopes on the request '%s'",
			strings.Join(required, ", "), strings.Join(granted, ", "))
	}
	return fmt.Sprintf("Missing application roles. API required roles: %s, application roles: %s.",
		strings.Join(required, ","), strings.Join(granted, ","))
}

func (c *call) throttled(wait time.Duration, form RetryAfter) answer {
	a := c.graphError(http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
	whole := (wait + time.Second - 1).Truncate(time.Second)
	switch form {
	case RetrySeconds:
		a.header.Set("Retry-After", strconv.Itoa(int(whole/time.Second)))
	case RetryDate:
		a.header.Set("Retry-After", c.now.Add(whole).Format(http.TimeFormat))
	case RetryAbsurd:
		a.header.Set("Retry-After", "31536000")
	case RetryAbsent:
	}
	return a
}

// pageBuffers are reused: a page is up to several megabytes.
var pageBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// page writes a page of alerts, with what the call's fault makes of it.
func (c *call) page(q query, r result, keyset bool) answer {
	next := ""
	if r.more {
		next = c.link(q.next(r, keyset))
	}
	a := answer{status: http.StatusOK, header: graphHeader()}
	if c.fault != nil {
		r, next = c.fault.onPage(c, &a, q, r, next)
	}
	all := prefersUnknown(c.r)
	if all {
		a.header.Set("Preference-Applied", "include-unknown-enum-members")
	}
	b := pageBuffers.Get().(*bytes.Buffer)
	b.Reset()
	a.done = func() { pageBuffers.Put(b) }
	b.WriteString(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#security/alerts_v2"`)
	if r.total >= 0 {
		fmt.Fprintf(b, `,"@odata.count":%d`, r.total)
	}
	if next != "" {
		b.WriteString(`,"@odata.nextLink":`)
		b.Write(marshal(next))
	}
	b.WriteString(`,"value":[`)
	for i, f := range r.rows {
		if i > 0 {
			b.WriteByte(',')
		}
		if f.plain != nil && !all {
			b.Write(f.plain)
			continue
		}
		b.Write(f.body)
	}
	b.WriteString(`]}`)
	a.body = b.Bytes()
	return a
}

// onPage changes a page as the fault says.
func (f *Fault) onPage(c *call, a *answer, q query, r result, next string) (result, string) {
	switch f.Kind {
	case Partial206, Warning199:
		if f.Kind == Partial206 {
			a.status = http.StatusPartialContent
		}
		a.header.Set("Warning", `199 - "Microsoft/MDATP/504/10000"`)
		r.rows = r.rows[:len(r.rows)/2]
		return r, ""
	case EmptyPage:
		r.rows = nil
		if q.after != nil {
			return r, c.link(*q.after)
		}
		return r, c.link(position{Skip: q.skip})
	case ForeignAlert:
		id, _ := c.sim.stranger(c.tenant)
		own, foreign := []byte(`"tenantId":"`+c.tenant.ID+`"`), []byte(`"tenantId":"`+id+`"`)
		rows := make([]*face, len(r.rows))
		for i, f := range r.rows {
			changed := *f
			changed.body, changed.plain = bytes.Replace(f.body, own, foreign, 1), bytes.Replace(f.plain, own, foreign, 1)
			rows[i] = &changed
		}
		r.rows = rows
		return r, next
	case LinkHost:
		return r, "https://graph.example.net/v1.0/security/alerts_v2?$skiptoken=elsewhere"
	case LinkLoop:
		return r, c.self() + "?" + c.r.URL.RawQuery
	case LinkBad:
		return r, "http://[graph/v1.0/security/alerts_v2?$skiptoken=%zz"
	}
	return r, next
}

func (c *call) self() string {
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + c.r.Host + c.r.URL.Path
}

// link is the request's own URL with a $skiptoken in the place of its $skip.
func (c *call) link(p position) string {
	values := c.r.URL.Query()
	values.Del("$skip")
	values.Set("$skiptoken", p.token())
	return c.self() + "?" + strings.ReplaceAll(values.Encode(), "%24", "$")
}

func graphHeader() http.Header {
	return http.Header{"Content-Type": {"application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"}}
}

func prefersUnknown(r *http.Request) bool {
	for _, line := range r.Header.Values("Prefer") {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "include-unknown-enum-members") {
				return true
			}
		}
	}
	return false
}

// graphFailure is Graph's error body.
type graphFailure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   struct {
			Date            string `json:"date"`
			RequestID       string `json:"request-id"`
			ClientRequestID string `json:"client-request-id"`
		} `json:"innerError"`
	} `json:"error"`
}

// graphCodes are the usual error codes for a status.
var graphCodes = map[int]string{
	400: "BadRequest", 401: "InvalidAuthenticationToken", 403: "Forbidden", 404: "ResourceNotFound", 429: "TooManyRequests",
	500: "InternalServerError", 502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout",
}

// graphError is an error answer in Graph's envelope.
func (c *call) graphError(status int, code, message string) answer {
	var body graphFailure
	body.Error.Code, body.Error.Message = code, message
	body.Error.Inner.Date = c.now.Format("2006-01-02T15:04:05")
	body.Error.Inner.RequestID, body.Error.Inner.ClientRequestID = c.requestID, c.clientRequestID
	return answer{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: marshal(body)}
}
