package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/predict"
)

func TestElectUsage(t *testing.T) {
	for args, says := range map[string]string{
		"elect":                                      "needs a command",
		"elect clean":                                `no command "clean"`,
		"-b x elect preferred :0":                    "names no topic",
		"-b x elect preferred orders:":               "not the number of a partition",
		"-b x elect preferred orders:0,-1":           `"-1" in "orders:0,-1"`,
		"-b x elect preferred orders:0-3":            "give TOPIC:0,3",
		"-b x elect preferred --records-may-be-lost": "there is no flag",
		"-b x elect unclean orders --execute":        "--records-may-be-lost",
		"-b x elect unclean --execute":               "--records-may-be-lost",
	} {
		result := runArgs(t, strings.Fields(args)...)
		if result.code != exitUsage || result.stdout != "" || strings.Count(result.stderr, "\n") != 1 || !strings.Contains(result.stderr, says) {
			t.Errorf("%s: %+v", args, result)
		}
	}
}

func TestParsePartitions(t *testing.T) {
	got, err := parsePartitions([]string{"orders:0,3", "payments", "a.b-c_d:2147483647"})
	want := []predict.TopicPartition{{Topic: "orders"}, {Topic: "orders", Partition: 3}, {Topic: "payments", Partition: predict.AllPartitions}, {Topic: "a.b-c_d", Partition: 2147483647}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// newUnbalancedCluster is a fake whose orders-0 is led by its second replica until an
// election, and whose orders-1 has a first replica that is down. Whether it tells is
// whether its controller says anything of what it is asked for.
func newUnbalancedCluster(t *testing.T, tells bool) string {
	t.Helper()
	fake, address := newCluster(t)
	serveQuorum(t, fake)
	leader := int32(1)
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic = kmsg.StringPtr("orders")
		for number, replicas := range [][]int32{{0, 1}, {9, 2}} {
			p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			p.Partition, p.Replicas, p.ISR = int32(number), replicas, replicas[1:]
			p.LeaderID, p.EligibleLeaderReplicas, p.LastKnownELR = 2, []int32{}, []int32{}
			if number == 0 {
				p.LeaderID, p.ISR = leader, replicas
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.ElectLeaders), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
		if !tells {
			return resp, nil, true
		}
		for _, asked := range req.(*kmsg.ElectLeadersRequest).Topics {
			topic := kmsg.NewElectLeadersResponseTopic()
			topic.Topic = asked.Topic
			for _, number := range asked.Partitions {
				p := kmsg.NewElectLeadersResponseTopicPartition()
				if p.Partition = number; number == 1 {
					p.ErrorCode = 80 // PREFERRED_LEADER_NOT_AVAILABLE
				}
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		leader = 0
		return resp, nil, true
	})
	return address
}

func TestElectPreferredShowsAndActs(t *testing.T) {
	address := newUnbalancedCluster(t, true)
	for range 2 { // a preview changes nothing
		result := runArgs(t, "-b", address, "elect", "preferred")
		if result.code != exitPartial || !strings.Contains(result.stdout, "orders  0          1     0           preferred  ELECTED") || !strings.Contains(result.stderr, "nothing was changed") ||
			!strings.Contains(result.stderr, "orders-1 stays with broker 2") {
			t.Errorf("%+v", result)
		}
		aligned(t, strings.TrimSuffix(result.stdout, "\n"))
	}
	result := runArgs(t, "-b", address, "-o", "json", "elect", "preferred", "orders", "--execute")
	if result.code != exitPartial {
		t.Fatalf("%+v", result)
	}
	p := parse(t, result.stdout)
	rows := p.Data.([]any)
	if row := rows[0].(map[string]any); *p.Schema != "groupctl/v1/elect-preferred" || len(rows) != 2 || row["to"] != float64(0) || row["done"] != true || row["result"] != "ELECTED" {
		t.Errorf("%v", rows)
	}
	got, err := json.MarshalIndent(shape(p.Data), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "elect.shape.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(append(got, '\n'), want) {
		t.Errorf("%v: the shape changed from\n%s\nto\n%s", err, want, got)
	}
	if result := runArgs(t, "-b", address, "elect", "preferred", "orders:0"); result.code != exitFound || !strings.Contains(result.stdout, "ELECTION_NOT_NEEDED") {
		t.Errorf("%+v", result)
	}
	for args, says := range map[string]string{"nothing:0": "there is no partition nothing-0", "nothing": `the topic "nothing" does not exist`} {
		if result := runArgs(t, "-b", address, "elect", "preferred", args); result.code != exitNotFound || !strings.Contains(result.stderr, says) {
			t.Errorf("%+v", result)
		}
	}
	if result := runArgs(t, "-b", address, "elect", "unclean"); result.code != exitFound || result.stdout != "" || !strings.Contains(result.stderr, "no partition needs the unclean election") {
		t.Errorf("%+v", result)
	}
}

// TestElectTellsWhatTheControllerDidNot has a controller that leaves out of its answer what
// it was asked for.
func TestElectTellsWhatTheControllerDidNot(t *testing.T) {
	address := newUnbalancedCluster(t, false)
	result := runArgs(t, "-b", address, "elect", "preferred", "orders:0", "--execute")
	if result.code != exitPartial || strings.Contains(result.stdout, "ELECTED") || !strings.Contains(result.stdout, "orders  0          1     1      preferred  UNKNOWN") ||
		!strings.Contains(result.stderr, "leaves out the preferred election of orders-0") {
		t.Errorf("%+v", result)
	}
}
