package zk

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Option says how to speak to ZooKeeper. Without any, connections are in plaintext and
// nobody logs in.
type Option func(*options)

type options struct {
	tls    *tls.Config // nil for plaintext
	digest []byte      // user:password, nil for nobody
}

func optionsFrom(given []Option) options {
	var o options
	for _, option := range given {
		option(&o)
	}
	return o
}

// TLS connects with TLS, to ZooKeeper's secureClientPort, as brokers do by
// zookeeper.ssl.client.enable. Servers ask for the client's certificate unless they are
// told otherwise (ssl.clientAuth). Where config has no ServerName, the certificate has to
// name the host that is dialed. A nil config is that of [tls.Config] without anything set.
func TLS(config *tls.Config) Option {
	if config == nil {
		config = &tls.Config{}
	}
	return func(o *options) { o.tls = config.Clone() }
}

// Digest gives a user and a password to ZooKeeper's scheme "digest", for servers that want
// it before they let anybody read (enforce.auth.schemes, or ACLs that others have set). The
// password crosses the network as it is: give [TLS] too. ZooKeeper knows no users: it takes
// any password, and a wrong one only shows where a node may not be read.
func Digest(user, password string) Option {
	return func(o *options) { o.digest = []byte(user + ":" + password) }
}

// dial opens a connection, with TLS also shaken hands on, until the deadline or the end of
// ctx.
func (o *options) dial(ctx context.Context, network, address string, until time.Time) (net.Conn, error) {
	dialer := &net.Dialer{Deadline: until}
	if o.tls == nil {
		return dialer.DialContext(ctx, network, address)
	}
	secured := tls.Dialer{NetDialer: dialer, Config: o.tls}
	return secured.DialContext(ctx, network, address)
}

// transport is how connections are made, in words.
func (o *options) transport() string {
	if o.tls == nil {
		return "in plaintext"
	}
	return "with TLS"
}
