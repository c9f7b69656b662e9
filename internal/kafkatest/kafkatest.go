// Package kafkatest makes kfake do what it does not by itself, for the tests of
// several packages: a quorum, the log of groups, and brokers that misbehave.
package kafkatest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ServeQuorum makes a fake cluster answer DescribeQuorum.
func ServeQuorum(t testing.TB, fake *kfake.Cluster, answer *kmsg.DescribeQuorumResponse) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	asking := kmsg.NewPtrApiVersionsRequest()
	asking.ClientSoftwareName, asking.ClientSoftwareVersion = "kafkatest", "1"
	versions, err := asking.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	quorum := kmsg.NewApiVersionsResponseApiKey()
	quorum.ApiKey = answer.Key()
	quorum.MaxVersion = answer.MaxVersion()
	versions.ApiKeys = append(versions.ApiKeys, quorum)
	fake.ControlKey(asking.Key(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		copied := *versions
		copied.Version = req.GetVersion()
		return &copied, nil, true
	})
	fake.ControlKey(answer.Key(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		copied := *answer
		copied.Version = req.GetVersion()
		return &copied, nil, true
	})
}

// GroupRecordKey is the key of a classic group's record in __consumer_offsets.
func GroupRecordKey(group string) []byte {
	key := kmsg.NewGroupMetadataKey()
	key.Version = 2
	key.Group = group
	return key.AppendTo(nil)
}

// GroupRecord is what a coordinator writes of a classic group when a rebalance
// completes.
func GroupRecord(group, leader string, generation int32) kgo.Record {
	value := kmsg.NewGroupMetadataValue()
	value.Version = 3
	value.ProtocolType = "consumer"
	value.Protocol = kmsg.StringPtr("range")
	value.Generation = generation
	value.Leader = &leader
	member := kmsg.NewGroupMetadataValueMember()
	member.MemberID = leader
	value.Members = append(value.Members, member)
	return kgo.Record{Key: GroupRecordKey(group), Value: value.AppendTo(nil)}
}

// WriteLog appends records to a partition of __consumer_offsets, as its
// coordinator would.
func WriteLog(t testing.TB, fake *kfake.Cluster, partition int32, records ...kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// Not the test's context: whoever writes while the test ends is waited for.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for _, r := range records {
		r.Topic, r.Partition = "__consumer_offsets", partition
		if err := client.ProduceSync(ctx, &r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// Listen serves each connection with a function until the test ends, and returns
// the address.
func Listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// Silence reads and never answers.
func Silence(conn net.Conn) {
	buffer := make([]byte, 1024)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}

// BadBrokers are addresses at which there is no broker, each in its way.
func BadBrokers(t testing.TB) map[string]string {
	t.Helper()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	return map[string]string{
		"refuses":      closed.Addr().String(),
		"hangs up":     Listen(t, func(net.Conn) {}),
		"says nothing": Listen(t, Silence),
		"talks garbage": Listen(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}),
		"answers with nonsense": Listen(t, func(conn net.Conn) {
			request := make([]byte, 1024)
			_, _ = conn.Read(request)
			_, _ = conn.Write(append([]byte{0, 0, 0, 12}, append(request[8:12], 9, 9, 9, 9, 9, 9, 9, 9)...))
		}),
	}
}
