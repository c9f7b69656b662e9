package integration

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// failing has a handler fail on four records: one is skipped, one is in the dead-letter
// topic before anything behind it is committed, one stops the partition until it is
// resumed, and one ends Run.
func failing(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	const records, skipped, dead, stops, ends = 40, 5, 10, 15, 20
	topic, letters, group := newTopic(t, c, 1), newTopic(t, c, 1), unique(t, "group")
	produce(t, c, topic, records)
	var mended atomic.Bool
	b := newBook()
	b.first = func(_ context.Context, r *kgo.Record) error {
		switch {
		case r.Offset == skipped, r.Offset == dead, r.Offset == stops && !mended.Load(), r.Offset == ends:
			return fmt.Errorf("no use for %s", r.Value)
		}
		return nil
	}
	decisions := map[int64]member.Decision{skipped: member.Skip, dead: member.DeadLetter, stops: member.StopPartition, ends: member.StopMember}
	r := startRunner(t, c, group, topic, b, func(cfg *member.Config) {
		cfg.GroupProtocol = protocol
		cfg.Attempts, cfg.Backoff = 2, func(int) time.Duration { return time.Millisecond }
		cfg.DeadLetterTopic = letters
		cfg.OnFailure = func(_ context.Context, f member.Failure) member.Decision { return decisions[f.Records[0].Offset] }
	})
	eventually(t, "the partition is stopped", func() (bool, string) {
		h := r.Health()
		return h.State == member.HealthStalled && len(h.Stalled) == 1 && !h.Ready(), h.String()
	})
	at := func(want int64) {
		t.Helper()
		eventually(t, fmt.Sprintf("offset %d is committed", want), func() (bool, string) {
			sum := committed(t, c, group)
			return sum == want, fmt.Sprint(sum)
		})
	}
	at(stops)
	for kind, offset := range map[member.EventKind]int64{member.EventSkipped: skipped, member.EventDeadLettered: dead} {
		if told := r.all(kind); len(told) != 1 || told[0].Offset != offset {
			t.Errorf("%s: got %+v", kind, told)
		}
	}
	reader := newClient(t, c, kgo.ConsumeTopics(letters))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var set []*kgo.Record
	for len(set) == 0 && ctx.Err() == nil {
		set = reader.PollFetches(ctx).Records()
	}
	if len(set) != 1 || string(set[0].Value) != fmt.Sprint(dead) {
		t.Errorf("%d dead letters: %v", len(set), set)
	}
	mended.Store(true)
	if !r.Resume(topic, 0) {
		t.Error("there was nothing to resume")
	}
	r.ended(t)
	var failure *member.Failure
	if !errors.As(r.failed, &failure) || failure.Records[0].Offset != ends {
		t.Errorf("Run returned %v", r.failed)
	}
	r.close(t)
	at(ends)

	b.first = nil
	next := startRunner(t, c, group, topic, b, func(cfg *member.Config) { cfg.GroupProtocol = protocol })
	b.complete(t, records-2) // but what was skipped and set aside
	next.close(t)
	at(records)
	if twice := b.twice(); len(twice) > 0 {
		t.Errorf("handled twice: %v", twice)
	}
}

// hanging has a handler hang that heeds nothing. With StallRelease, where there is a
// leader to ask, another member gets just that partition; with StallLeave all that the
// member has.
func hanging(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	const partitions = 4
	answers := []member.StallAction{member.StallLeave}
	if protocol == member.ClassicProtocol {
		answers = append(answers, member.StallRelease)
	}
	for _, answer := range answers {
		topic, group := newTopic(t, c, partitions), unique(t, "group")
		hangs, works := newBook(), newBook()
		release := make(chan struct{})
		hangs.first = func(_ context.Context, r *kgo.Record) error {
			if r.Partition == 0 {
				<-release
			}
			return nil
		}
		stuck := startRunner(t, c, group, topic, hangs, func(cfg *member.Config) {
			cfg.GroupProtocol = protocol
			cfg.StallTimeout, cfg.DrainTimeout, cfg.OnStall = 500*time.Millisecond, 500*time.Millisecond, answer
		})
		own(t, []int{partitions}, stuck)
		produceTo(t, c, topic, map[int32]int{0: 5})
		eventually(t, "the handler is found to hang", func() (bool, string) {
			return len(stuck.all(member.EventStalled)) == 1 && stuck.Health().State == member.HealthStalled, stuck.Health().String()
		})
		other := startRunner(t, c, group, topic, works, func(cfg *member.Config) { cfg.GroupProtocol = protocol })
		if answer == member.StallLeave {
			stuck.ended(t)
			if !errors.Is(stuck.failed, member.ErrStalled) {
				t.Errorf("Run returned %v", stuck.failed)
			}
			own(t, []int{partitions}, other)
		} else {
			own(t, []int{partitions / 2, partitions / 2}, stuck, other)
			for _, p := range owned(stuck) {
				if p == 0 {
					t.Errorf("the partition whose handler hangs is where it was: %v", owned(stuck))
				}
			}
		}
		eventually(t, "the other handles what the first does not", func() (bool, string) {
			works.mu.Lock()
			defer works.mu.Unlock()
			n := 0
			for _, h := range works.calls {
				if h.partition == 0 {
					n++
				}
			}
			return n == 5, fmt.Sprint(n)
		})
		close(release)
		other.close(t)
		stuck.close(t)
	}
}

// growing has a topic come that fits the pattern of a member, and partitions to another.
func growing(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	first, group := newTopic(t, c, 1), unique(t, "group")
	second := first + "-later"
	b := newBook()
	r := startRunner(t, c, group, "^"+first+".*$", b, func(cfg *member.Config) {
		cfg.GroupProtocol = protocol
		cfg.Client = append(cfg.Client, kgo.ConsumeRegex(), kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))
	})
	own(t, []int{1}, r)
	admin := kadm.NewClient(newClient(t, c))
	if _, err := admin.CreateTopic(t.Context(), 2, -1, nil, second); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.DeleteTopic(context.Background(), second) })
	own(t, []int{3}, r)
	if _, err := admin.CreatePartitions(t.Context(), 2, first); err != nil {
		t.Fatal(err)
	}
	own(t, []int{5}, r)
	produceFrom(t, c, first, 0, 30)
	produceFrom(t, c, second, 30, 30)
	b.complete(t, 60)
}
