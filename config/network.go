package config

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fluent-bit-defender/internal/secret"
)

// loopback reports whether host can only be this machine (RFC 6761 section 6.3 for the name).
func loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

var (
	hostName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?$`)
	// microsofts are the domains of its sign-in services and APIs, in every cloud.
	microsofts = regexp.MustCompile(`(^|\.)(microsoft\.com|microsoft\.us|microsoftonline\.com|microsoftonline\.us|partner\.microsoftonline\.cn|chinacloudapi\.cn|windows\.net|windows\.com|live\.com)$`)
)

// plainHosts reads Allow_Http.
func plainHosts(d *draft, text string) *problem {
	items, p := list(text)
	if p != nil {
		return p
	}
	for i, item := range items {
		host := strings.Trim(strings.ToLower(item), "[]")
		_, err := netip.ParseAddr(host)
		switch {
		case microsofts.MatchString(host):
			return &problem{shown(item) + " is Microsoft's, which no token is sent to in the clear", "remove it"}
		case err != nil && (len(host) > 253 || !hostName.MatchString(host)):
			return &problem{shown(item) + " is no host", "write its name or address alone, without http:// and port"}
		}
		items[i] = host
	}
	d.plainHosts = items
	return nil
}

// warn adds a warning that is not there yet: thousands of tenants may cause the same.
func (c *Config) warn(w Fault) {
	if !slices.Contains(c.Warnings, w) {
		c.Warnings = append(c.Warnings, w)
	}
}

// proxyURL reads Proxy_Url, which may hold a password: no message shows it.
func proxyURL(d *draft, text string) *problem {
	const form = "write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host where it asks for them"
	if p := plainWord(text); p != nil {
		return &problem{p.what, form}
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return &problem{"is no URL of a proxy", form + "; in a password write @ as %40, / as %2F, : as %3A"}
	}
	switch u.Scheme = strings.ToLower(u.Scheme); {
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" && u.Scheme != "socks5h":
		return &problem{"is no URL of a kind of proxy that is known", form}
	case u.Port() == "" && u.Scheme != "https" && u.Scheme != "http":
		return &problem{"has no port", "write " + u.Scheme + "://HOST:1080"}
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return &problem{"has more than host and port", form}
	}
	u.Path = ""
	d.config.Network.Proxy = secret.New(u.String())
	return nil
}

// caFileLimit is a few times what systems ship as their whole bundle.
const caFileLimit = 4 << 20

// authorities reads CA_File: certificates in PEM, at least one, and nothing that
// cannot be read. Comments between them are fine, as in the systems' bundles.
func authorities(d *draft, name string) *problem {
	if p := printable(name); p != nil {
		return p
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(d.folder, name)
	}
	content, p := d.read(name, caFileLimit)
	if p != nil {
		return p
	}
	found := 0
	for rest := content; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case strings.Contains(block.Type, "PRIVATE KEY"):
			return &problem{"the file " + name + " holds a private key", "write certificates only into it, and keep the key where nobody else reads it"}
		case block.Type != "CERTIFICATE":
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return &problem{"the file " + name + " holds a certificate that cannot be read", "copy it again, in PEM"}
		}
		found++
	}
	if found == 0 {
		hint := "write certificates in PEM, beginning with -----BEGIN CERTIFICATE-----"
		if _, err := x509.ParseCertificates(content); err == nil && len(content) > 0 {
			hint = "it is DER: openssl x509 -inform der -in FILE -out FILE.pem makes PEM of it"
		}
		return &problem{"the file " + name + " holds no certificate", hint}
	}
	d.config.Network.Roots = string(bytes.TrimSpace(content))
	return nil
}
