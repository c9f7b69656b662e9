package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// serveLeaders makes the partitions 0 to 4 of "orders" well, not led by the preferred
// broker, under-replicated, under their min.insync.replicas, and offline.
func serveLeaders(t *testing.T) (*kfake.Cluster, string) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.ClusterID("fake"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	if err := fake.CreateTopic("orders", 5, map[string]string{"min.insync.replicas": "2"}); err != nil {
		t.Fatal(err)
	}
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic = kmsg.StringPtr("orders")
		for i, p := range []struct {
			leader int32
			isr    []int32
		}{{0, []int32{0, 1, 2}}, {1, []int32{1, 0, 2}}, {0, []int32{0, 2}}, {2, []int32{2}}, {-1, nil}} {
			partition := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			partition.Partition, partition.LeaderID, partition.LeaderEpoch = int32(i), p.leader, 3
			partition.Replicas, partition.ISR, partition.EligibleLeaderReplicas = []int32{0, 1, 2}, p.isr, []int32{}
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	return fake, strings.Join(fake.ListenAddrs(), ",")
}

func TestLeadersThatAreAskedFor(t *testing.T) {
	_, address := serveLeaders(t)
	for flags, want := range map[string]string{
		"":                            "0 ok,1 not-preferred,2 under-replicated,3 under-min-isr,not-preferred,4 offline",
		"--not-preferred":             "1 not-preferred,3 under-min-isr,not-preferred,4 offline",
		"--under-replicated":          "2 under-replicated,3 under-min-isr,not-preferred,4 offline",
		"--under-min-isr":             "3 under-min-isr,not-preferred,4 offline",
		"--offline":                   "4 offline",
		"--offline --not-preferred":   "1 not-preferred,3 under-min-isr,not-preferred,4 offline",
		"--offline orders":            "4 offline",
		"--offline=false --offline=0": "0 ok,1 not-preferred,2 under-replicated,3 under-min-isr,not-preferred,4 offline",
	} {
		result := runArgs(t, append([]string{"-b", address, "topic", "leaders"}, strings.Fields(flags)...)...)
		var got []string
		for line := range strings.Lines(result.stdout) {
			if cells := strings.Fields(line); cells[0] == "orders" {
				got = append(got, cells[1]+" "+cells[len(cells)-1])
			}
		}
		if result.code != exitFound || strings.Join(got, ",") != want {
			t.Errorf("%q: %v, want %s: %+v", flags, got, want, result)
		}
	}
}

func TestLeadersWhoseMinISRMayNotBeRead(t *testing.T) {
	fake, address := serveLeaders(t)
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	for flags, code := range map[string]int{"": exitFound, "--offline": exitFound, "--under-min-isr": exitPartial} {
		result := runArgs(t, append([]string{"-b", address, "-o", "json", "topic", "leaders"}, strings.Fields(flags)...)...)
		p := parse(t, result.stdout)
		if result.code != code || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0]["message"], "DESCRIBE_CONFIGS") {
			t.Errorf("%q: %+v", flags, result)
		}
		if code == exitPartial && (fmt.Sprint(p.Data) != "[]" || p.Errors[0]["code"] != "MIN_ISR_UNKNOWN") {
			t.Errorf("%q: %+v", flags, result)
		}
	}
}
