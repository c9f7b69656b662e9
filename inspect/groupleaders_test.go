package inspect_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
)

// fakeWorkers is a cluster with the stable classic group "workers" of the
// members a and b.
func fakeWorkers(t *testing.T) *kfake.Cluster {
	t.Helper()
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	metadata, assignment := memberBytes("orders", 0)
	fakeGroup(fake, describedGroup("Stable", "consumer", describedMember("a", metadata, assignment), describedMember("b", metadata, nil)))
	return fake
}

func TestTheNewestRecordOfTheGroupDecides(t *testing.T) {
	tombstone := kgo.Record{Key: groupRecordKey("workers")}
	broken := kgo.Record{Key: groupRecordKey("workers"), Value: []byte{0, 3, 0, 9, 'x'}}
	future := kgo.Record{Key: groupRecordKey("workers"), Value: []byte{0, 5, 1, 1, 1, 1}}
	newer := groupRecordKey("workers")
	newer[1] = 3 // the key of a consumer group, whose fields begin alike
	var commits []kgo.Record
	for i := range 3000 {
		commits = append(commits, commitRecord("workers", i))
	}
	for _, test := range []struct {
		name       string
		log        []kgo.Record
		leader     string // "" if not known
		generation int32  // 0 if not known
		code       inspect.Code
	}{
		{"the last of two", []kgo.Record{groupRecord("workers", "a", 1), groupRecord("workers", "b", 2)}, "b", 2, ""},
		{"far behind other records", append([]kgo.Record{groupRecord("workers", "a", 3)}, commits...), "a", 3, ""},
		{"other groups after it", []kgo.Record{groupRecord("workers", "a", 1), groupRecord("worker", "b", 2), groupRecord("workers2", "b", 3)}, "a", 1, ""},
		{"a newer kind of record after it", []kgo.Record{groupRecord("workers", "a", 1), {Key: newer, Value: []byte{0, 0}}}, "a", 1, ""},
		{"deleted", []kgo.Record{groupRecord("workers", "a", 1), tombstone}, "", 0, inspect.CodeRecordNotFound},
		{"deleted and made anew", []kgo.Record{groupRecord("workers", "a", 7), tombstone, groupRecord("workers", "b", 1)}, "b", 1, ""},
		{"broken", []kgo.Record{groupRecord("workers", "a", 1), broken}, "", 0, inspect.CodeRecordUnreadable},
		{"of a version to come", []kgo.Record{groupRecord("workers", "a", 1), future}, "", 0, inspect.CodeRecordUnreadable},
		{"none", commits[:5], "", 0, inspect.CodeRecordNotFound},
		{"empty log", nil, "", 0, inspect.CodeRecordNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := fakeWorkers(t)
			writeLog(t, fake, "workers", test.log...)
			group, answer := describeOne(t, fake, "workers")
			if got := value(group.Leader); got != test.leader {
				t.Errorf("leader %q, want %q", got, test.leader)
			}
			if got := value(group.Generation); got != test.generation {
				t.Errorf("generation %d, want %d", got, test.generation)
			}
			var want []inspect.Code
			if test.code != "" {
				want = append(want, test.code)
			}
			if got := codes(answer.Warnings); !slices.Equal(got, want) {
				t.Errorf("warnings %v, want %v", answer.Warnings, want)
			}
			if answer.Err() != nil {
				t.Errorf("errors %v", answer.Errors)
			}
		})
	}
}

func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

func TestTheLogIsReadOnlySoFar(t *testing.T) {
	fake := fakeWorkers(t)
	log := []kgo.Record{groupRecord("workers", "a", 1)}
	for i := range 2000 {
		log = append(log, commitRecord("workers", i))
	}
	writeLog(t, fake, "workers", log...)
	for _, option := range []inspect.Option{
		inspect.LogBudget(500, 0, 0),
		inspect.LogBudget(0, 4096, 0),
	} {
		group, answer := describeOne(t, fake, "workers", option)
		if group.Leader != nil || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeRecordNotFound}) {
			t.Errorf("leader %v, warnings %v", group.Leader, answer.Warnings)
		}
	}
	fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return nil, nil, true // never answers
	})
	start := time.Now()
	group, answer := describeOne(t, fake, "workers", inspect.LogBudget(0, 0, 300*time.Millisecond))
	if group.Leader != nil || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeTimeout}) || time.Since(start) > 3*time.Second {
		t.Errorf("after %v: leader %v, warnings %v", time.Since(start), group.Leader, answer.Warnings)
	}
}

