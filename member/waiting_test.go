package member_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/member"
)

// awaitsJoin holds a member to telling why it waits, by event and health, and to joining
// once that is not so any more.
func awaitsJoin(t *testing.T, r *running, says string, mend func()) error {
	t.Helper()
	e := r.await(t, member.EventWaiting)
	if !strings.Contains(e.Err.Error(), says) {
		t.Errorf("it waits for %v; want it to say %q", e.Err, says)
	}
	if h := r.Health(); h.State != member.HealthJoining || h.Err == nil || !strings.Contains(h.Err.Error(), says) || h.Ready() {
		t.Errorf("health is %v", h)
	}
	mend()
	eventually(t, "it joins", func() bool { return r.Health().Ready() })
	if h := r.Health(); h.Err != nil {
		t.Errorf("in the group its health is %v", h)
	}
	return e.Err
}

func TestAMemberTellsThatItsTopicDoesNotExist(t *testing.T) {
	cluster := fakeCluster(t, 1)
	r := startRun(t, cluster, func(cfg *member.Config) { cfg.Topics = []string{"later"} }, ignore, kgo.MetadataMinAge(10*time.Millisecond))
	err := awaitsJoin(t, r, `topic "later" does not exist`, func() {
		if _, err := kadm.NewClient(r.Client()).CreateTopic(t.Context(), 1, 1, nil, "later"); err != nil {
			t.Fatal(err)
		}
	})
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("got %v", err)
	}
	if n := len(r.all(member.EventWaiting)); n != 1 {
		t.Errorf("the same was told %d times", n)
	}
}

func TestAMemberTellsThatNoBrokerAnswersAndJoinsWhenOneDoes(t *testing.T) {
	for _, protocol := range []member.GroupProtocol{member.ClassicProtocol, member.ConsumerProtocol} {
		t.Run(protocol.String(), func(t *testing.T) {
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := free.Addr().(*net.TCPAddr)
			if err := free.Close(); err != nil {
				t.Fatal(err)
			}
			r := startRun(t, fakeCluster(t, 1), func(cfg *member.Config) { cfg.GroupProtocol, cfg.Protocols = protocol, nil }, ignore, kgo.SeedBrokers(address.String()), kgo.MetadataMinAge(10*time.Millisecond))
			waits := awaitsJoin(t, r, "no broker answers; check the seed brokers", func() {
				late, err := kfake.NewCluster(kfake.Ports(address.Port), kfake.SeedTopics(1, "t"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(late.Close)
			})
			if !errors.Is(waits, syscall.ECONNREFUSED) {
				t.Errorf("got %v", waits)
			}
			if err := r.Close(context.Background()); err != nil { // before the cluster
				t.Error(err)
			}
		})
	}
}
