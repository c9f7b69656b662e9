package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// secret is the password of all users; it has what configurations have to escape.
const secret = `p"w\ =;#`

// rights are what a user of all views needs, by a name for who lacks them.
var rights = map[string][]right{
	"clusterDescribe": {{kmsg.ACLResourceTypeCluster, "kafka-cluster", kmsg.ACLOperationDescribe}},
	"topic":           {{kmsg.ACLResourceTypeTopic, "orders", kmsg.ACLOperationDescribe}},
	"configs":         {{kmsg.ACLResourceTypeTopic, "orders", kmsg.ACLOperationDescribeConfigs}},
	"offsetsTopic":    {{kmsg.ACLResourceTypeTopic, "__consumer_offsets", kmsg.ACLOperationDescribe}},
	"offsetsRead":     {{kmsg.ACLResourceTypeTopic, "__consumer_offsets", kmsg.ACLOperationRead}},
	"group": {
		{kmsg.ACLResourceTypeGroup, "workers", kmsg.ACLOperationDescribe},
		{kmsg.ACLResourceTypeGroup, "workers-848", kmsg.ACLOperationDescribe},
		{kmsg.ACLResourceTypeGroup, "sharers", kmsg.ACLOperationDescribe},
	},
	"transaction":   {{kmsg.ACLResourceTypeTransactionalId, "writer", kmsg.ACLOperationDescribe}},
	"txnTopic":      {{kmsg.ACLResourceTypeTopic, "__transaction_state", kmsg.ACLOperationDescribe}},
	"clusterAction": {{kmsg.ACLResourceTypeCluster, "kafka-cluster", kmsg.ACLOperationClusterAction}},
	"shareTopic":    {{kmsg.ACLResourceTypeTopic, "__share_group_state", kmsg.ACLOperationDescribe}},
}

type right struct {
	kind      kmsg.ACLResourceType
	name      string
	operation kmsg.ACLOperation
}

// lacking are the rights that a user is without: READ implies DESCRIBE, so whoever lacks
// the latter lacks both.
func lacking(name string) []string {
	if name == "offsetsTopic" {
		return []string{"offsetsTopic", "offsetsRead"}
	}
	return []string{name}
}

// seen is what a view told.
type seen struct {
	holds    string
	problems []inspect.Problem
}

