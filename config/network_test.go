package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

// authority is a certificate in PEM.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCAFileIsReadAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	first, second := authority(t), authority(t)
	write(t, "ca.pem", "# ours\n"+first)
	c := mustLoad(t, minimal+"\nCA_File ca.pem")
	if !strings.Contains(c.Network.Roots, strings.TrimSpace(first)) || len(c.Files()) != 1 {
		t.Fatalf("roots %q, files %v", c.Network.Roots, c.Files())
	}
	write(t, "ca.pem", first+second)
	again, err := c.Reload()
	if err != nil || again.Network == c.Network || !strings.Contains(again.Network.Roots, strings.TrimSpace(second)) {
		t.Errorf("Reload: %v", err)
	}
	if err := os.Remove("ca.pem"); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Reload(); err == nil {
		t.Error("a CA_File that is gone is no fault")
	}
}

func TestProxyURL(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "proxy", "HTTP://user:p%40ss@proxy.example:3128/\n")
	c := mustLoad(t, minimal+"\nProxy_Url_File proxy")
	if got := c.Network.Proxy.Reveal(); got != "http://user:p%40ss@proxy.example:3128" {
		t.Errorf("proxy %s", got)
	}
	for _, good := range []string{"http://proxy", "https://proxy.example:443", "socks5://[::1]:1080", "socks5h://a:b@proxy.example:1080"} {
		if c := mustLoad(t, minimal+"\nProxy_Url "+good); c.Network.Proxy.Reveal() != good {
			t.Errorf("%s became another URL", good)
		}
	}
}

func TestAllowHTTP(t *testing.T) {
	c := mustLoad(t, minimal+`
Allow_Http  Relay.corp.example,10.0.0.5,fd00::5
Login_Url   http://RELAY.corp.example:8080
Graph_Url   http://[FD00::5]/graph`)
	if c.Tenants[0].LoginURL != "http://relay.corp.example:8080" || c.Tenants[0].GraphURL != "http://[fd00::5]/graph" {
		t.Errorf("%+v", c.Tenants[0])
	}
	if len(c.Warnings) != 2 || !strings.Contains(c.Warnings[0].String(), "in the clear to relay.corp.example:8080") {
		t.Errorf("warnings: %v", c.Warnings)
	}
	if c := mustLoad(t, minimal+"\nAllow_Http relay.corp.example\nLogin_Url http://127.0.0.1:1"); len(c.Warnings) > 0 {
		t.Errorf("loopback warns: %v", c.Warnings)
	}
}
