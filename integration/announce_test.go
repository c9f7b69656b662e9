package integration

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// joinAs848 asks to join a group as a member that speaks KIP-848 does, and leaves it
// again where it was let in.
func joinAs848(t *testing.T, client *kgo.Client, group, topic string) (message string, err error) {
	t.Helper()
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.RebalanceTimeoutMillis = group, base64.RawURLEncoding.EncodeToString(id), 10_000
	req.SubscribedTopicNames, req.Topics = []string{topic}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	resp, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ErrorMessage != nil {
		message = *resp.ErrorMessage
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return message, err
	}
	req.MemberEpoch = -1
	if _, err := req.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	return message, nil
}

// TestAnnouncementsAreInTheWayOfKIP848UntilOneRoundTakesThemOut holds the documentation
// of HooksConfig.Announce to the brokers.
func TestAnnouncementsAreInTheWayOfKIP848UntilOneRoundTakesThemOut(t *testing.T) {
	const partitions = 4
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startHooked(t, c, group, []string{topic}, member.HooksConfig{Announce: true})
	leader.leads(t)
	follower := startHooked(t, c, group, []string{topic}, member.HooksConfig{Announce: true})
	share(t, topic, partitions, leader, follower)
	if told := follower.last(member.EventAssigned); told.LeaderID != leader.id() || told.Reason == "" || told.Leader {
		t.Errorf("the follower was told of leader %q and reason %q; %q leads", told.LeaderID, told.Reason, leader.id())
	}

	client := newClient(t, c)
	message, err := joinAs848(t, client, group, topic)
	if !errors.Is(err, kerr.GroupIDNotFound) || !strings.Contains(message, "assignor") {
		t.Errorf("the broker answers a member that speaks KIP-848 with %v, %q", err, message)
	}
	t.Log(message)

	before := len(follower.all(member.EventAssigned))
	follower.hooks.SetAnnounce(false)
	leader.hooks.SetAnnounce(false)
	eventually(t, "a round has gone by", func() (bool, string) {
		rounds := len(follower.all(member.EventAssigned)) - before
		return rounds > 0, fmt.Sprint(rounds)
	})
	if message, err := joinAs848(t, client, group, topic); err != nil {
		t.Errorf("after one round the broker answers %v, %q", err, message)
	}
	eventually(t, "the group is led again when it has left", func() (bool, string) {
		return leader.hooks.Leading() || follower.hooks.Leading(), string(leader.hooks.State())
	})
	share(t, topic, partitions, leader, follower)
}

// TestAGroupMayHaveAProtocolTypeOfItsOwn shows what kgo.GroupProtocol does for a group,
// and costs it.
func TestAGroupMayHaveAProtocolTypeOfItsOwn(t *testing.T) {
	const partitions, records = 4, 100
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	own := kgo.GroupProtocol("groupkit")
	leader := startHooked(t, c, group, []string{topic}, member.HooksConfig{}, own)
	leader.leads(t)
	follower := startHooked(t, c, group, []string{topic}, member.HooksConfig{}, own)
	share(t, topic, partitions, leader, follower)

	client := newClient(t, c)
	if message, err := joinAs848(t, client, group, topic); !errors.Is(err, kerr.GroupIDNotFound) {
		t.Errorf("the broker answers a member that speaks KIP-848 with %v, %q", err, message)
	} else {
		t.Log(message)
	}
	refused := startRunner(t, c, group, topic, newBook(), func(cfg *member.Config) { cfg.GroupProtocol = member.ConsumerProtocol })
	eventually(t, "a Member that speaks KIP-848 tells that it is refused", func() (bool, string) {
		for _, e := range refused.told() {
			if e.Kind == member.EventLost && errors.Is(e.Err, kerr.GroupIDNotFound) {
				return true, ""
			}
		}
		return false, fmt.Sprint(refused.told())
	})
	for _, e := range refused.told() {
		if e.Kind == member.EventFetchFailed {
			t.Errorf("told as a fetch that failed: %v", e.Err)
		}
	}
	refused.close(t)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = group, "consumer", 10_000, 10_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = "balanced"
	join.Protocols = append(join.Protocols, protocol)
	joined, err := join.RequestWith(t.Context(), client)
	if err != nil || !errors.Is(kerr.ErrorForCode(joined.ErrorCode), kerr.InconsistentGroupProtocol) {
		t.Errorf("a standard consumer is answered with %v, %v", err, joined)
	}

	admin := kadm.NewClient(client)
	groups, err := admin.DescribeGroups(t.Context(), group)
	if err != nil || groups[group].ProtocolType != "groupkit" {
		t.Errorf("the brokers report protocol type %q, %v", groups[group].ProtocolType, err)
	}
	tool, err := c.Exec(t.Context(), 1, "java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", "/opt/kafka/libs/*", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
		"--bootstrap-server", c.InternalSeeds()[0], "--timeout", "60000", "--list")
	if err != nil || strings.Contains(tool, group) {
		t.Errorf("Kafka's tool lists %q, %v", tool, err)
	}

	// Committed offsets and lag are as in any group.
	produce(t, c, topic, records)
	eventually(t, "all is consumed and committed", func() (bool, string) {
		lags, err := admin.Lag(t.Context(), group)
		if err != nil {
			return false, err.Error()
		}
		offsets, err := admin.FetchOffsets(t.Context(), group)
		committed := int64(0)
		for _, o := range offsets.Offsets()[topic] {
			committed += o.At
		}
		return err == nil && committed == records, fmt.Sprintf("%d committed, lag %d", committed, lags[group].Lag.Total())
	})
}
