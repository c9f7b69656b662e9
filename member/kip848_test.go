package member_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/member"
)

func onKIP848(cfg *member.Config) {
	cfg.GroupProtocol, cfg.Protocols = member.ConsumerProtocol, nil
}

func fakeCluster848(t *testing.T, partitions int32) *kfake.Cluster {
	t.Helper()
	return fakeCluster848With(t, partitions, nil)
}

// fakeCluster848With starts one whose brokers have further settings.
func fakeCluster848With(t *testing.T, partitions int32, settings map[string]string) *kfake.Cluster {
	t.Helper()
	all := map[string]string{"group.consumer.heartbeat.interval.ms": "100"}
	maps.Copy(all, settings)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(partitions, "t"), kfake.BrokerConfigs(all))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// On KIP-848 partitions are drained and committed before they are given up, and states
// and events are the same.
func TestOnKIP848HandlersAreDrainedAndCommitted(t *testing.T) {
	const partitions, perPartition = 4, 40
	cluster := fakeCluster848(t, partitions)
	produce(t, cluster, partitions, perPartition)
	var mu sync.Mutex
	handled := make(map[string]int)
	slow := member.Each(func(ctx context.Context, record *kgo.Record) error {
		select {
		case <-time.After(5 * time.Millisecond): // work
		case <-ctx.Done():
			return ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		handled[fmt.Sprintf("%d/%d", record.Partition, record.Offset)]++
		return nil
	})
	first := startRun(t, cluster, onKIP848, slow)
	eventually(t, "records are handled", func() bool { mu.Lock(); defer mu.Unlock(); return len(handled) > 5 })
	if h := first.Health(); h.State != member.HealthWorking || h.Owned != partitions {
		t.Errorf("health: %v", h)
	}
	if first.Leading() || first.SetTraits(member.Traits{Capacity: 2}) == nil {
		t.Error("nobody leads in KIP-848, and there is nobody to tell traits to")
	}
	if s := first.State(); s != member.StateLeaderless {
		t.Errorf("state %s", s)
	}
	second := startRun(t, cluster, onKIP848, slow)
	if e := first.await(t, member.EventRevoked); len(e.Assigned) == 0 {
		t.Errorf("got %+v", e)
	}
	eventually(t, "all is handled", func() bool { mu.Lock(); defer mu.Unlock(); return len(handled) == partitions*perPartition })
	shut(t, first.Member)
	shut(t, second.Member)
	second.closedAfter(t, member.EventRevoked)
	for record, n := range handled {
		if n != 1 {
			t.Errorf("record %s was handled %d times", record, n)
		}
	}
}

// On KIP-848 too, a member that is not acknowledged ends its handlers, and one that is
// put out of the group cancels them.
func TestOnKIP848HandlersEndWithTheSession(t *testing.T) {
	cluster := fakeCluster848(t, 1)
	produce(t, cluster, 1, 1)
	causes := make(chan error, 8)
	var stuck sync.Once
	r := startRun(t, cluster, onKIP848, func(ctx context.Context, _ []*kgo.Record) (err error) {
		stuck.Do(func() {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			err = ctx.Err()
		})
		return err
	})
	eventually(t, "the handler runs", func() bool { return r.Health().State == member.HealthWorking })
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ConsumerGroupHeartbeat}, Err: kerr.FencedMemberEpoch, Count: 1})
	if err := <-causes; !errors.Is(err, member.ErrLost) {
		t.Errorf("the context ended because: %v", err)
	}
	r.await(t, member.EventLost)
	committedAt(t, r, 1)
}

// Brokers that do not know KIP-848 have the client fall back to the classic protocol, in
// which there is a leader, if none of this package.
func TestOnOlderBrokersAMemberFollowsALeaderOfTheClients(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t"), kfake.MaxVersions(kversion.V3_7_0()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	r := startRun(t, cluster, onKIP848, ignore)
	eventually(t, "it is assigned all", func() bool { return r.Health().Owned == 2 && len(r.all(member.EventAssigned)) > 0 })
	if s := r.State(); s != member.StateFollowing || r.Leading() {
		t.Errorf("the member is %s", s)
	}
	shut(t, r.Member)
	r.checkStates(t)
}

