package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// partitionsOf has requests for the partitions of the topic answered by answer.
func partitionsOf(fake *kfake.Cluster, topic string, answer func(*kmsg.DescribeTopicPartitionsRequest) (kmsg.Response, error)) {
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.DescribeTopicPartitionsRequest)
		fake.KeepControl()
		if !slices.ContainsFunc(req.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool { return t.Topic == topic }) {
			return nil, nil, false
		}
		resp, err := answer(req)
		return resp, err, true
	})
}

func topicRefused(code int16) func(*kmsg.DescribeTopicPartitionsRequest) (kmsg.Response, error) {
	return func(req *kmsg.DescribeTopicPartitionsRequest) (kmsg.Response, error) {
		resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		for _, asked := range req.Topics {
			t := kmsg.NewDescribeTopicPartitionsResponseTopic()
			t.Topic, t.ErrorCode = &asked.Topic, code
			resp.Topics = append(resp.Topics, t)
		}
		return resp, nil
	}
}

func TestNoPlanWithoutTheTopics(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(*kmsg.DescribeTopicPartitionsRequest) (kmsg.Response, error)
		code   string
		says   string
	}{
		"no answer":   {func(*kmsg.DescribeTopicPartitionsRequest) (kmsg.Response, error) { return nil, errors.New("gone") }, "", `the topic "orders" has: `},
		"no leader":   {topicRefused(kerr.LeaderNotAvailable.Code), "LEADER_NOT_AVAILABLE", `the topic "orders" has: cannot read the leaders`},
		"may not":     {topicRefused(kerr.TopicAuthorizationFailed.Code), "NOT_AUTHORIZED", `the ACL DESCRIBE on the topic "orders"`},
		"not a topic": {topicRefused(0), "REQUEST_FAILED", "the broker told of none"},
	} {
		t.Run(name, func(t *testing.T) {
			fake, address := newCluster(t)
			partitionsOf(fake, "orders", test.answer)
			start := time.Now()
			got := runArgs(t, "-b", address, "-o", "json", "--timeout", "3s", "plan", "workers")
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			p := parse(t, got.stdout)
			if got.code != exitFailed || p.Data != nil || len(p.Errors) != 1 || !strings.Contains(p.Errors[0]["message"], test.says) ||
				test.code != "" && p.Errors[0]["code"] != test.code || strings.Contains(p.Errors[0]["message"], "SASL") {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("a topic that was deleted", func(t *testing.T) {
		fake, address := newCluster(t)
		partitionsOf(fake, "orders", topicRefused(kerr.UnknownTopicOrPartition.Code))
		got := runArgs(t, "-b", address, "plan", "workers")
		if got.code != exitFound || !strings.Contains(got.stderr, "though members own 2 partitions of it") {
			t.Errorf("%+v", got)
		}
	})
}

func TestLagOfWhatIsAnswered(t *testing.T) {
	fake, address := newCluster(t)
	producer, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := fake.MoveTopicPartition("orders", 0, (fake.LeaderFor("orders", 1)+1)%3); err != nil {
		t.Fatal(err)
	}
	plan := []string{"-b", address, "-o", "json", "--timeout", "4s", "plan", "workers", "--weights", "lag"}

	_, problem, _ := planJSON(t, address, "workers", "--weights", "lag")
	if got := problem.Group.Topics[0].Weights; got != nil {
		t.Errorf("it lags nowhere and weighs %v", got)
	}
	if got := runArgs(t, plan...); !strings.Contains(got.stdout, `"maxLoad": 2`) || !strings.Contains(got.stderr, "lags nowhere") {
		t.Errorf("%+v", got)
	}

	// Records that the group does not commit: what it lags is told by the end of the log.
	for range 7 {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	fake.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		for _, topic := range r.(*kmsg.ListOffsetsRequest).Topics {
			if slices.ContainsFunc(topic.Partitions, func(p kmsg.ListOffsetsRequestTopicPartition) bool { return p.Partition == 0 }) {
				return nil, errors.New("gone"), true
			}
		}
		return nil, nil, false
	})
	got := runArgs(t, plan...)
	if got.code != exitFound || !strings.Contains(got.stderr, `the lag in 1 partitions of the topic "orders" is not known`) || strings.Contains(got.stderr, "shard") {
		t.Errorf("%+v", got)
	}
}
