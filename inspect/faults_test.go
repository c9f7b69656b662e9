package inspect_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// faulty is a connection on which one kind of request is answered late, which is never, or
// by a closed connection, or with garbage.
type faulty struct {
	net.Conn
	key   int16
	fault string

	mu      sync.Mutex
	garbage []byte
}

func (f *faulty) Write(request []byte) (int, error) {
	if len(request) < 12 || int16(binary.BigEndian.Uint16(request[4:])) != f.key {
		return f.Conn.Write(request)
	}
	switch f.fault {
	case "closes":
		f.Conn.Close()
	case "sends garbage":
		f.mu.Lock()
		f.garbage = append([]byte{0, 0, 0, 28}, request[8:12]...) // to this request
		for len(f.garbage) < 32 {
			f.garbage = append(f.garbage, 0xff)
		}
		f.mu.Unlock()
	}
	return len(request), nil
}

func (f *faulty) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.garbage) > 0 {
		n := copy(p, f.garbage)
		f.garbage = f.garbage[n:]
		return n, nil
	}
	f.mu.Unlock()
	defer f.mu.Lock()
	return f.Conn.Read(p)
}

// TestBrokersThatMisbehaveAtOneRequest sees that what the other requests told stays, in
// bounded time, with the reason.
func TestBrokersThatMisbehaveAtOneRequest(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	joinGroup(t, fake, "classic", 1)
	joinGroup(t, fake, "modern", 1, kgo.ServerSideBalancer())
	commit(t, fake, "empty", "orders", 0)
	writeLog(t, fake, "classic", commitRecord("classic", 1))
	type told struct {
		holds  string
		errors []inspect.Problem
		warns  []inspect.Problem
	}
	group := func(name string) func(context.Context, *inspect.Inspector) (told, error) {
		return func(ctx context.Context, in *inspect.Inspector) (told, error) {
			a, err := in.DescribeGroups(ctx, inspect.GroupDetails{Lag: true}, name)
			holds := ""
			for _, g := range a.Data {
				holds += fmt.Sprintf("%d members, ", len(g.Members))
				if g.Lag == nil {
					holds += "no lag"
				} else {
					holds += fmt.Sprintf("%d of %d unknown", g.Lag.Unknown, len(g.Lag.Partitions))
				}
			}
			return told{holds, a.Errors, a.Warnings}, err
		}
	}
	history := func(ctx context.Context, in *inspect.Inspector) (told, error) {
		a, err := in.OffsetsLog(ctx, "classic", inspect.LogRange{})
		holds := "nothing"
		if a.Data != nil {
			holds = fmt.Sprintf("%d entries, complete: %v", len(a.Data.Entries), a.Data.Complete)
		}
		return told{holds, a.Errors, a.Warnings}, err
	}
	const allowed = 700 * time.Millisecond
	for _, test := range []struct {
		view  string
		key   kmsg.Key
		holds string // empty: nothing, and the method fails
		warns bool   // only a detail is missing
		ask   func(context.Context, *inspect.Inspector) (told, error)
	}{
		{"Controller", kmsg.DescribeQuorum, "cluster fake", false, func(ctx context.Context, in *inspect.Inspector) (told, error) {
			a, err := in.Controller(ctx)
			return told{"cluster " + textOf(a.ClusterID), a.Errors, a.Warnings}, err
		}},
		{"Controller", kmsg.Metadata, "", false, func(ctx context.Context, in *inspect.Inspector) (told, error) {
			a, err := in.Controller(ctx)
			return told{"", a.Errors, a.Warnings}, err
		}},
		{"Partitions", kmsg.DescribeTopicPartitions, "", false, func(ctx context.Context, in *inspect.Inspector) (told, error) {
			a, err := in.Partitions(ctx, "orders")
			return told{fmt.Sprintf("%d rows", len(a.Data)), a.Errors, a.Warnings}, err
		}},
		{"Partitions", kmsg.DescribeConfigs, "2 rows", true, func(ctx context.Context, in *inspect.Inspector) (told, error) {
			a, err := in.Partitions(ctx, "orders")
			return told{fmt.Sprintf("%d rows", len(a.Data)), a.Errors, a.Warnings}, err
		}},
		{"Brokers", kmsg.DescribeCluster, "3 brokers, loads: true", true, func(ctx context.Context, in *inspect.Inspector) (told, error) {
			a, err := in.Brokers(ctx)
			return told{fmt.Sprintf("%d brokers, loads: %v", len(a.Data), len(a.Data) > 0 && a.Data[0].Leads != nil), a.Errors, a.Warnings}, err
		}},
		{"Brokers", kmsg.DescribeTopicPartitions, "3 brokers, loads: false", false, func(ctx context.Context, in *inspect.Inspector) (told, error) {
			a, err := in.Brokers(ctx)
			return told{fmt.Sprintf("%d brokers, loads: %v", len(a.Data), len(a.Data) > 0 && a.Data[0].Leads != nil), a.Errors, a.Warnings}, err
		}},
		{"Coordinators", kmsg.FindCoordinator, "leader: true, coordinator: false", false, func(ctx context.Context, in *inspect.Inspector) (told, error) {
			a, err := in.Coordinators(ctx, "orders")
			return told{fmt.Sprintf("leader: %v, coordinator: %v", a.Data[0].Leader != nil, a.Data[0].Coordinator != nil), a.Errors, a.Warnings}, err
		}},
		{"DescribeGroups", kmsg.Metadata, "", false, group("classic")},
		{"DescribeGroups", kmsg.DescribeGroups, "0 members, no lag", false, group("classic")},
		{"DescribeGroups", kmsg.ConsumerGroupDescribe, "0 members, no lag", false, group("modern")},
		{"DescribeGroups", kmsg.OffsetFetch, "1 members, 2 of 2 unknown", false, group("classic")},
		{"DescribeGroups", kmsg.ListOffsets, "0 members, 1 of 1 unknown", false, group("empty")},
		{"OffsetsLog", kmsg.Metadata, "", false, history},
		{"OffsetsLog", kmsg.ListOffsets, "nothing", false, history},
		{"OffsetsLog", kmsg.Fetch, "0 entries, complete: false", false, history},
	} {
		for _, fault := range []string{"is late", "closes", "sends garbage"} {
			t.Run(fmt.Sprintf("%s, a broker %s at %s", test.view, fault, test.key.Name()), func(t *testing.T) {
				t.Parallel()
				dial := func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					if err != nil {
						return nil, err
					}
					return &faulty{Conn: conn, key: int16(test.key), fault: fault}, nil
				}
				client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(dial))
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				ctx, cancel := context.WithTimeout(t.Context(), allowed)
				defer cancel()
				start := time.Now()
				got, err := test.ask(ctx, inspect.New(client))
				if took := time.Since(start); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
				if problem, ok := errors.AsType[inspect.Problem](err); (test.holds == "") != ok || ok && (problem.Message == "" || problem.Cause == nil) {
					t.Fatalf("%v", err)
				}
				if test.holds != "" && got.holds != test.holds {
					t.Errorf("holds %q, want %q", got.holds, test.holds)
				}
				problems := got.errors
				if test.warns {
					problems = got.warns
				}
				most := 1
				if test.view == "DescribeGroups" {
					most = 2 // what waits behind the request on the connection fails, too
				}
				if len(problems) == 0 || len(got.errors)+len(got.warns) > most || !slices.Contains([]inspect.Code{inspect.CodeTimeout, inspect.CodeUnreachable, inspect.CodeRequestFailed}, problems[0].Code) {
					t.Errorf("errors %+v, warnings %+v", got.errors, got.warns)
				}
				for _, p := range problems {
					t.Log(p.Message)
				}
			})
		}
	}
}

func textOf(s *string) string {
	if s == nil {
		return "unknown"
	}
	return *s
}
