package inspect_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
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
	tombstone := kgo.Record{Key: kafkatest.GroupRecordKey("workers")}
	broken := kgo.Record{Key: kafkatest.GroupRecordKey("workers"), Value: []byte{0, 3, 0, 9, 'x'}}
	future := kgo.Record{Key: kafkatest.GroupRecordKey("workers"), Value: []byte{0, 5, 1, 1, 1, 1}}
	newer := kafkatest.GroupRecordKey("workers")
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
		{"the last of two", []kgo.Record{kafkatest.GroupRecord("workers", "a", 1), kafkatest.GroupRecord("workers", "b", 2)}, "b", 2, ""},
		{"far behind other records", append([]kgo.Record{kafkatest.GroupRecord("workers", "a", 3)}, commits...), "a", 3, ""},
		{"other groups after it", []kgo.Record{kafkatest.GroupRecord("workers", "a", 1), kafkatest.GroupRecord("worker", "b", 2), kafkatest.GroupRecord("workers2", "b", 3)}, "a", 1, ""},
		{"a newer kind of record after it", []kgo.Record{kafkatest.GroupRecord("workers", "a", 1), {Key: newer, Value: []byte{0, 0}}}, "a", 1, ""},
		{"deleted", []kgo.Record{kafkatest.GroupRecord("workers", "a", 1), tombstone}, "", 0, inspect.CodeRecordNotFound},
		{"deleted and made anew", []kgo.Record{kafkatest.GroupRecord("workers", "a", 7), tombstone, kafkatest.GroupRecord("workers", "b", 1)}, "b", 1, ""},
		{"broken", []kgo.Record{kafkatest.GroupRecord("workers", "a", 1), broken}, "", 0, inspect.CodeRecordUnreadable},
		{"of a version to come", []kgo.Record{kafkatest.GroupRecord("workers", "a", 1), future}, "", 0, inspect.CodeRecordUnreadable},
		{"without a generation", []kgo.Record{kafkatest.GroupRecord("workers", "a", -1)}, "a", 0, ""},
		{"without a leader", []kgo.Record{kafkatest.GroupRecord("workers", "", 4)}, "", 4, inspect.CodeRecordStale},
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
			if got := value(group.Generation); got != test.generation || group.Generation != nil && test.generation == 0 {
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
	log := []kgo.Record{kafkatest.GroupRecord("workers", "a", 1)}
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
	if group.Leader != nil || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeTimeout}) || time.Since(start) > 10*time.Second {
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
	log := []kgo.Record{kafkatest.GroupRecord("workers", "a", 1), kafkatest.GroupRecord("workers", "a", 2)}
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
			writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "a", 1))
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
	writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "a", 1))
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

// serveBatches answers fetches of the group's partition with these bytes.
func serveBatches(fake *kfake.Cluster, answer func(*kmsg.FetchResponse) []byte) {
	fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.TopicID = req.(*kmsg.FetchRequest).Topics[0].TopicID
		partition := kmsg.NewFetchResponseTopicPartition()
		partition.Partition = inspect.OffsetsPartition("workers", 50)
		partition.RecordBatches = answer(resp)
		topic.Partitions = append(topic.Partitions, partition)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
}

// compressedBatch holds records that decompress to zeros.
func compressedBatch(t *testing.T, codec kgo.CompressionCodec, inflated int, records int32) []byte {
	t.Helper()
	compressor, err := kgo.DefaultCompressor(codec)
	if err != nil {
		t.Fatal(err)
	}
	compressed, kind := compressor.Compress(new(bytes.Buffer), make([]byte, inflated))
	batch := kmsg.RecordBatch{Magic: 2, Attributes: int16(kind), LastOffsetDelta: max(0, records-1), NumRecords: records, Records: compressed}
	raw := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func TestABatchMayNotInflateWithoutBounds(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakeWorkers(t)
			writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "a", 1))
			bomb := compressedBatch(t, codec, 64<<20, 1)
			serveBatches(fake, func(*kmsg.FetchResponse) []byte { return bomb })
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			group, answer := describeOne(t, fake, "workers")
			runtime.ReadMemStats(&after)
			if group.Leader != nil || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeRecordUnreadable}) {
				t.Errorf("leader %v, warnings %v", group.Leader, answer.Warnings)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 160<<20 {
				t.Errorf("%d bytes were allocated for a batch of %d", allocated, len(bomb))
			}
		})
	}
}

func TestWhatABatchInflatesToCountsAsRead(t *testing.T) {
	for name, batch := range map[string][]byte{
		"bytes":   compressedBatch(t, kgo.ZstdCompression(), 1<<20, 0),
		"records": compressedBatch(t, kgo.ZstdCompression(), 1<<20, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakeWorkers(t)
			writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "a", 1), kafkatest.GroupRecord("workers", "a", 2))
			serveBatches(fake, func(*kmsg.FetchResponse) []byte { return batch })
			group, answer := describeOne(t, fake, "workers", inspect.LogBudget(1000, 1<<20, 0))
			if group.Leader != nil || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeRecordNotFound}) {
				t.Errorf("leader %v, warnings %v", group.Leader, answer.Warnings)
			}
		})
	}
}

func TestACompressedLogIsRead(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		fake := fakeWorkers(t)
		client := newClient(t, fake, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec))
		var records []*kgo.Record
		for i := range 500 {
			r := kafkatest.GroupRecord("workers", "a", int32(i))
			r.Topic, r.Partition = offsetsTopic, inspect.OffsetsPartition("workers", 50)
			records = append(records, &r)
		}
		if err := client.ProduceSync(testContext(t), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if group, answer := describeOne(t, fake, "workers"); value(group.Generation) != 499 {
			t.Errorf("%s: group %+v, warnings %v", name, group, answer.Warnings)
		}
	}
}

func TestAThrottledReaderAsksAgain(t *testing.T) {
	fake := fakeWorkers(t)
	writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "a", 1))
	serveBatches(fake, func(resp *kmsg.FetchResponse) []byte {
		resp.ThrottleMillis = 20
		return nil
	})
	if group, answer := describeOne(t, fake, "workers"); value(group.Leader) != "a" {
		t.Errorf("leader %v, warnings %v", group.Leader, answer.Warnings)
	}
}

func TestALogOfGarbageIsReported(t *testing.T) {
	fake := fakeWorkers(t)
	writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "a", 1))
	for _, batch := range [][]byte{
		{1, 2, 3},
		append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 9}, make([]byte, 80)...),
		append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 2}, make([]byte, 80)...),
		append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 2}, make([]byte, 80)...),
	} {
		serveBatches(fake, func(*kmsg.FetchResponse) []byte { return batch })
		group, answer := describeOne(t, fake, "workers")
		if group.Leader != nil || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeRequestFailed}) {
			t.Errorf("%v: leader %v, warnings %v", batch[:3], group.Leader, answer.Warnings)
		}
	}
}
