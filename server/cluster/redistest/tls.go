package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tlsServer has what a server needs for TLS, and its clients to trust it.
type tlsServer struct {
	cert, key string // files
	ca        string // file
	client    *tls.Config
}

// StartTLS starts a server that accepts only TLS, with a certificate for 127.0.0.1 that a
// new authority has signed. It skips the test if redis-server is built without TLS.
func StartTLS(t testing.TB, args ...string) *Server {
	t.Helper()
	s := New(t, args...)
	// redis-server names the first argument that it does not know.
	out, _ := exec.Command("redis-server", "--tls-port", "0", "--no-such-setting", "0").CombinedOutput()
	if !strings.Contains(string(out), "no-such-setting") {
		t.Skipf("redis-server is built without TLS: %s", out)
	}
	s.tls = newTLSServer(t)
	s.Up()
	return s
}

// TLS returns the configuration of clients that trust a server of StartTLS.
func (s *Server) TLS() *tls.Config { return s.tls.client.Clone() }

// CAFile returns the file with the certificate, in PEM, of the authority.
func (s *Server) CAFile() string { return s.tls.ca }

func (s *tlsServer) arguments(port int) []string {
	return []string{
		"--port", "0", "--tls-port", strconv.Itoa(port), "--tls-auth-clients", "no",
		"--tls-cert-file", s.cert, "--tls-key-file", s.key, "--tls-ca-cert-file", s.ca,
	}
}

func newTLSServer(t testing.TB) *tlsServer {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fatal := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redistest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(err)
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	fatal(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, leafKey.Public(), authorityKey)
	fatal(err)
	leafKeyDER, err := x509.MarshalECPrivateKey(leafKey)
	fatal(err)
	parsed, err := x509.ParseCertificate(authorityDER)
	fatal(err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tlsServer{
		cert: write("server.pem", "CERTIFICATE", leafDER), key: write("server.key", "EC PRIVATE KEY", leafKeyDER),
		ca: write("ca.pem", "CERTIFICATE", authorityDER), client: &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"},
	}
}
