package config

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// tenantNames reads Tenants. A name becomes the first part of keys, so it must
// be one word.
func tenantNames(d *draft, text string) *problem {
	items, p := list(text)
	if p != nil {
		return p
	}
	for _, item := range items {
		if strings.ContainsAny(item, " \t") {
			return &problem{shown(item) + " has white space inside",
				"separate names by commas; names with spaces go into a Tenants_File"}
		}
	}
	d.listed = items
	return nil
}

// tenantName reads the name of a tenant and reduces it.
func tenantName(d *draft, text string) *problem {
	if p := printable(text); p != nil {
		return p
	}
	slug := reduce(text)
	if slug == "" {
		return &problem{shown(text) + " has nothing of a-z, 0-9, _ in it, so no tag can be made of it", "use a name in Latin letters"}
	}
	if len(text) > 200 {
		return &problem{shown(text) + " is too long for a name", "use at most 200 bytes"}
	}
	d.tenant.Name, d.tenant.Slug = text, slug
	return nil
}

// reduce brings a name to [a-z0-9_-]: lower case, and one "-" for each run of anything else.
func reduce(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.TrimRight(b.String(), "-")
}

var (
	guid   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
	// Entra's words for "any tenant": https://learn.microsoft.com/entra/identity-platform/v2-protocols#endpoints
	anyTenant = regexp.MustCompile(`^(common|organizations|consumers)$`)
)

// tenantID reads a directory id.
func tenantID(d *draft, text string) *problem {
	id := strings.ToLower(text)
	switch {
	case guid.MatchString(id), len(id) <= 253 && domain.MatchString(id):
		d.tenant.ID = id
		return nil
	case anyTenant.MatchString(id):
		return &problem{shown(text) + " stands for any tenant, not for one", "write the customer's own directory id"}
	case guid.MatchString(strings.Trim(id, "{}")):
		return &problem{shown(text) + " is no GUID or domain", "did you mean " + strings.Trim(id, "{}") + "?"}
	}
	return &problem{shown(text) + " is no GUID or domain",
		"write the directory id, such as 00001111-aaaa-2222-bbbb-3333cccc4444, or a domain, such as contoso.com"}
}

// serviceRoot reads the URL a service lives under.
func serviceRoot(field func(*draft) *string) reader {
	return func(d *draft, text string) *problem {
		u, err := url.Parse(text)
		if err == nil && u.User != nil {
			return &problem{"has a user name or password in it", "remove it; credentials have keys of their own"}
		}
		if err != nil || u.Scheme == "" || u.Host == "" || u.Hostname() == "" {
			return &problem{shown(text) + " is no URL", "write https://HOST"}
		}
		switch {
		case u.Scheme == "http" && !loopback(u.Hostname()) && !slices.Contains(d.plainHosts, strings.ToLower(u.Hostname())):
			return &problem{shown(text) + " would send tokens in the clear", "write https://" + u.Host + " (plain http is for this machine only, as http://localhost, and for hosts in Allow_Http)"}
		case u.Scheme != "https" && u.Scheme != "http":
			return &problem{shown(text) + " is no URL of the web", "write https://" + u.Host}
		case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
			return &problem{shown(text) + " has more than host and path", "write the service's root only"}
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			d.config.warn(Fault{keyAllowHTTP, "tokens and alerts travel in the clear to " + strings.ToLower(u.Host), "use https as soon as that host can"})
		}
		*field(d) = u.Scheme + "://" + strings.ToLower(u.Host) + strings.TrimRight(u.EscapedPath(), "/")
		return nil
	}
}

// hostOf is host[:port] of a service root; a port that is the scheme's own is left out.
func hostOf(root string) string {
	u, err := url.Parse(root)
	if err != nil {
		return ""
	}
	if own := map[string]string{"https": "443", "http": "80"}[u.Scheme]; own != "" && u.Port() == own {
		host := u.Hostname()
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	if u.Port() == "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), u.Port())
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// tagTemplate reads Tenant_Tag.
func tagTemplate(d *draft, text string) *problem {
	known := []string{"{tenant}", "{tenant_id}", "{feed}"}
	for _, p := range placeholder.FindAllString(text, -1) {
		if _, wrong := oneOf(p, "placeholder", known); wrong != nil {
			return wrong
		}
		text = strings.Replace(text, p, strings.ToLower(p), 1)
	}
	switch rest := placeholder.ReplaceAllString(text, ""); {
	case strings.ContainsAny(rest, "{}"):
		return &problem{shown(text) + " has a brace without its partner", "write for instance defender.{tenant}.{feed}"}
	case plainWord(rest) != nil || strings.Contains(rest, "*"):
		return &problem{shown(text) + " has a character that a tag cannot have", "write for instance defender.{tenant}.{feed}"}
	}
	d.config.TenantTag = text
	return nil
}

// addedKeys are the keys every record has besides Microsoft's own.
var addedKeys = []string{"record_id", "alert_uid", "feed", "tenant_id", "tenant_name", "foreign_tenant_id"}

// rawKey reads Raw_Key.
func rawKey(d *draft, text string) *problem {
	for _, k := range addedKeys {
		if text == k {
			return &problem{shown(text) + " is a key every record has already", "choose another, such as raw"}
		}
	}
	if p := plainWord(text); p != nil {
		return p
	}
	d.config.RawKey = text
	return nil
}