// views are all of them, each with what it holds in short.
var views = map[string]func(context.Context, *inspect.Inspector) (seen, error){
	"controller": func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.Controller(ctx)
		holds := "nothing"
		if a.Data.Node != nil {
			holds = fmt.Sprintf("a controller of %d voters", len(a.Data.Voters))
		}
		return seen{holds, slices.Concat(a.Errors, a.Warnings)}, err
	},
	"partitions": func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.Partitions(ctx, "orders")
		return seen{partitionsHold(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"all partitions": func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.Partitions(ctx)
		return seen{partitionsHold(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"brokers": func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.Brokers(ctx)
		led := 0
		for _, b := range a.Data {
			led += *b.Leads
		}
		return seen{fmt.Sprintf("%d brokers, some lead: %v", len(a.Data), led > 0), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"coordinators": func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.Coordinators(ctx, "workers")
		return seen{coordinatorHolds(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"transactions": func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.TransactionCoordinators(ctx, "writer")
		return seen{coordinatorHolds(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"shares": func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.ShareCoordinators(ctx, inspect.ShareKey("jobs", [16]byte{1}, 0))
		return seen{coordinatorHolds(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"classic group":  groupView("workers"),
	"consumer group": groupView("workers-848"),
	"share group":    groupView("sharers"),
	"history": func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.OffsetsLog(ctx, "workers", inspect.LogRange{})
		return seen{fmt.Sprintf("records: %v", a.Data != nil && a.Data.Records > 0), slices.Concat(a.Errors, a.Warnings)}, err
	},
}

func groupView(group string) func(context.Context, *inspect.Inspector) (seen, error) {
	return func(ctx context.Context, in *inspect.Inspector) (seen, error) {
		a, err := in.DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true}, group)
		holds := "nothing"
		if len(a.Data) == 1 {
			g := a.Data[0]
			lag := "none"
			if g.Lag != nil {
				known := 0
				for _, p := range g.Lag.Partitions {
					if p.Committed != nil && p.Lag != nil {
						known++
					}
				}
				lag = fmt.Sprintf("%d, uncommitted %d, unknown %d", known, g.Lag.Uncommitted, g.Lag.Unknown)
			}
			holds = fmt.Sprintf("members: %d, leader: %v, since: %v, lag: %s", len(g.Members), g.Leader != nil, g.Since != nil, lag)
		}
		return seen{holds, slices.Concat(a.Errors, a.Warnings)}, err
	}
}

func partitionsHold(rows []inspect.Partition) string {
	led, known := 0, 0
	for _, p := range rows {
		if p.Leader != nil && len(p.ISR) == 3 {
			led++
		}
		if p.UnderMinISR != nil {
			known++
		}
	}
	return fmt.Sprintf("%d partitions, %d led, %d with min ISR", len(rows), led, known)
}

func coordinatorHolds(rows []inspect.Coordinator) string {
	r := rows[0]
	return fmt.Sprintf("partition: %v, leader: %v, coordinator: %v", r.Partition != nil, r.Leader != nil, r.Coordinator != nil)
}

const (
	wholePartitions  = "2 partitions, 2 led, 2 with min ISR"
	wholeCoordinator = "partition: true, leader: true, coordinator: true"
)

// whole is what each view holds for somebody with all rights.
var whole = map[string]string{
	"controller":     "a controller of 3 voters",
	"partitions":     wholePartitions,
	"all partitions": wholePartitions,
	"brokers":        "3 brokers, some lead: true",
	"coordinators":   wholeCoordinator,
	"transactions":   wholeCoordinator,
	"shares":         wholeCoordinator,
	"classic group":  "members: 1, leader: true, since: true, lag: 2, uncommitted 0, unknown 0",
	"consumer group": "members: 1, leader: false, since: true, lag: 2, uncommitted 0, unknown 0",
	"share group":    "members: 1, leader: false, since: true, lag: 2, uncommitted 0, unknown 0",
	"history":        "records: true",
}

// stillHolds is what a view still holds for who lacks a right, and the ACL that it names;
// none where brokers silently leave out what may not be seen.
var stillHolds = map[string]map[string]struct{ holds, acl string }{
	"clusterDescribe": {"controller": {"nothing", "DESCRIBE on the cluster"}},
	"topic": {
		"partitions":     {"0 partitions, 0 led, 0 with min ISR", `DESCRIBE on the topic "orders"`},
		"all partitions": {"0 partitions, 0 led, 0 with min ISR", ""},
		"classic group":  {"members: 1, leader: true, since: true, lag: 0, uncommitted 0, unknown 2", `DESCRIBE on the topic "orders"`},
		"consumer group": {"members: 0, leader: false, since: false, lag: none", `DESCRIBE on all topics of the group "workers-848"`},
		"share group":    {"members: 0, leader: false, since: false, lag: none", `DESCRIBE on all topics of the group "sharers"`},
	},
	"configs": {
		"partitions":     {"2 partitions, 2 led, 0 with min ISR", "DESCRIBE_CONFIGS"},
		"all partitions": {"2 partitions, 2 led, 0 with min ISR", "DESCRIBE_CONFIGS"},
	},
	"offsetsTopic": {
		"coordinators":   {"partition: false, leader: false, coordinator: false", "DESCRIBE on the topic __consumer_offsets"},
		"classic group":  {"members: 1, leader: false, since: false, lag: 2, uncommitted 0, unknown 0", "__consumer_offsets"},
		"consumer group": {"members: 1, leader: false, since: false, lag: 2, uncommitted 0, unknown 0", "__consumer_offsets"},
		"share group":    {"members: 1, leader: false, since: false, lag: 2, uncommitted 0, unknown 0", "__consumer_offsets"},
		"history":        {"records: false", "__consumer_offsets"},
	},
	"offsetsRead": {
		"classic group":  {"members: 1, leader: false, since: false, lag: 2, uncommitted 0, unknown 0", "READ on the topic __consumer_offsets"},
		"consumer group": {"members: 1, leader: false, since: false, lag: 2, uncommitted 0, unknown 0", "READ on the topic __consumer_offsets"},
		"share group":    {"members: 1, leader: false, since: false, lag: 2, uncommitted 0, unknown 0", "READ on the topic __consumer_offsets"},
		"history":        {"records: false", "READ on the topic __consumer_offsets"},
	},
	"group": {
		"coordinators":   {"partition: true, leader: true, coordinator: false", `DESCRIBE on the group "workers"`},
		"classic group":  {"members: 0, leader: false, since: true, lag: none", `DESCRIBE on the group "workers"`},
		"consumer group": {"members: 0, leader: false, since: false, lag: none", `DESCRIBE on the group "workers-848"`},
		"share group":    {"members: 0, leader: false, since: false, lag: none", `DESCRIBE on the group "sharers"`},
	},
	"transaction": {"transactions": {"partition: true, leader: true, coordinator: false", `DESCRIBE on the transactional id "writer"`}},
	"txnTopic":    {"transactions": {"partition: false, leader: false, coordinator: false", "DESCRIBE on the topic __transaction_state"}},
	"clusterAction": {
		"shares": {"partition: true, leader: true, coordinator: false", "CLUSTER_ACTION on the cluster"},
	},
	"shareTopic": {"shares": {"partition: false, leader: false, coordinator: false", "DESCRIBE on the topic __share_group_state"}},
}

// TestSecurity has one cluster with an authorizer, and with listeners for TLS and SASL.
func TestSecurity(t *testing.T) {
	authority := kafkatest.NewAuthority(t)
	c := startSecured(t, authority)
	t.Run("each missing right is named, and the rest is told", func(t *testing.T) { rightsAreNamed(t, c) })
	t.Run("members tell what keeps them out", func(t *testing.T) { membersTellWhatKeepsThemOut(t, c) })
	t.Run("groupctl is let in by TLS, PLAIN and SCRAM", func(t *testing.T) { groupctlIsLetIn(t, c, authority) })
}

// startSecured starts the cluster, with all that the views look at, and a user for each
// right who has all but that.
func startSecured(t *testing.T, authority *kafkatest.Authority) *cluster.Cluster {
	t.Helper()
	certificate, key := authority.Issue(t, "broker", "127.0.0.1", "localhost")
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret)
	logins := `org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="-"`
	users := append(slices.Sorted(maps.Keys(rights)), "full")
	for _, user := range users {
		logins += fmt.Sprintf(` user_%s="%s"`, user, quoted)
	}
	options := []cluster.Option{
		cluster.WithListeners(cluster.Listener{Name: "LOGIN", Protocol: "SASL_PLAINTEXT"}, cluster.Listener{Name: "BOTH", Protocol: "SASL_SSL"}, cluster.Listener{Name: "TLS", Protocol: "SSL"}),
		cluster.WithProperty("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
		cluster.WithProperty("super.users", "User:ANONYMOUS"),
		cluster.WithProperty("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
		cluster.WithProperty("ssl.keystore.type", "PEM"),
		cluster.WithProperty("ssl.keystore.certificate.chain", string(certificate)),
		cluster.WithProperty("ssl.keystore.key", string(key)),
		cluster.WithProperty("ssl.truststore.type", "PEM"),
		cluster.WithProperty("ssl.truststore.certificates", string(authority.PEM)),
		cluster.WithProperty("listener.name.tls.ssl.client.auth", "required"),
	}
	for _, listener := range []string{"login", "both"} {
		prefix := "listener.name." + listener + "."
		options = append(options, cluster.WithProperty(prefix+"plain.sasl.jaas.config", logins+";"))
		for _, mechanism := range []string{"scram-sha-256", "scram-sha-512"} {
			options = append(options, cluster.WithProperty(prefix+mechanism+".sasl.jaas.config", "org.apache.kafka.common.security.scram.ScramLoginModule required;"))
		}
	}
	c := cluster.Start(t, options...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := newClient(t, c)
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, 2, 3, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	super := inspect.New(client, inspect.CreateInternalTopics())
	eventually(t, "transactions and shares have coordinators", func() (bool, string) {
		transactions, err := super.TransactionCoordinators(ctx, "writer")
		shares, err2 := super.ShareCoordinators(ctx, inspect.ShareKey("jobs", [16]byte{1}, 0))
		return err == nil && err2 == nil && transactions.Err() == nil && shares.Err() == nil, fmt.Sprint(err, err2, transactions.Err(), shares.Err())
	})
	startReader(t, c, "workers", "orders")
	startReader(t, c, "workers-848", "orders", kgo.ServerSideBalancer())
	startSharer(t, c, "sharers", "orders")
	for _, view := range []string{"classic group", "consumer group", "share group"} {
		eventually(t, "the "+view+" is whole", func() (bool, string) {
			// A share group begins at the end of the log, and has no offset before
			// it was given a record.
			produceValues(t, c, "orders", "value", 2)
			told, err := views[view](ctx, super)
			return err == nil && told.holds == whole[view], fmt.Sprint(err, told)
		})
	}
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} { // one a request
		altered, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "full", Mechanism: mechanism, Iterations: 4096, Password: secret}})
		if err != nil || altered.Error() != nil {
			t.Fatal(err, altered.Error())
		}
	}
	grant(t, ctx, client, users)
	return c
}

// grant gives each user all rights but those that it is named for.
func grant(t *testing.T, ctx context.Context, client *kgo.Client, users []string) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, user := range append(users, "CN=full") {
		for name, all := range rights {
			if slices.Contains(lacking(user), name) {
				continue
			}
			for _, r := range all {
				creation := kmsg.NewCreateACLsRequestCreation()
				creation.ResourceType, creation.ResourceName, creation.Operation = r.kind, r.name, r.operation
				creation.ResourcePatternType = kmsg.ACLResourcePatternTypeLiteral
				creation.Principal, creation.Host, creation.PermissionType = "User:"+user, "*", kmsg.ACLPermissionTypeAllow
				req.Creations = append(req.Creations, creation)
			}
		}
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range resp.Results {
		if err := kerr.ErrorForCode(result.ErrorCode); err != nil {
			t.Fatal(err)
		}
	}
}

func rightsAreNamed(t *testing.T, c *cluster.Cluster) {
	as := func(user string) *inspect.Inspector {
		client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenerSeeds("LOGIN")...), kgo.SASL(plain.Auth{User: user, Pass: secret}.AsMechanism()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return inspect.New(client)
	}
	look := func(in *inspect.Inspector, view string) seen {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		told, err := views[view](ctx, in)
		if err != nil {
			told.problems = append(told.problems, inspect.Problem{Message: "FAILED " + err.Error()})
		}
		return told
	}
	// ACLs and users come to the brokers one after the other.
	full := as("full")
	for _, view := range slices.Sorted(maps.Keys(views)) {
		eventually(t, "with all rights, "+view+" are whole", func() (bool, string) {
			told := look(full, view)
			return told.holds == whole[view] && len(told.problems) == 0, fmt.Sprintf("%+v", told)
		})
	}
	for _, user := range slices.Sorted(maps.Keys(rights)) {
		in := as(user)
		for _, view := range slices.Sorted(maps.Keys(views)) {
			want, lacks := stillHolds[user][view]
			if !lacks {
				want.holds = whole[view]
			}
			told := look(in, view)
			if told.holds != want.holds {
				t.Errorf("without %s, %s hold %q, want %q; %+v", user, view, told.holds, want.holds, told.problems)
			}
			named := slices.ContainsFunc(told.problems, func(p inspect.Problem) bool {
				return p.Code == inspect.CodeNotAuthorized && strings.Contains(p.Message, want.acl)
			})
			if want.acl != "" && !named || want.acl == "" && len(told.problems) > 0 {
				t.Errorf("without %s, %s name %+v, want %q", user, view, told.problems, want.acl)
			}
			for _, p := range told.problems {
				t.Logf("without %s, %s: %s", user, view, p.Message)
			}
		}
	}
}

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
	for _, test := range []struct {
		listener, args string
		code           int
		says           string
	}{
		{"TLS", "--tls --tls-ca @ca --tls-cert @cert --tls-key @key", 0, ""},
		{"BOTH", "--tls --tls-ca @ca --sasl scram-sha-512 --user full --password-file @password", 0, ""},
		{"BOTH", "--tls --tls-ca @ca --sasl plain --user full --password-file @password", 0, ""},
		{"BOTH", "--config @client.properties", 0, ""},
		{"LOGIN", "--sasl scram-sha-256 --user full --password-file @password", 0, ""},
		{"LOGIN", "--sasl plain --user full --password-file @password", 0, "sent as it is"},
		{"LOGIN", "--sasl plain --user topic --password-file @password", 1, `DESCRIBE on the topic "orders"`},
		{"LOGIN", "--sasl plain --user full --password-file @wrong", 1, "SASL_AUTHENTICATION_FAILED"},
		{"BOTH", "--tls --tls-ca @ca --sasl scram-sha-512 --user full --password-file @wrong", 1, "SASL_AUTHENTICATION_FAILED"},
		{"BOTH", "--tls --sasl scram-sha-512 --user full --password-file @password", 1, "does not trust"},
		{"BOTH", "--sasl scram-sha-512 --user full --password-file @password", 1, "TLS"},
		{"TLS", "--tls --tls-ca @ca", 1, "the client's own certificate"},
		{"LOGIN", "", 1, "SASL"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		args := strings.Fields(strings.ReplaceAll(test.args, "@", folder+"/"))
		command := exec.CommandContext(ctx, g.path, append(args, "-b", strings.Join(c.ListenerSeeds(test.listener), ","), "topic", "leaders", "orders")...)
		out, err := command.CombinedOutput()
		cancel()
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != test.code || !strings.Contains(string(out), test.says) || strings.Contains(string(out), secret) {
			t.Errorf("%s %q: exit %d, want %d and %q:\n%s", test.listener, test.args, code, test.code, test.says, out)
		}
		if test.code != 0 {
			t.Logf("%s %q: %s", test.listener, test.args, out)
		}
	}
}
