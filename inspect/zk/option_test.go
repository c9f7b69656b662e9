package zk_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect/zk"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// TestTLSThatDoesNotComeAbout says why, in bounded time.
func TestTLSThatDoesNotComeAbout(t *testing.T) {
	authority, other := kafkatest.NewAuthority(t), kafkatest.NewAuthority(t)
	certificate, key := authority.Issue(t, "zookeeper", "127.0.0.1")
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	trusting := func(a *kafkatest.Authority) *tls.Config {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(a.PEM)
		return &tls.Config{RootCAs: roots}
	}
	secured := func(config *tls.Config) string {
		return kafkatest.Listen(t, func(conn net.Conn) {
			server := tls.Server(conn, config)
			_ = server.HandshakeContext(t.Context())
			_, _ = server.Read(make([]byte, 1))
		})
	}
	for name, c := range map[string]struct {
		address string
		option  zk.Option
		says    string
	}{
		"an authority that is not trusted": {secured(&tls.Config{Certificates: []tls.Certificate{pair}}), zk.TLS(trusting(other)), "unknown authority"},
		"no config":                        {secured(&tls.Config{Certificates: []tls.Certificate{pair}}), zk.TLS(nil), "unknown authority"},
		"a client without a certificate": {
			secured(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert}), zk.TLS(trusting(authority)), "with TLS",
		},
		"a server that says nothing": {kafkatest.BadBrokers(t)["says nothing"], zk.TLS(trusting(authority)), "with TLS"},
		"a server in plaintext": {
			kafkatest.Listen(t, func(conn net.Conn) { _, _ = conn.Write([]byte("this is no TLS")) }), zk.TLS(trusting(authority)), "first record does not look like a TLS handshake",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := time.Minute
			if strings.HasSuffix(name, "says nothing") {
				limit = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := zk.Controller(ctx, c.address, c.option)
			if err == nil || !strings.Contains(err.Error(), "with TLS") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			t.Log(err)
		})
	}
}
