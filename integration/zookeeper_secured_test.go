package integration

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/go-zookeeper/zk"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/zk"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// zooKeeperSecrets are what ZooKeeper and its clients hold to know each other.
type zooKeeperSecrets struct {
	server  cluster.ZooKeeperTLS
	config  *tls.Config
	ca, own string // files
	key     string
}

func newZooKeeperSecrets(t *testing.T) zooKeeperSecrets {
	t.Helper()
	authority := kafkatest.NewAuthority(t)
	var s zooKeeperSecrets
	s.server.Authorities = authority.PEM
	s.server.Certificate, s.server.Key = authority.Issue(t, "zookeeper", "127.0.0.1", "localhost")
	certificate, key := authority.Issue(t, "ops")
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM)
	s.config = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
	folder := t.TempDir()
	s.ca, s.own, s.key = filepath.Join(folder, "ca.pem"), filepath.Join(folder, "me.pem"), filepath.Join(folder, "me.key")
	for path, content := range map[string][]byte{s.ca: authority.PEM, s.own: certificate, s.key: key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// readOverTLS reads from ZooKeeper's TLS port what it tells in plaintext.
func (s zooKeeperSecrets) readOverTLS(t *testing.T, c *cluster.Cluster) {
	plain, err := zk.Controller(t.Context(), c.ZooKeeper())
	if err != nil {
		t.Fatal(err)
	}
	secured, err := zk.Controller(t.Context(), c.ZooKeeperTLS(), zk.TLS(s.config))
	if err != nil || *secured.Data.Node != *plain.Data.Node || *secured.Data.Epoch != *plain.Data.Epoch || !slices.Equal(secured.Data.ZooKeeper.Brokers, []int32{1, 2, 3}) {
		t.Fatalf("%v: %+v", err, secured)
	}
	for event, err := range zk.Watch(t.Context(), c.ZooKeeperTLS(), zk.TLS(s.config)) {
		if err != nil || event.Kind != zk.Snapshot || *event.To != *plain.Data.Node {
			t.Errorf("%v: %+v", err, event)
		}
		break
	}
	// Whoever shows no certificate is not let in, nor is who speaks in plaintext there.
	anonymous := s.config.Clone()
	anonymous.Certificates = nil
	for name, options := range map[string][]zk.Option{"without a certificate": {zk.TLS(anonymous)}, "in plaintext": nil} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := zk.Controller(ctx, c.ZooKeeperTLS(), options...)
		cancel()
		if problem, ok := errors.AsType[inspect.Problem](err); !ok || problem.Code != inspect.CodeUnreachable {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, err)
	}

	g := buildGroupctl(t, c)
	command := []string{"cluster", "controller", "--zookeeper", c.ZooKeeperTLS(), "--tls", "--tls-ca", s.ca, "--tls-cert", s.own, "--tls-key", s.key}
	out, err := exec.CommandContext(t.Context(), g.path, command...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1,2,3") {
		t.Errorf("%v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watching := exec.CommandContext(ctx, g.path, append(command, "--watch")...)
	watching.Cancel = func() error { return watching.Process.Signal(os.Interrupt) }
	lines, err := watching.StdoutPipe()
	if err == nil {
		err = watching.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if first := bufio.NewScanner(lines); !first.Scan() || !strings.Contains(first.Text(), "held by zookeeper") {
		t.Errorf("the watch shows %q", first.Text())
	}
	cancel()
	_ = watching.Wait()
}

// zooKeeperAsksWhoReads has ZooKeeper hide a copy of Kafka's nodes from all but one user.
func (s zooKeeperSecrets) zooKeeperAsksWhoReads(t *testing.T, c *cluster.Cluster) {
	conn, _, err := client.Connect([]string{c.ZooKeeper()}, 10*time.Second, client.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.AddAuth("digest", []byte("ops:secret")); err != nil {
		t.Fatal(err)
	}
	hidden := client.DigestACL(client.PermAll, "ops", "secret")
	for _, node := range []string{"", "/controller", "/controller_epoch", "/brokers", "/brokers/ids", "/cluster", "/cluster/id"} {
		var content []byte
		if node != "" {
			if content, _, err = conn.Get(node); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := conn.Create("/hidden"+node, content, 0, hidden); err != nil {
			t.Fatal(err)
		}
	}
	before, err := zk.Controller(t.Context(), c.ZooKeeper())
	if err != nil {
		t.Fatal(err)
	}
	connect := "/hidden"
	for name, try := range map[string]struct {
		address string
		options []zk.Option
		ok      bool
	}{
		"the user":          {c.ZooKeeper(), []zk.Option{zk.Digest("ops", "secret")}, true},
		"the user, and TLS": {c.ZooKeeperTLS(), []zk.Option{zk.TLS(s.config), zk.Digest("ops", "secret")}, true},
		"the user, wrong":   {c.ZooKeeper(), []zk.Option{zk.Digest("ops", "another")}, false},
		"nobody":            {c.ZooKeeper(), nil, false},
		"nobody, and TLS":   {c.ZooKeeperTLS(), []zk.Option{zk.TLS(s.config)}, false},
	} {
		answer, err := zk.Controller(t.Context(), try.address+connect, try.options...)
		problem, _ := errors.AsType[inspect.Problem](err)
		if try.ok && (err != nil || *answer.Data.Node != *before.Data.Node) || !try.ok && problem.Code != inspect.CodeNotAuthorized {
			t.Errorf("%s: %v, %+v", name, err, answer)
		}
	}

	g := buildGroupctl(t, c)
	command := exec.CommandContext(t.Context(), g.path, "cluster", "controller", "--zookeeper", c.ZooKeeper()+connect, "--user", "ops")
	command.Env = append(os.Environ(), "GROUPCTL_PASSWORD=secret")
	if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "zookeeper") || !strings.Contains(string(out), "use --tls") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), g.path, "cluster", "controller", "--zookeeper", c.ZooKeeper()+connect).CombinedOutput(); exitOf(err) != 1 || !strings.Contains(string(out), "READ") {
		t.Errorf("%v: %s", err, out)
	}
}
