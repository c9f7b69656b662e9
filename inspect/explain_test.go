package inspect_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/explain"
)

// countFindCoordinator counts what may create __consumer_offsets.
func countFindCoordinator(fake *kfake.Cluster) *atomic.Int32 {
	var sent atomic.Int32
	fake.ControlKey(int16(kmsg.FindCoordinator), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		sent.Add(1)
		return nil, nil, false
	})
	return &sent
}

// looksAtGroups counts the looks at groups. Of a look that follows, the one before was taken.
func looksAtGroups(fake *kfake.Cluster) *atomic.Int32 {
	var looks atomic.Int32
	fake.ControlKey(int16(kmsg.DescribeGroups), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		looks.Add(1)
		return nil, nil, false
	})
	return &looks
}

// afterLooks does something once so many more were counted, or the test is over.
func afterLooks(t *testing.T, looks *atomic.Int32, more int32, do func()) {
	t.Helper()
	until := looks.Load() + more
	done := make(chan struct{})
	go func() {
		defer close(done)
		for looks.Load() < until && t.Context().Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		do()
	}()
	t.Cleanup(func() { <-done })
}

func explained(t *testing.T, in *inspect.Inspector, group string, lasts time.Duration) inspect.Answer[explain.Diagnosis] {
	t.Helper()
	answer, err := in.Explain(testContext(t), group, inspect.Explaining{For: lasts})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestExplainCreatesNoTopic: where __consumer_offsets is hidden it may not exist.
func TestExplainCreatesNoTopic(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(1, "orders"))
	hideOffsetsTopic(fake)
	sent := countFindCoordinator(fake)
	in := inspect.New(newClient(t, fake))
	answer := explained(t, in, "workers", 600*time.Millisecond)
	if n := sent.Load(); n != 0 || !slices.Contains(codes(answer.Errors), inspect.CodeNotAuthorized) || !strings.Contains(answer.Err().Error(), "cannot tell whether the group") {
		t.Errorf("FindCoordinator was sent %d times: %+v", n, answer.Errors)
	}

	joinGroup(t, fake, "workers", 1)
	sent.Store(0)
	answer = explained(t, in, "workers", 600*time.Millisecond)
	if n := sent.Load(); n != 0 || len(answer.Errors) > 0 || answer.Data.Members == nil || *answer.Data.Members != 1 {
		t.Errorf("FindCoordinator was sent %d times for a group that is listed: %+v", n, answer)
	}
}

// TestStoppedRecordingIsJudgedWithTheLog, and one whose context ended says what it lacks.
func TestStoppedRecordingIsJudgedWithTheLog(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(1, "orders"), kfake.SeedTopics(50, offsetsTopic))
	joinGroup(t, fake, "workers", 1)
	looks := looksAtGroups(fake)
	in := inspect.New(newClient(t, fake))
	stop := make(chan struct{})
	afterLooks(t, looks, 3, func() { close(stop) })
	patiently, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := in.Explain(patiently, "workers", inspect.Explaining{For: time.Hour, Stop: stop})
	if err != nil || len(answer.Warnings)+len(answer.Errors) > 0 || answer.Data.State != "Stable" {
		t.Errorf("%v, %+v", err, answer)
	}

	for range 5 { // until it is between two looks: one that is cut short is told of, too
		ctx, interrupt := context.WithCancel(patiently)
		afterLooks(t, looks, 3, func() {
			time.Sleep(200 * time.Millisecond)
			interrupt()
		})
		answer, err = in.Explain(ctx, "workers", inspect.Explaining{For: time.Hour})
		interrupt()
		if len(answer.Warnings) == 0 {
			break
		}
	}
	if err != nil || len(answer.Errors) != 1 || !strings.HasPrefix(answer.Errors[0].Message, "interrupted") || len(answer.Warnings) > 0 || answer.Data.State != "Stable" {
		t.Fatalf("%v, %+v", err, answer)
	}
	if v := answer.Data.Verdicts[0]; v.Cause != explain.Fine || v.Sure != explain.Possible {
		t.Errorf("%+v", v)
	}
}

