package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"

	"fluent-bit-defender/internal/secret"
)

// Wire is the way to Microsoft, as it is configured. The zero value is the
// system's roots of trust and the proxy of the environment (HTTPS_PROXY,
// HTTP_PROXY, NO_PROXY). There is no switch that leaves out a check.
type Wire struct {
	// Roots are certificates in PEM, trusted beside the system's. "": none.
	Roots string
	// Proxy is the URL of a proxy (http, https, socks5, socks5h), perhaps with
	// user and password: a secret. It takes the place of the environment's;
	// NO_PROXY still counts. Absent: the environment's.
	Proxy secret.Text
}

// Transport returns a transport of its own for w, for the sign-in service and
// the APIs alike: TLS 1.2 and later, bounded waits, and enough idle connections
// for conns requests at a time to one host. This machine's own addresses are
// never asked through a proxy. The error shows no secret.
func Transport(w Wire, conns int) (*http.Transport, error) {
	roots, err := pool(w.Roots)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyFunc(w.Proxy)
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	t.Proxy = proxy
	t.OnProxyConnectResponse = refusedByProxy
	t.MaxIdleConns, t.MaxIdleConnsPerHost, t.MaxConnsPerHost = 2*conns, conns, 2*conns
	t.IdleConnTimeout = 2 * time.Minute
	t.ResponseHeaderTimeout = time.Minute
	return t, nil
}

// pool is the system's roots and extra ones; nil stands for the system's alone.
func pool(extra string) (*x509.CertPool, error) {
	if extra == "" {
		return nil, nil
	}
	all, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's roots of trust: %w", err)
	}
	if !all.AppendCertsFromPEM([]byte(extra)) {
		return nil, errors.New("there is no certificate among the additional roots of trust")
	}
	return all, nil
}

// proxyFunc finds the proxy for a request. NO_PROXY is the environment's also
// where the proxy is configured.
func proxyFunc(configured secret.Text) (func(*http.Request) (*url.URL, error), error) {
	settings := httpproxy.FromEnvironment()
	settings.CGI = false
	if !configured.IsZero() {
		if _, err := url.Parse(configured.Reveal()); err != nil {
			return nil, errors.New("the proxy's URL is not valid") // err repeats it, with its password
		}
		settings.HTTPProxy, settings.HTTPSProxy = configured.Reveal(), configured.Reveal()
	}
	find := settings.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return find(r.URL) }, nil
}

// refusedByProxy says what a proxy answered that opens no tunnel; Go's own
// error is the bare status.
func refusedByProxy(_ context.Context, proxy *url.URL, ask *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	hint := "the proxy must let this host through"
	if answer.StatusCode == http.StatusProxyAuthRequired {
		hint = "see the user and password in Proxy_Url or HTTPS_PROXY"
	}
	return fmt.Errorf("the proxy %s answered HTTP %d to the wish for a tunnel to %s: %s", proxy.Host, answer.StatusCode, ask.Host, hint)
}
