package inspect_test

import (
	"encoding/json"
	"fmt"
	"math"
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

// generationRecord is a classic group's record with members.
func generationRecord(group, leader string, generation int32, members ...string) kgo.Record {
	value := kmsg.NewGroupMetadataValue()
	value.Version = 3
	value.ProtocolType, value.Protocol = "consumer", kmsg.StringPtr("range")
	value.Generation, value.Leader = generation, &leader
	value.CurrentStateTimestamp = 1000
	metadata, assignment := memberBytes("orders", 0)
	for _, id := range members {
		m := kmsg.NewGroupMetadataValueMember()
		m.MemberID, m.Subscription, m.Assignment = id, metadata, assignment
		value.Members = append(value.Members, m)
	}
	return kgo.Record{Key: kafkatest.GroupRecordKey(group), Value: value.AppendTo(nil)}
}

func history(t *testing.T, fake *kfake.Cluster, within inspect.LogRange, options ...inspect.Option) (*inspect.OffsetsHistory, inspect.Answer[*inspect.OffsetsHistory]) {
	t.Helper()
	answer, err := inspect.New(newClient(t, fake), options...).OffsetsLog(testContext(t), "workers", within)
	if err != nil || answer.Data == nil {
		t.Fatalf("%v: %+v", err, answer)
	}
	return answer.Data, answer
}

func TestTheLogTellsTheHistoryOfAGroup(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	unknown := kgo.Record{Key: []byte{0, 99, 0, 7, 'w', 'o', 'r', 'k', 'e', 'r', 's'}, Value: []byte{0, 0}}
	broken := kgo.Record{Key: []byte{0, 2, 0, 9, 'w'}}
	writeLog(t, fake, "workers",
		generationRecord("workers", "a", 1, "a"),
		generationRecord("others", "z", 8, "z"),
		commitRecord("workers", 40),
		generationRecord("workers", "a", 2, "a", "b"),
		unknown, unknown, broken, kgo.Record{Key: []byte{7}},
		generationRecord("workers", "b", 3, "b", "c"),
		kgo.Record{Key: kafkatest.GroupRecordKey("workers"), Value: []byte{0, 9}},
		kgo.Record{Key: kafkatest.GroupRecordKey("workers")},
		generationRecord("workers", "d", 1, "d"),
	)
	h, answer := history(t, fake, inspect.LogRange{})
	var told []string
	for _, e := range h.Entries {
		line := fmt.Sprintf("%d %s", e.Offset, e.Kind)
		switch {
		case e.Deleted:
			line += " deleted"
		case e.Unreadable != nil:
			line += " unreadable"
		case e.Generation != nil:
			line += fmt.Sprintf(" %d of %s, %d members, joined %q, left %q", e.Generation.Generation, *e.Generation.Leader, len(e.Generation.Members), e.Generation.Joined, e.Generation.Left)
		case e.Commit != nil:
			line += fmt.Sprintf(" %s-%d at %d", e.Commit.Topic, e.Commit.Partition, *e.Commit.Offset)
		}
		told = append(told, line)
	}
	want := []string{
		`0 generation 1 of a, 1 members, joined [], left []`,
		`2 commit orders-0 at 40`,
		`3 generation 2 of a, 2 members, joined ["b"], left []`,
		`8 generation 3 of b, 2 members, joined ["c"], left ["a"]`,
		`9 generation unreadable`,
		`10 generation deleted`,
		`11 generation 1 of d, 1 members, joined ["d"], left []`,
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if h.Entries[0].Generation.Joined != nil {
		t.Error("nothing is known of who was there before the first record")
	}
	if h.Start != 0 || h.End != 12 || h.From != 0 || !h.Complete || h.Records != 12 || h.Others != 1 {
		t.Errorf("%+v", h)
	}
	counts := map[string]int64{}
	for _, u := range h.Unknown {
		if u.Type == nil {
			counts["none"] = u.Count
		} else {
			counts[fmt.Sprintf("%d known %v", *u.Type, u.Known)] = u.Count
		}
	}
	if len(counts) != 3 || counts["none"] != 1 || counts["99 known false"] != 2 || counts["2 known true"] != 1 || len(answer.Warnings) != 3 || answer.Err() != nil {
		t.Errorf("unknown %v, %+v", counts, answer)
	}

	h, _ = history(t, fake, inspect.LogRange{Kinds: []inspect.LogKind{inspect.LogGeneration}, Limit: 2})
	if len(h.Entries) != 2 || h.Complete || h.From != 10 || h.Entries[1].Offset != 11 {
		t.Errorf("the last two generations: %+v", h)
	}
	h, _ = history(t, fake, inspect.LogRange{From: 9})
	if len(h.Entries) != 3 || !h.Complete || h.From != 9 {
		t.Errorf("from offset 9: %+v", h)
	}
	h, answer = history(t, fake, inspect.LogRange{Since: time.Now().Add(time.Hour)})
	if len(h.Entries) != 0 || !h.Complete || answer.Err() != nil {
		t.Errorf("since the future: %+v", h)
	}
	h, answer = history(t, fake, inspect.LogRange{Since: time.Now().Add(-time.Hour)})
	if len(h.Entries) != 7 || !h.Complete || answer.Err() != nil {
		t.Errorf("since an hour ago: %+v", h)
	}
}

func TestAHistoryIsWholeDownToWhereItBegins(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	var log []kgo.Record
	for i := range 2000 {
		log = append(log, commitRecord("workers", i), commitRecord("others", i))
	}
	writeLog(t, fake, "workers", log...)
	h, answer := history(t, fake, inspect.LogRange{}, inspect.LogBudget(1000, 0, 0))
	if h.Complete || h.From == 0 || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeLogTruncated}) || answer.Err() != nil {
		t.Fatalf("from %d, complete %v, warnings %v", h.From, h.Complete, answer.Warnings)
	}
	if int64(len(h.Entries)) != (h.End-h.From)/2 {
		t.Errorf("%d entries from %d to %d, want every second", len(h.Entries), h.From, h.End)
	}
	h, answer = history(t, fake, inspect.LogRange{Limit: 5})
	if len(h.Entries) != 5 || h.Complete || h.From != h.Entries[0].Offset || len(answer.Warnings) > 0 || *h.Entries[4].Commit.Offset != 1999 {
		t.Errorf("limited: %+v of %+v", h, answer)
	}
}