// TestExplainSaysWhichLooksFailed, though others did not.
func TestExplainSaysWhichLooksFailed(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(1, "orders"), kfake.SeedTopics(50, offsetsTopic))
	joinGroup(t, fake, "workers", 1)
	fake.ControlKey(int16(kmsg.DescribeGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		group := kmsg.NewDescribeGroupsResponseGroup()
		group.Group, group.ErrorCode = "workers", kerr.CoordinatorLoadInProgress.Code
		resp.Groups = append(resp.Groups, group)
		return resp, nil, true // once
	})
	fake.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		group := kmsg.NewOffsetFetchResponseGroup()
		group.Group, group.ErrorCode = "workers", kerr.GroupAuthorizationFailed.Code
		resp.Groups, resp.ErrorCode = append(resp.Groups, group), group.ErrorCode
		return resp, nil, true
	})
	looks, stop := looksAtGroups(fake), make(chan struct{})
	afterLooks(t, looks, 4, func() { close(stop) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := inspect.New(newClient(t, fake)).Explain(ctx, "workers", inspect.Explaining{For: time.Hour, Stop: stop})
	if err != nil || len(answer.Errors) > 0 || answer.Data.Members == nil {
		t.Errorf("the last looks succeeded: %+v", answer)
	}
	for _, want := range []string{"to be seen of the group is not known, or not all of it: ", `DESCRIBE on the group "workers"`} {
		if !slices.ContainsFunc(answer.Warnings, func(p inspect.Problem) bool { return strings.Contains(p.Message, want) }) {
			t.Errorf("no warning says %q: %+v", want, answer.Warnings)
		}
	}
}

// recordKey is a key of __consumer_offsets.
func recordKey(kind int, names ...string) []byte {
	key := binary.BigEndian.AppendUint16(nil, uint16(kind))
	for _, name := range names {
		key = append(binary.BigEndian.AppendUint16(key, uint16(len(name))), name...)
	}
	return key
}

// memberRecord, epochRecord and targetRecord are those of a group of KIP-848.
func memberRecord(group, id, host string) kgo.Record {
	value := []byte{0, 0, 0, 0} // its version; no instance, no rack
	for _, s := range []string{"client", host} {
		value = append(append(value, byte(len(s)+1)), s...)
	}
	value = append(append(value, 2, 7), "orders"...)
	value = append(value, 0, 0, 0, 3, 0xe8, 0, 0) // no regex, 1 s, no assignor, no tags
	return kgo.Record{Key: recordKey(5, group, id), Value: value}
}

func epochRecord(group string, epoch int32) kgo.Record {
	return kgo.Record{Key: recordKey(3, group), Value: append(binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(epoch)), 0)}
}

func targetRecord(group, id string) kgo.Record {
	return kgo.Record{Key: recordKey(7, group, id), Value: []byte{0, 0, 1, 0}}
}

// describeModern shows a group of KIP-848.
func describeModern(fake *kfake.Cluster, group string, epoch int32, ids ...string) {
	fake.ControlKey(int16(kmsg.ConsumerGroupDescribe), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		g := kmsg.NewConsumerGroupDescribeResponseGroup()
		g.Group, g.State, g.Epoch = group, "Stable", epoch
		for _, id := range ids {
			m := kmsg.NewConsumerGroupDescribeResponseGroupMember()
			m.MemberID, m.ClientID, m.ClientHost, m.MemberEpoch, m.MemberType = id, "client", "/"+id, epoch, 1
			g.Members = append(g.Members, m)
		}
		resp.Groups = append(resp.Groups, g)
		return resp, nil, true
	})
}