func TestACompactedLogIsReadAcrossItsGaps(t *testing.T) {
	fake := newFake(t)
	if err := fake.CreateTopic(offsetsTopic, 50, map[string]string{"cleanup.policy": "compact", "segment.bytes": "4096"}); err != nil {
		t.Fatal(err)
	}
	metadata, assignment := memberBytes("orders", 0)
	fakeGroup(fake, describedGroup("Stable", "consumer", describedMember("a", metadata, assignment)))
	log := []kgo.Record{groupRecord("workers", "a", 1), groupRecord("workers", "a", 2)}
	for i := range 3000 {
		log = append(log, commitRecord("workers", i))
	}
	writeLog(t, fake, "workers", log...)
	fake.Compact()
	if info := fake.PartitionInfo(offsetsTopic, inspect.OffsetsPartition("workers", 50)); info.HighWatermark != int64(len(log)) {
		t.Fatalf("the log ends at %d", info.HighWatermark)
	}
	if group, answer := describeOne(t, fake, "workers"); value(group.Leader) != "a" || value(group.Generation) != 2 {
		t.Errorf("group %+v, warnings %v", group, answer.Warnings)
	}
}

func TestTheLogThatMayNotBeRead(t *testing.T) {
	for _, test := range []struct {
		name string
		key  kmsg.Key
		err  *kerr.Error
		code inspect.Code
		says string
	}{
		{"no READ", kmsg.Fetch, kerr.TopicAuthorizationFailed, inspect.CodeNotAuthorized, "READ on the topic __consumer_offsets"},
		{"no DESCRIBE", kmsg.ListOffsets, kerr.TopicAuthorizationFailed, inspect.CodeNotAuthorized, "__consumer_offsets"},
		{"broken disk", kmsg.Fetch, kerr.KafkaStorageError, "KAFKA_STORAGE_ERROR", "KAFKA_STORAGE_ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := fakeWorkers(t)
			writeLog(t, fake, "workers", groupRecord("workers", "a", 1))
			fake.Fault(kfake.Fault{Keys: []kmsg.Key{test.key}, Topic: offsetsTopic, Err: test.err, Count: -1})
			group, answer := describeOne(t, fake, "workers")
			if group.Leader != nil || len(group.Members) != 2 || len(answer.Warnings) != 1 || answer.Warnings[0].Code != test.code ||
				!strings.Contains(answer.Warnings[0].Message, test.says) {
				t.Errorf("group %+v, warnings %+v", group, answer.Warnings)
			}
		})
	}
}

func TestTheLogIsReadFromANewLeader(t *testing.T) {
	fake := fakeWorkers(t)
	partition := inspect.OffsetsPartition("workers", 50)
	writeLog(t, fake, "workers", groupRecord("workers", "a", 1))
	moved := false
	fake.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !moved {
			moved = true
			now := fake.CurrentNode()
			go func() { _ = fake.MoveTopicPartition(offsetsTopic, partition, (now+1)%3) }()
			fake.SleepControl(func() {
				for fake.LeaderFor(offsetsTopic, partition) == now {
					time.Sleep(time.Millisecond)
				}
			})
		}
		return nil, nil, false
	})
	group, answer := describeOne(t, fake, "workers")
	if value(group.Leader) != "a" {
		t.Errorf("leader %v, warnings %v", group.Leader, answer.Warnings)
	}
}

func TestALogOfGarbageIsReported(t *testing.T) {
	fake := fakeWorkers(t)
	writeLog(t, fake, "workers", groupRecord("workers", "a", 1))
	for _, batch := range [][]byte{
		{1, 2, 3},
		append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 9}, make([]byte, 80)...),
		append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 2}, make([]byte, 80)...),
	} {
		fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			resp := req.ResponseKind().(*kmsg.FetchResponse)
			topic := kmsg.NewFetchResponseTopic()
			topic.TopicID = req.(*kmsg.FetchRequest).Topics[0].TopicID
			partition := kmsg.NewFetchResponseTopicPartition()
			partition.Partition = inspect.OffsetsPartition("workers", 50)
			partition.RecordBatches = batch
			topic.Partitions = append(topic.Partitions, partition)
			resp.Topics = append(resp.Topics, topic)
			return resp, nil, true
		})
		group, answer := describeOne(t, fake, "workers")
		if group.Leader != nil || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeRequestFailed}) {
			t.Errorf("%v: leader %v, warnings %v", batch[:3], group.Leader, answer.Warnings)
		}
	}
}