// TestAHistoryHasRoomForTheNewest has 19 MB of commits in two windows of offsets.
func TestAHistoryHasRoomForTheNewest(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	var log []kgo.Record
	note := strings.Repeat("x", 32_000)
	for i := range 600 {
		r := commitRecord("workers", i)
		value := kmsg.NewOffsetCommitValue()
		value.Version, value.Offset, value.Metadata = 3, int64(i), note
		r.Value = value.AppendTo(nil)
		log = append(log, r)
	}
	writeLog(t, fake, "workers", log...)
	h, answer := history(t, fake, inspect.LogRange{})
	held := 0
	for i, e := range h.Entries {
		held += len(e.Commit.Metadata)
		if e.Offset != h.From+int64(i) {
			t.Fatalf("entry %d is at offset %d of a history from %d on", i, e.Offset, h.From)
		}
	}
	if held > 8<<20 || held < 7<<20 || h.From+int64(len(h.Entries)) != h.End || h.Complete || h.Records != 600 {
		t.Errorf("%d bytes in %d entries from %d of %d, complete %v", held, len(h.Entries), h.From, h.End, h.Complete)
	}
	if !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeLogTruncated}) || !strings.Contains(answer.Warnings[0].Message, "room for 8 MiB") || answer.Err() != nil {
		t.Errorf("%+v", answer)
	}
}

func TestAHistoryTakesNoLongerThanTheBudget(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	var log []kgo.Record
	for i := range 1000 {
		log = append(log, commitRecord("workers", i))
	}
	writeLog(t, fake, "workers", log...)
	fetches := 0
	fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		fetches++
		return nil, nil, fetches > 1 // the second is not answered
	})
	h, answer := history(t, fake, inspect.LogRange{}, inspect.LogBudget(0, 0, 300*time.Millisecond))
	if h.Complete || len(h.Entries) != 256 || h.From != 1000-256 || !slices.Equal(codes(answer.Warnings), []inspect.Code{inspect.CodeLogTruncated}) {
		t.Errorf("%d entries from %d; %v %v", len(h.Entries), h.From, answer.Warnings, answer.Errors)
	}
}

