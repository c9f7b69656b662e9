package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// groupctlIsLetIn tries the listeners with one command, and then the commands.
func groupctlIsLetIn(t *testing.T, c *cluster.Cluster, authority *kafkatest.Authority) {
	g := buildGroupctl(t, c)
	folder := t.TempDir()
	certificate, key := authority.Issue(t, "full")
	jaas := `org.apache.kafka.common.security.scram.ScramLoginModule required username="full" password="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret) + `";`
	for name, content := range map[string]string{
		"ca": string(authority.PEM), "cert": string(certificate), "key": string(key),
		"password": secret, "wrong": "wrong",
		"client.properties": "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\nssl.truststore.type=PEM\nssl.truststore.location=" + filepath.Join(folder, "ca") +
			"\nsasl.jaas.config=" + strings.ReplaceAll(jaas, `\`, `\\`) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaders := "topic leaders orders"
	tests := []groupctlTest{
		{"TLS", "--tls --tls-ca @ca --tls-cert @cert --tls-key @key", leaders, 0, "orders"},
		{"BOTH", "--tls --tls-ca @ca --sasl scram-sha-512 --user full --password-file @password", leaders, 0, "orders"},
		{"BOTH", "--tls --tls-ca @ca --sasl plain --user full --password-file @password", leaders, 0, "orders"},
		{"BOTH", "--config @client.properties", leaders, 0, "orders"},
		{"LOGIN", "--sasl scram-sha-256 --user full --password-file @password", leaders, 0, "orders"},
		{"LOGIN", "--sasl plain --user full --password-file @password", leaders, 0, "sent as it is"},
		{"LOGIN", plainAs("topic"), leaders, 1, `DESCRIBE on the topic "orders"`},
		{"LOGIN", "--sasl plain --user full --password-file @wrong", leaders, 1, "SASL_AUTHENTICATION_FAILED"},
		{"BOTH", "--tls --tls-ca @ca --sasl scram-sha-512 --user full --password-file @wrong", leaders, 1, "SASL_AUTHENTICATION_FAILED"},
		{"BOTH", "--tls --sasl scram-sha-512 --user full --password-file @password", leaders, 1, "does not trust"},
		{"BOTH", "--sasl scram-sha-512 --user full --password-file @password", leaders, 1, "TLS"},
		{"TLS", "--tls --tls-ca @ca", leaders, 1, "the client's own certificate"},
		{"LOGIN", "", leaders, 1, "SASL"},
	}
	const byTLS, bySCRAM, byPlain = "--tls --tls-ca @ca --tls-cert @cert --tls-key @key", "--tls --tls-ca @ca --sasl scram-sha-512 --user full --password-file @password", "--tls --tls-ca @ca --sasl plain --user full --password-file @password"
	tests = append(tests, []groupctlTest{
		{"TLS", byTLS, "group list --lag", 0, "streamers"},
		{"LOGIN", plainAs("topic"), "group list", 5, `DESCRIBE on all topics of the group "streamers"`},
		{"LOGIN", plainAs("topic"), "group list --type classic --lag", 5, `DESCRIBE on the topic "orders"`},
		{"LOGIN", plainAs(noRights), "group list", 0, "GROUP"},
		{"BOTH", bySCRAM, "group describe workers", 0, "orders"},
		{"LOGIN", plainAs("offsetsRead"), "group describe workers", 0, "READ on the topic __consumer_offsets"},
		{"LOGIN", plainAs("topic"), "group describe workers-848", 5, `DESCRIBE on all topics of the group "workers-848"`},
		{"LOGIN", plainAs(noRights), "group describe workers", 1, `DESCRIBE on the group "workers"`},
		{"BOTH", byPlain, "group explain workers --for 1s", 0, "workers: Stable, 1 member"},
		{"LOGIN", plainAs("offsetsRead"), "group explain workers --for 1s", 0, "READ on the topic __consumer_offsets"},
		{"LOGIN", plainAs("group"), "group explain workers --for 1s", 5, `DESCRIBE on the group "workers"`},
		{"LOGIN", plainAs(noRights), "group explain workers --for 1s", 1, `DESCRIBE on the group "workers"`},
		{"TLS", byTLS, "impact --brokers-down 1,2,3", 0, "orders"},
		{"LOGIN", plainAs("configs"), "impact --brokers-down 1", 0, "DESCRIBE_CONFIGS"},
		{"LOGIN", plainAs("clusterDescribe"), "impact --brokers-down 1", 5, "DESCRIBE on the cluster"},
		{"BOTH", bySCRAM, "elect preferred orders", 0, "nothing was changed"},
		{"LOGIN", plainAs("topic"), "elect preferred orders", 1, `DESCRIBE on the topic "orders"`},
		{"LOGIN", plainAs("clusterDescribe"), "elect preferred orders", 0, "DESCRIBE on the cluster"},
		{"LOGIN", plainAs("alter"), "elect preferred orders --execute", 1, "ALTER on the cluster"},
	}...)
	var running sync.WaitGroup
	slots := make(chan struct{}, 3)
	for _, test := range tests {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			test.run(t, g, folder)
		})
	}
	running.Wait()
	groupctlTest{"TLS", byTLS, "elect preferred orders --execute", 0, "ELECTED"}.run(t, g, folder)
	watchIsInterrupted(t, groupctlTest{"BOTH", bySCRAM, "watch -o jsonl", 0, `"controller":{"node":`}, g, folder)
	watchIsInterrupted(t, groupctlTest{"LOGIN", plainAs("offsetsRead"), "watch groups -o jsonl", 0, "READ on the topic __consumer_offsets"}, g, folder)
}

// groupctlTest is one run: how it logs in at a listener, with files by an @, what it asks,
// its exit code, and what it has to say.
type groupctlTest struct {
	listener, login, args string
	code                  int
	says                  string
}

func plainAs(user string) string { return "--sasl plain --password-file @password --user " + user }

func (test groupctlTest) command(ctx context.Context, g groupctl, folder string) *exec.Cmd {
	args := strings.Fields(strings.ReplaceAll(test.login, "@", folder+"/"))
	args = append(args, "-b", strings.Join(g.c.ListenerSeeds(test.listener), ","))
	return exec.CommandContext(ctx, g.path, append(args, strings.Fields(test.args)...)...)
}

func (test groupctlTest) run(t *testing.T, g groupctl, folder string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := test.command(ctx, g, folder).CombinedOutput()
	test.judge(t, out, err)
}

func (test groupctlTest) judge(t *testing.T, out []byte, err error) {
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Error(err)
	}
	if code != test.code || !strings.Contains(string(out), test.says) || strings.Contains(string(out), secret) {
		t.Errorf("%s %q %q: exit %d, want %d and %q:\n%s", test.listener, test.login, test.args, code, test.code, test.says, out)
	}
	if test.code != 0 {
		t.Logf("%s %q %q: %s", test.listener, test.login, test.args, out)
	}
}

// watchIsInterrupted reads what a watch prints until it says what it has to, and
// interrupts it.
func watchIsInterrupted(t *testing.T, test groupctlTest, g groupctl, folder string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := test.command(ctx, g, folder)
	stdout, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	interrupted := false
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct{ Schema, Kind string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Schema != "groupctl/v1/watch" || line.Kind == "" {
			t.Errorf("%q: %v, %s", test.args, err, lines.Bytes())
		}
		out = append(append(out, lines.Bytes()...), '\n')
		if !interrupted && strings.Contains(lines.Text(), test.says) {
			interrupted = true
			if err := command.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	test.judge(t, out, command.Wait())
}
