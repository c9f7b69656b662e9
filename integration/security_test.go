package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
	"configs": {
		{kmsg.ACLResourceTypeTopic, "orders", kmsg.ACLOperationDescribeConfigs},
		{kmsg.ACLResourceTypeTopic, "__consumer_offsets", kmsg.ACLOperationDescribeConfigs},
		{kmsg.ACLResourceTypeTopic, "__transaction_state", kmsg.ACLOperationDescribeConfigs},
		{kmsg.ACLResourceTypeTopic, "__share_group_state", kmsg.ACLOperationDescribeConfigs},
	},
	"offsetsTopic": {{kmsg.ACLResourceTypeTopic, "__consumer_offsets", kmsg.ACLOperationDescribe}},
	"offsetsRead":  {{kmsg.ACLResourceTypeTopic, "__consumer_offsets", kmsg.ACLOperationRead}},
	"group": {
		{kmsg.ACLResourceTypeGroup, "workers", kmsg.ACLOperationDescribe},
		{kmsg.ACLResourceTypeGroup, "workers-848", kmsg.ACLOperationDescribe},
		{kmsg.ACLResourceTypeGroup, "sharers", kmsg.ACLOperationDescribe},
		{kmsg.ACLResourceTypeGroup, "streamers", kmsg.ACLOperationDescribe},
		{kmsg.ACLResourceTypeGroup, "stuck", kmsg.ACLOperationDescribe},
	},
	"transaction":   {{kmsg.ACLResourceTypeTransactionalId, "writer", kmsg.ACLOperationDescribe}},
	"txnTopic":      {{kmsg.ACLResourceTypeTopic, "__transaction_state", kmsg.ACLOperationDescribe}},
	"alter":         {{kmsg.ACLResourceTypeCluster, "kafka-cluster", kmsg.ACLOperationAlter}},
	"clusterAction": {{kmsg.ACLResourceTypeCluster, "kafka-cluster", kmsg.ACLOperationClusterAction}},
	"shareTopic":    {{kmsg.ACLResourceTypeTopic, "__share_group_state", kmsg.ACLOperationDescribe}},
}

type right struct {
	kind      kmsg.ACLResourceType
	name      string
	operation kmsg.ACLOperation
}

// noRights is a user who has none.
const noRights = "nothing"

// users are one for each right, who lacks it, one who has all, and one who has none.
func users() []string { return append(slices.Sorted(maps.Keys(rights)), "full", noRights) }

// lacking are the rights that a user is without: READ and ALTER imply DESCRIBE, so whoever
// lacks the latter lacks both.
func lacking(user string) []string {
	switch user {
	case "offsetsTopic":
		return []string{"offsetsTopic", "offsetsRead"}
	case "clusterDescribe":
		return []string{"clusterDescribe", "alter"}
	case noRights:
		return slices.Collect(maps.Keys(rights))
	}
	return []string{user}
}

// TestSecurity has one cluster with an authorizer, and with listeners for TLS and SASL.
func TestSecurity(t *testing.T) {
	authority := kafkatest.NewAuthority(t)
	c := startSecured(t, authority)
	t.Run("with all rights, all is told", func(t *testing.T) { allIsTold(t, c) })
	watches := startWatches(t, c)
	t.Run("an election takes its right", func(t *testing.T) { electionsTakeTheirRight(t, c) })
	watches.tellWhatChanges(t, c)
	t.Run("each missing right is named, and the rest is told", func(t *testing.T) { rightsAreNamed(t, c) })
	t.Run("groupctl is let in by TLS, PLAIN and SCRAM", func(t *testing.T) { groupctlIsLetIn(t, c, authority) })
	t.Run("members tell what keeps them out", func(t *testing.T) { membersTellWhatKeepsThemOut(t, c) })
	t.Run("watches tell what stands still, and name the rights", func(t *testing.T) { watches.tellWhatStandsStill(t) })
}

// startSecured starts the cluster, with all that the views look at, and a user for each
// right who has all but that.
func startSecured(t *testing.T, authority *kafkatest.Authority) *cluster.Cluster {
	t.Helper()
	certificate, key := authority.Issue(t, "broker", "127.0.0.1", "localhost")
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret)
	logins := `org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="-"`
	for _, user := range users() {
		logins += fmt.Sprintf(` user_%s="%s"`, user, quoted)
	}
	options := []cluster.Option{
		cluster.WithListeners(cluster.Listener{Name: "LOGIN", Protocol: "SASL_PLAINTEXT"}, cluster.Listener{Name: "BOTH", Protocol: "SASL_SSL"}, cluster.Listener{Name: "TLS", Protocol: "SSL"}),
		cluster.WithProperty("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
		cluster.WithProperty("super.users", "User:ANONYMOUS"),
		cluster.WithProperty("auto.leader.rebalance.enable", "false"), // who holds elections here is the test
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
	known(t, c, "orders")
	preferAnother(t, ctx, admin, "orders")
	super := looker{inspect.New(client, inspect.CreateInternalTopics()), client}
	eventually(t, "transactions and shares have coordinators", func() (bool, string) {
		transactions, err := super.TransactionCoordinators(ctx, "writer")
		shares, err2 := super.ShareCoordinators(ctx, inspect.ShareKey("jobs", [16]byte{1}, 0))
		return err == nil && err2 == nil && transactions.Err() == nil && shares.Err() == nil, fmt.Sprint(err, err2, transactions.Err(), shares.Err())
	})
	startReader(t, c, "workers", "orders")
	startReader(t, c, "workers-848", "orders", kgo.ServerSideBalancer())
	startSharer(t, c, "sharers", "orders")
	streamer := startStreamsMember(t, c, "streamers", "orders")
	eventually(t, "the streams group has committed", func() (bool, string) {
		err := streamer.commit(ctx, "orders", map[int32]int64{0: 0, 1: 0})
		return err == nil, fmt.Sprint(err)
	})
	if err := admin.CommitAllOffsets(ctx, "stuck", kadm.OffsetsFromRecords(kgo.Record{Topic: "orders", Offset: -1}, kgo.Record{Topic: "orders", Partition: 1, Offset: -1})); err != nil {
		t.Fatal(err)
	}
	startStuck(t, c)
	for _, view := range []string{"classic group", "consumer group", "share group", "streams group"} {
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
	grant(t, ctx, client)
	return c
}

// grant gives each user all rights but those that it is named for.
func grant(t *testing.T, ctx context.Context, client *kgo.Client) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, user := range append(users(), "CN=full") {
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

// preferAnother has each partition of a topic led by a replica that is not its first.
func preferAnother(t *testing.T, ctx context.Context, admin *kadm.Client, topic string) {
	t.Helper()
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	var moves kadm.AlterPartitionAssignmentsReq
	for _, p := range topics[topic].Partitions {
		others := slices.DeleteFunc(slices.Clone(p.Replicas), func(r int32) bool { return r == p.Leader })
		moves.Assign(topic, p.Partition, append(others, p.Leader))
	}
	if _, err := admin.AlterPartitionAssignments(ctx, moves); err != nil {
		t.Fatal(err)
	}
}

// startStuck starts a member of the group "stuck", which takes partitions and commits nothing.
func startStuck(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	startReader(t, c, "stuck", "orders", kgo.DisableAutoCommit())
}