func TestCommitsInTransactionsTellWhatBecameOfThem(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	for _, test := range []struct {
		id     string
		offset int
		end    kgo.TransactionEndTry
		open   bool
	}{{"one", 10, kgo.TryCommit, false}, {"two", 20, kgo.TryAbort, false}, {"three", 30, kgo.TryAbort, true}} {
		producer := newClient(t, fake, kgo.TransactionalID(test.id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		r := commitRecord("workers", test.offset)
		r.Topic, r.Partition = offsetsTopic, inspect.OffsetsPartition("workers", 50)
		if err := producer.ProduceSync(testContext(t), &r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if test.open {
			continue
		}
		if err := producer.EndTransaction(testContext(t), test.end); err != nil {
			t.Fatal(err)
		}
	}
	h, answer := history(t, fake, inspect.LogRange{})
	var told []string
	for _, e := range h.Entries {
		told = append(told, fmt.Sprintf("%s %s", e.Kind, e.Transaction.Outcome))
	}
	want := []string{"commit committed", "transactionEnd committed", "commit aborted", "transactionEnd aborted", "commit open"}
	if !slices.Equal(told, want) || len(answer.Warnings) > 0 {
		t.Errorf("told %q, want %q; %v", told, want, answer.Warnings)
	}
}

func TestAHistoryThatCannotBeHad(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(*kfake.Cluster)
		options []kfake.Opt
		code    inspect.Code
		says    string
	}{
		{"no topic", nil, nil, inspect.CodeOffsetsTopicAbsent, "does not exist yet"},
		{"hidden topic", hideOffsetsTopic, []kfake.Opt{kfake.SeedTopics(50, offsetsTopic)}, inspect.CodeNotAuthorized, "DESCRIBE on the topic __consumer_offsets"},
		{"no such group", nil, []kfake.Opt{kfake.SeedTopics(50, offsetsTopic)}, inspect.CodeGroupNotFound, `no record of the group "workers"`},
		{"no READ", func(fake *kfake.Cluster) {
			fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: offsetsTopic, Err: kerr.TopicAuthorizationFailed, Count: -1})
		}, []kfake.Opt{kfake.SeedTopics(50, offsetsTopic)}, inspect.CodeNotAuthorized, "READ on the topic __consumer_offsets"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t, test.options...)
			if test.prepare != nil {
				writeLog(t, fake, "workers", generationRecord("workers", "a", 1, "a"))
				test.prepare(fake)
			}
			answer, err := inspect.New(newClient(t, fake)).OffsetsLog(testContext(t), "workers", inspect.LogRange{})
			if err != nil || !slices.Equal(codes(answer.Errors), []inspect.Code{test.code}) || !strings.Contains(answer.Err().Error(), test.says) {
				t.Errorf("%v: %+v", err, answer.Errors)
			}
		})
	}
}

// JSON has no times after the year 9999, and one is not to cost all the others.
func TestTimesThatAreNoneDoNotCostTheAnswer(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	for _, at := range []int64{math.MaxInt64, math.MinInt64 / 2, 253_402_300_800_000, 1000} {
		value := kmsg.NewGroupMetadataValue()
		value.Version, value.CurrentStateTimestamp = 3, at
		writeLog(t, fake, "workers", kgo.Record{Key: kafkatest.GroupRecordKey("workers"), Value: value.AppendTo(nil), Timestamp: time.UnixMilli(at)})
	}
	told, answer := history(t, fake, inspect.LogRange{})
	if _, err := json.Marshal(answer); err != nil {
		t.Error(err)
	}
	var since []*time.Time
	for _, e := range told.Entries {
		since = append(since, e.Generation.Since)
	}
	if len(since) != 4 || since[0] != nil || since[1] != nil || since[2] != nil || since[3] == nil {
		t.Errorf("%v", since)
	}
}
