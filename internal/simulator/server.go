package simulator

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"time"
)

// Server is a simulator that listens.
type Server struct {
	// URL is the root of both services: http://127.0.0.1:8089.
	URL string
	// Certificate is the self-signed certificate as PEM; nil without TLS.
	Certificate []byte

	sim    *Simulator
	http   *http.Server
	served chan error
}

// Listen serves the simulator at an address such as 127.0.0.1:0. With TLS it
// makes a certificate for that host and localhost, good for a day.
func (s *Simulator) Listen(address string, withTLS bool) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	server := &Server{sim: s, http: &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}, served: make(chan error, 1)}
	server.URL = "http://" + listener.Addr().String()
	if withTLS {
		host, _, _ := net.SplitHostPort(address)
		certificate, text, err := selfSigned(host)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("simulator: certificate: %w", err), listener.Close())
		}
		server.URL = "https://" + listener.Addr().String()
		server.Certificate = text
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	}
	go func() { server.served <- server.http.Serve(listener) }()
	return server, nil
}

// Close stops listening and ends what is under way within a second.
func (v *Server) Close() error {
	v.sim.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := v.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = v.http.Close()
	}
	if served := <-v.served; !errors.Is(served, http.ErrServerClosed) {
		return errors.Join(err, served)
	}
	return err
}

func selfSigned(host string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "Defender simulator, not Microsoft"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else if host != "" {
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
