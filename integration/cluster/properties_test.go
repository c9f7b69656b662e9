package cluster

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNodeConfig(t *testing.T) {
	c, err := newConfig([]Option{
		WithNodes(2),
		WithProperty("a", "all"), WithNodeProperty(2, "a", "two"),
		WithProperty("num.io.threads", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	one, two := c.nodeConfig(1, "127.0.0.1:1", nil), c.nodeConfig(2, "127.0.0.1:2", nil)
	if one["a"] != "all" || two["a"] != "two" {
		t.Errorf("a is %q and %q", one["a"], two["a"])
	}
	if _, ok := one["num.io.threads"]; ok {
		t.Error("a property set to nothing is still there")
	}
	for key, want := range map[string]string{
		"broker.rack":                      "rack-2",
		"advertised.listeners":             "EXTERNAL://127.0.0.1:2,INTERNAL://kafka-2:19093",
		"controller.quorum.voters":         "1@kafka-1:19094,2@kafka-2:19094",
		"offsets.topic.replication.factor": "2",
		"min.insync.replicas":              "1",
	} {
		if two[key] != want {
			t.Errorf("%s is %q, want %q", key, two[key], want)
		}
	}
}

func TestMoreListeners(t *testing.T) {
	c, err := newConfig([]Option{WithListeners(Listener{"LOGIN", "SASL_SSL"}, Listener{"TLS", "SSL"})})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.freePorts()
	if err != nil {
		t.Fatal(err)
	}
	properties := c.nodeConfig(1, "127.0.0.1:1", p.addresses("127.0.0.1"))
	if !strings.HasSuffix(properties["listeners"], ",LOGIN://:19100,TLS://:19101") || !strings.HasSuffix(properties["listener.security.protocol.map"], ",LOGIN:SASL_SSL,TLS:SSL") ||
		!strings.Contains(properties["advertised.listeners"], ",LOGIN://127.0.0.1:2") {
		t.Errorf("%v", properties)
	}
	if published := c.published(p); len(published) != 3 || published[p.listeners["TLS"]] != 19101 || published[p.external] != externalPort {
		t.Errorf("%v of %v", published, p)
	}
	for _, bad := range []string{"", "login", "INTERNAL"} {
		if _, err := newConfig([]Option{WithListeners(Listener{bad, "SSL"})}); err == nil {
			t.Errorf("%q is a name", bad)
		}
	}
}

func TestZooKeeperConfig(t *testing.T) {
	c, err := newConfig([]Option{WithZooKeeper()})
	if err != nil {
		t.Fatal(err)
	}
	properties := c.nodeConfig(2, "127.0.0.1:2", nil)
	if c.version != ZooKeeperVersion || properties["broker.id"] != "2" || properties["zookeeper.connect"] != "zookeeper:2181" ||
		properties["node.id"]+properties["process.roles"]+properties["controller.quorum.voters"] != "" || strings.Contains(properties["listeners"], "CONTROLLER") {
		t.Errorf("%v", properties)
	}
}

func TestFormatProperties(t *testing.T) {
	got := formatProperties(map[string]string{
		"b": `C:\x`, "a": "two\nlines", "c": "  two blanks = kept", "d e:f=g#h!": "#!:", "ключ": "é😀~",
	})
	want := `a=two\u000alines
b=C:\\x
c=\  two blanks = kept
d\ e\:f\=g\#h\!=#!:
\u043a\u043b\u044e\u0447=\u00e9\ud83d\ude00~
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestConfigReportsEverything(t *testing.T) {
	_, err := newConfig([]Option{WithNodes(0), WithVersion(""), WithNodeProperty(4, "a", "b")})
	for _, want := range []string{"WithNodes(0)", `WithVersion("")`, "WithNodeProperty(4"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}

func TestAddress(t *testing.T) {
	got := address(netip.MustParsePrefix("172.18.0.0/16"), firstNode+1)
	if got.String() != "172.18.0.11" {
		t.Errorf("node 1 is at %v", got)
	}
}