// A group that does not take a member in is told as on the classic protocol: by EventLost for
// each try, and by nothing else.
func TestOnKIP848AMemberThatIsNotTakenInIsToldThatItIsLost(t *testing.T) {
	for name, refusal := range map[string]*kerr.Error{
		"a group of another type":     kerr.GroupIDNotFound,
		"a second process's instance": kerr.UnreleasedInstanceID,
		"no permission":               kerr.GroupAuthorizationFailed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fakeCluster848(t, 1)
			refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ConsumerGroupHeartbeat}, Err: refusal, Count: -1})
			var log lockedBuffer
			r := startRun(t, cluster, func(cfg *member.Config) {
				onKIP848(cfg)
				cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
			}, ignore, kgo.ClientID("me"), kgo.SessionTimeout(time.Minute), kgo.RebalanceTimeout(time.Minute),
				kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
			eventually(t, "it is told twice", func() bool { return len(r.all(member.EventLost)) > 1 })
			if h := r.Health(); h.State != member.HealthJoining || !errors.Is(h.Err, refusal) {
				t.Errorf("health: %v", h)
			}
			refused.Remove()
			eventually(t, "it is taken in", func() bool { return r.Health().Owned == 1 })
			shut(t, r.Member)
			r.checkStates(t)
			for _, e := range r.all(member.EventLost) {
				if !errors.Is(e.Err, refusal) || e.State != member.StateFenced {
					t.Errorf("got %+v", e)
				}
			}
			if failed := r.all(member.EventFetchFailed); len(failed) > 0 {
				t.Errorf("%d are told as fetches that failed, the first: %v", len(failed), failed[0].Err)
			}
			log.mu.Lock()
			defer log.mu.Unlock()
			told := 0
			for line := range strings.Lines(log.String()) {
				if !strings.Contains(line, refusal.Message) {
					continue
				}
				told++
				if !strings.Contains(line, `"level":"WARN","msg":"group member lost"`) || !strings.Contains(line, `"clientId":"me"`) {
					t.Errorf("the log has: %s", line)
				}
			}
			if n := len(r.all(member.EventLost)); told != n {
				t.Errorf("%d records in the log for %d events", told, n)
			}
		})
	}
}

// A heartbeat that is refused is answered too, and kgo starts its session again and again
// meanwhile, with the partitions that it had. None of that makes the lease longer: the
// group may have another coordinator, which has given the partitions away.
func TestOnKIP848RefusedHeartbeatsDoNotKeepTheLease(t *testing.T) {
	cluster := fakeCluster848With(t, 1, map[string]string{
		"group.consumer.session.timeout.ms": "6000", "group.consumer.min.session.timeout.ms": "6000",
	})
	produce(t, cluster, 1, 1)
	ended := make(chan error, 1)
	var once sync.Once
	r := startRun(t, cluster, onKIP848, func(ctx context.Context, _ []*kgo.Record) (err error) {
		once.Do(func() {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			err = ctx.Err()
		})
		return err
	}, kgo.RequestRetries(2))
	eventually(t, "the handler runs", func() bool { return r.Health().State == member.HealthWorking })
	assigned := len(r.all(member.EventAssigned))
	refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ConsumerGroupHeartbeat, kmsg.OffsetFetch}, Err: kerr.NotCoordinator, Count: -1})
	select {
	case err := <-ended:
		if !errors.Is(err, member.ErrLeaseExpired) {
			t.Errorf("the context ended because: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("the handler goes on: %v, with a lease of %s", r.Health(), r.Health().Lease)
	}
	eventually(t, "kgo starts its session again", func() bool { return len(r.all(member.EventAssigned)) > assigned })
	r.await(t, member.EventFenced)
	refused.Remove()
	committedAt(t, r, 1)
}

// When the coordinator dies and nothing is to be committed, kgo would go on to heartbeat
// to it for good; the member makes it look for the new one.
func TestOnKIP848TheNewCoordinatorIsFound(t *testing.T) {
	cluster := fakeCluster848(t, 1)
	var mu sync.Mutex
	open := make(map[string][]net.Conn)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			open[address] = append(open[address], conn)
		}
		return conn, err
	}
	r := startRun(t, cluster, onKIP848, ignore, kgo.Dialer(dial), kgo.SessionTimeout(45*time.Second), kgo.RebalanceTimeout(time.Minute))
	const full = 45 * time.Second * 9 / 10
	eventually(t, "heartbeats are acknowledged", func() bool { return r.Health().Lease > full-time.Second })
	coordinator := cluster.CoordinatorFor("g")
	brokers, err := kadm.NewClient(r.Client()).ListBrokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address := ""
	for _, b := range brokers {
		if b.NodeID == coordinator {
			address = fmt.Sprintf("%s:%d", b.Host, b.Port)
		}
	}
	if err := cluster.RemoveNode(coordinator); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	for _, conn := range open[address] {
		conn.Close()
	}
	if len(open[address]) == 0 {
		t.Error("nothing was connected to the coordinator")
	}
	mu.Unlock()
	removed := time.Now()
	eventually(t, "heartbeats are acknowledged by another", func() bool {
		return time.Since(removed) > 3*time.Second && r.Health().Lease > full-time.Second
	})
}
