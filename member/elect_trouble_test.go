package member_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/member"

	"github.com/groupkit/groupkit/internal/memberbytes"
)

func TestAnElectionOutlivesWhatBrokersDo(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		"the member is forgotten":            {Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, Count: 1},
		"it is forgotten at JoinGroup":       {Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.UnknownMemberID, Count: 1},
		"it is forgotten at SyncGroup":       {Keys: []kmsg.Key{kmsg.SyncGroup}, Err: kerr.UnknownMemberID, Count: 2},
		"a round cuts the other short":       {Keys: []kmsg.Key{kmsg.SyncGroup}, Err: kerr.RebalanceInProgress, Count: 3},
		"a generation is not known":          {Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.IllegalGeneration, Count: 1},
		"brokers fail":                       {Keys: []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup}, Err: kerr.UnknownServerError, Count: 3},
		"the coordinator moves":              {Keys: []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat}, Err: kerr.NotCoordinator, Count: 3},
		"heartbeats fail for a whole lease":  {Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.CoordinatorLoadInProgress, Count: -1},
		"JoinGroup is refused for some time": {Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.GroupAuthorizationFailed, Count: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fakeCluster(t, 1)
			o := &office{t: t}
			a := stand(t, cluster, member.ElectionConfig{Lead: o.lead, Payload: []byte("a"), SessionTimeout: 3 * time.Second})
			eventually(t, "it leads", a.Leading)
			faults := cluster.Fault(fault)
			a.SetPriority(1) // brings about a round
			if fault.Count < 0 {
				eventually(t, "the term ends", func() bool { return len(a.resigned()) > 0 })
			} else {
				eventually(t, "the fault was seen", func() bool { return faults.Hits() >= fault.Count })
			}
			faults.Remove()
			b := stand(t, cluster, member.ElectionConfig{Lead: o.lead, Payload: []byte("b")})
			eventually(t, "one leads", func() bool { return o.busy.Load() == 1 })
			agree(t, map[bool]string{true: "a", false: "b"}[a.Leading()], a, b)
		})
	}
}

func TestAMemberOfTheElectionThatNobodyCanReadStopsNobody(t *testing.T) {
	cluster := fakeCluster(t, 1)
	o := &office{t: t}
	a := stand(t, cluster, member.ElectionConfig{Lead: o.lead, Payload: []byte("a")})
	agree(t, "a", a)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	id := ""
	for id == "" || len(a.all(member.EventIsolated)) == 0 {
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.ProtocolType, join.MemberID = "e", memberbytes.ElectionProtocolType, id
		join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 5000, 5000
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: memberbytes.ElectionProtocol, Metadata: []byte{1, 2, 3}}}
		resp, err := join.RequestWith(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		id = resp.MemberID
		if resp.ErrorCode == 0 {
			sync := kmsg.NewPtrSyncGroupRequest()
			sync.Group, sync.MemberID, sync.Generation = "e", id, resp.Generation
			got, err := sync.RequestWith(t.Context(), client)
			if err != nil || got.ErrorCode == 0 && len(got.MemberAssignment) > 0 {
				t.Errorf("the garbage was answered %q, %v", got.MemberAssignment, err)
			}
		}
	}
	if e := a.all(member.EventIsolated)[0]; e.Subject != id {
		t.Errorf("%q was isolated, want %q", e.Subject, id)
	}
	if !a.Leading() || o.runs.Load() != 1 {
		t.Errorf("the leader did not stay: %d terms", o.runs.Load())
	}
}

func TestAnElectionWithoutBrokersTellsAndCanBeClosed(t *testing.T) {
	e, err := member.Elect("e", member.ElectionConfig{Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, SessionTimeout: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "why there is no leader is told", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := e.WaitLeader(ctx)
		return err != nil && strings.Contains(err.Error(), `the coordinator of election "e" did not answer JoinGroup`)
	})
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhyAnElectionCannotBeJoinedIsTold(t *testing.T) {
	cluster := fakeCluster(t, 4)
	consumer := startMember(t, cluster, member.HooksConfig{})
	settledOwners(t, 4, consumer)
	e, err := member.Elect("g", member.ElectionConfig{Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	eventually(t, "why it cannot be joined is told", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := e.WaitLeader(ctx)
		return errors.Is(err, kerr.InconsistentGroupProtocol) && strings.Contains(err.Error(), `group "g" is no election`)
	})
}
