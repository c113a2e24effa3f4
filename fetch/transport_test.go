package fetch_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fluent-bit-defender/fetch"
	"fluent-bit-defender/internal/secret"
	"fluent-bit-defender/internal/simulator"
)

// bearer is a fixed access token.
type bearer string

func (b bearer) Token(context.Context) (string, error) { return string(b), nil }
func (bearer) Reject(string)                           {}

const accessToken = "fake-access-token-that-nobody-else-may-see"

// peek asks root for one page by the way w.
func peek(t *testing.T, w fetch.Wire, root string) error {
	t.Helper()
	transport, err := fetch.Transport(w, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	client := fetch.NewClient(&http.Client{Transport: transport}, fetch.Options{Timeout: 10 * time.Second})
	feed, _ := fetch.Lookup("alerts")
	_, err = client.Peek(t.Context(), fetch.Window{Feed: feed, BaseURL: root, From: time.Now().Add(-time.Hour)}, bearer(accessToken))
	return err
}

// emptyPage answers everything with a page without rows.
var emptyPage = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"value":[]}`)
})

// noEnvironment keeps the proxies of the machine that runs the tests out.
func noEnvironment(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		t.Setenv(name, "")
		t.Setenv(strings.ToLower(name), "")
	}
}

// tlsServer is a server of ours for example.com with a certificate that no system trusts.
func tlsServer(t *testing.T, handler http.Handler, config *tls.Config) (server *httptest.Server, roots string) {
	t.Helper()
	server = httptest.NewUnstartedServer(handler)
	server.TLS = config
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func TestRootsAreAddedToTheSystems(t *testing.T) {
	noEnvironment(t)
	server, err := simulator.New(simulator.Options{}).Listen("127.0.0.1:0", true)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := peek(t, fetch.Wire{}, server.URL); err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("an unknown authority passes: %v", err)
	}
	// Through TLS, the simulator does not know the token: the certificate was believed.
	if err := peek(t, fetch.Wire{Roots: string(server.Certificate)}, server.URL); err == nil || !strings.Contains(err.Error(), "unauthorized") {
		t.Errorf("with its certificate among the roots: %v", err)
	}
	if _, err := fetch.Transport(fetch.Wire{Roots: "no certificate"}, 1); err == nil {
		t.Error("roots without a certificate pass")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	noEnvironment(t)
	for _, tt := range []struct {
		version uint16
		good    bool
	}{{tls.VersionTLS10, false}, {tls.VersionTLS11, false}, {tls.VersionTLS12, true}, {tls.VersionTLS13, true}} {
		server, roots := tlsServer(t, emptyPage, &tls.Config{MinVersion: tt.version, MaxVersion: tt.version})
		err := peek(t, fetch.Wire{Roots: roots}, server.URL)
		if (err == nil) != tt.good {
			t.Errorf("a server of %s only: %v", tls.VersionName(tt.version), err)
		}
		if err != nil && !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("a server of %s only: %v, want to hear of the version", tls.VersionName(tt.version), err)
		}
	}
}

func TestCertificateOfAnotherHostIsRefused(t *testing.T) {
	noEnvironment(t)
	server, roots := tlsServer(t, emptyPage, nil) // for example.com and 127.0.0.1
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	if err := peek(t, fetch.Wire{Roots: roots}, "https://localhost:"+port); err == nil || !strings.Contains(err.Error(), "not localhost") {
		t.Errorf("a certificate for another name passes: %v", err)
	}
}

// tunnels is a proxy that connects everybody who knows the password to one server.
type tunnels struct {
	to, user, password string

	mu   sync.Mutex
	seen []string // every request and its header
}

func (p *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, fmt.Sprintf("%s %s %v", r.Method, r.Host, r.Header))
	p.mu.Unlock()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.password))
	if p.user != "" && r.Header.Get("Proxy-Authorization") != want {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(there, here); there.Close() }()
	_, _ = io.Copy(here, there)
	here.Close()
}

func (p *tunnels) requests() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.seen, "\n")
}

func TestThroughAProxy(t *testing.T) {
	noEnvironment(t)
	server, roots := tlsServer(t, emptyPage, nil)
	proxy := &tunnels{to: server.Listener.Addr().String(), user: "mssp", password: "hush/hush"}
	listening := httptest.NewServer(proxy)
	defer listening.Close()
	host := strings.TrimPrefix(listening.URL, "http://")

	way := fetch.Wire{Roots: roots, Proxy: secret.New("http://mssp:hush%2Fhush@" + host)}
	if err := peek(t, way, "https://example.com"); err != nil {
		t.Errorf("through the proxy: %v", err)
	}
	if seen := proxy.requests(); !strings.HasPrefix(seen, "CONNECT example.com:443") || strings.Contains(seen, accessToken) {
		t.Errorf("the proxy saw %s", seen)
	}
	way.Proxy = secret.New("http://mssp:hushwrong@" + host)
	err := peek(t, way, "https://example.com")
	if err == nil || !strings.Contains(err.Error(), "HTTP 407 to the wish for a tunnel to example.com:443: see the user and password in Proxy_Url") {
		t.Errorf("with a wrong password: %v", err)
	}
	if strings.Contains(fmt.Sprint(err), "hush") {
		t.Errorf("the message shows the password: %v", err)
	}
	way.Proxy = secret.New("http://mssp:hush@127.0.0.1:1")
	if err := peek(t, way, "https://example.com"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("with a proxy that is not there: %v", err)
	}
}

func TestWhichProxy(t *testing.T) {
	const graph = "https://graph.microsoft.com/v1.0"
	for _, tt := range []struct {
		name, configured, environment, except, url, want string
	}{
		{"nothing is set", "", "", "", graph, ""},
		{"the environment's", "", "http://env.example:3128", "", graph, "http://env.example:3128"},
		{"the configured one wins", "http://own.example:3128", "http://env.example:3128", "", graph, "http://own.example:3128"},
		{"for plain http too", "http://own.example:3128", "", "", "http://relay.corp.example", "http://own.example:3128"},
		{"socks", "socks5://own.example:1080", "", "", graph, "socks5://own.example:1080"},
		{"NO_PROXY and the environment's", "", "http://env.example:3128", ".microsoft.com", graph, ""},
		{"NO_PROXY and the configured one", "http://own.example:3128", "", "graph.microsoft.com,10.0.0.0/8", graph, ""},
		{"NO_PROXY is of another host", "http://own.example:3128", "", "contoso.com", graph, "http://own.example:3128"},
		{"this machine", "http://own.example:3128", "", "", "http://127.0.0.1:8089", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noEnvironment(t)
			t.Setenv("HTTPS_PROXY", tt.environment)
			t.Setenv("NO_PROXY", tt.except)
			t.Setenv("REQUEST_METHOD", "GET") // as in a CGI program, where Go trusts no HTTP_PROXY
			transport, err := fetch.Transport(fetch.Wire{Proxy: secret.New(tt.configured)}, 1)
			if err != nil {
				t.Fatal(err)
			}
			found, err := transport.Proxy(httptest.NewRequest(http.MethodGet, tt.url, nil))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if found != nil {
				got = found.String()
			}
			if got != tt.want {
				t.Errorf("proxy %q, want %q", got, tt.want)
			}
		})
	}
	if _, err := fetch.Transport(fetch.Wire{Proxy: secret.New("http://us:hush@[")}, 1); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a proxy that is no URL: %v", err)
	}
}

// TestNoRedirectIsFollowed: not to another host, not to the same, whatever the client says.
func TestNoRedirectIsFollowed(t *testing.T) {
	noEnvironment(t)
	var mu sync.Mutex
	var tokens []string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		tokens = append(tokens, r.Header.Get("Authorization"))
	}))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		graph := httptest.NewServer(http.RedirectHandler(thief.URL, status))
		err := peek(t, fetch.Wire{}, graph.URL)
		graph.Close()
		if err == nil || !strings.Contains(err.Error(), "redirect") {
			t.Errorf("status %d: %v", status, err)
		}
	}
	if mu.Lock(); len(tokens) > 0 {
		t.Errorf("another host was asked: %q", tokens)
	}
	mu.Unlock()
}