// TestExplainKnowsTheMembersOfALargeGroup: each epoch has a target for each of them, so
// that what they said of themselves lies far back.
func TestExplainKnowsTheMembersOfALargeGroup(t *testing.T) {
	t.Parallel()
	const count, epochs = 400, 27
	var ids []string
	for i := range count + 1 {
		ids = append(ids, fmt.Sprintf("m-%03d", i))
	}
	records := make([]kgo.Record, 0, count*(epochs+2))
	for _, id := range ids[:count] {
		records = append(records, memberRecord("workers", id, id))
	}
	// One more comes and goes again and again.
	there := false
	for epoch := range int32(epochs) {
		members := ids[:count]
		if last := ids[count]; there {
			records = append(records, kgo.Record{Key: recordKey(7, "workers", last)}, kgo.Record{Key: recordKey(5, "workers", last)})
		} else {
			members = ids
			records = append(records, memberRecord("workers", last, last))
		}
		there = !there
		records = append(records, epochRecord("workers", epoch+1))
		for _, id := range members {
			records = append(records, targetRecord("workers", id))
		}
	}
	for _, test := range []struct {
		name   string
		budget int64
		shown  bool
		cut    bool
	}{
		{"read as a whole", 500_000, false, false},
		{"read in part", int64(20 * count), true, true},
		{"read in part, of a group that is not shown", int64(20 * count), false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
			writeLog(t, fake, "workers", records...)
			if test.shown {
				describeModern(fake, "workers", epochs, ids...)
			}
			in := inspect.New(newClient(t, fake), inspect.LogBudget(test.budget, 64<<20, time.Minute))
			answer := explained(t, in, "workers", 600*time.Millisecond)
			cut := slices.Contains(codes(answer.Warnings), inspect.CodeLogTruncated)
			if cut != test.cut {
				t.Errorf("warnings: %+v", answer.Warnings)
			}
			d := answer.Data
			if test.cut && !test.shown {
				if d.Rebalances > 0 {
					t.Errorf("nobody knows who was there, and there are verdicts: %+v", d)
				}
				return
			}
			if len(d.Verdicts) != 1 || d.Verdicts[0].Cause != explain.LeavesRepeatedly || d.Rebalances < 15 {
				t.Errorf("%+v", d)
			}
			for _, m := range d.Verdicts[0].Members {
				if m.ID != ids[count] {
					t.Errorf("%s never left: %+v", m.ID, d)
				}
			}
		})
	}
}

// TestExplainKnowsWhoJoinedLongAgo: of a group that is scaled down step by step, those
// that go had joined before all that is read.
func TestExplainKnowsWhoJoinedLongAgo(t *testing.T) {
	t.Parallel()
	const count, epochs = 400, 28
	var ids []string
	records := []kgo.Record{}
	for i := range count {
		ids = append(ids, fmt.Sprintf("m-%03d", i))
		records = append(records, memberRecord("workers", ids[i], ids[i]))
	}
	for epoch := range epochs {
		if epoch > 0 {
			records = append(records, kgo.Record{Key: recordKey(7, "workers", ids[0])}, kgo.Record{Key: recordKey(5, "workers", ids[0])})
			ids = ids[1:]
		}
		records = append(records, epochRecord("workers", int32(epoch+1)))
		for _, id := range ids {
			records = append(records, targetRecord("workers", id))
		}
	}
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	writeLog(t, fake, "workers", records...)
	describeModern(fake, "workers", epochs, ids...)
	for _, budget := range []int64{500_000, 20 * count} {
		answer := explained(t, inspect.New(newClient(t, fake), inspect.LogBudget(budget, 64<<20, time.Minute)), "workers", 600*time.Millisecond)
		d := answer.Data
		if len(d.Verdicts) != 1 || d.Verdicts[0].Cause != explain.Fine || !strings.Contains(d.Verdicts[0].Says, "members went") || d.Rebalances < 15 {
			t.Errorf("of %d records: %+v", budget, d)
		}
	}
}
