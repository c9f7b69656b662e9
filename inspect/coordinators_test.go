package inspect_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/inspect"
)

func TestCoordinatorsAgreeWithTheLeaderOfThePartition(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	in := inspect.New(newClient(t, fake))
	// Two names of different partitions, so that each can be where it should.
	for _, group := range []string{"orders", "hello"} {
		if err := fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition(group, 50), fake.CoordinatorFor(group)); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := in.Coordinators(testContext(t), "orders", "hello", "orders")
	if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 {
		t.Fatal(err, answer.Errors, answer.Warnings)
	}
	if len(answer.Data) != 2 || answer.Data[0].Name != "orders" || answer.Data[1].Name != "hello" {
		t.Fatalf("rows %+v, want orders and hello once each", answer.Data)
	}
	row := answer.Data[0]
	if row.Hash != -1008770331 || *row.Partition != 31 || *row.PartitionCount != 50 ||
		*row.Leader != fake.CoordinatorFor("orders") || *row.Coordinator != *row.Leader || !*row.Agrees || len(row.ISR) == 0 {
		t.Errorf("row %+v", row)
	}
	if *answer.ClusterID != "fake" {
		t.Errorf("cluster %q", *answer.ClusterID)
	}
}

func TestCoordinatorsShowAMismatch(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	elsewhere := (fake.CoordinatorFor("orders") + 1) % 3
	if err := fake.MoveTopicPartition(offsetsTopic, 31, elsewhere); err != nil {
		t.Fatal(err)
	}
	answer, err := inspect.New(newClient(t, fake)).Coordinators(testContext(t), "orders")
	if err != nil || answer.Err() != nil {
		t.Fatal(err, answer.Errors)
	}
	if row := answer.Data[0]; *row.Agrees || *row.Leader != elsewhere || *row.Coordinator == elsewhere {
		t.Errorf("row %+v hides the mismatch", row)
	}
	if got := codes(answer.Warnings); !slices.Equal(got, []inspect.Code{inspect.CodeCoordinatorMismatch}) {
		t.Errorf("warnings %v", got)
	}
}

func TestCoordinatorsLeaveTheOffsetsTopicUncreated(t *testing.T) {
	fake := newFake(t)
	asked := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Observe: true, Count: -1})
	answer, err := inspect.New(newClient(t, fake)).Coordinators(testContext(t), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if got := codes(answer.Errors); !slices.Equal(got, []inspect.Code{inspect.CodeOffsetsTopicAbsent}) {
		t.Errorf("errors %v", got)
	}
	row := answer.Data[0]
	if row.Hash != -1008770331 || row.Partition != nil || row.PartitionCount != nil || row.Coordinator != nil || row.Agrees != nil || row.ISR != nil {
		t.Errorf("row %+v knows more than the hash", row)
	}
	if hits := asked.Hits(); hits > 0 {
		t.Errorf("FindCoordinator, which creates the topic, was sent %d times", hits)
	}
	answer, err = inspect.New(newClient(t, fake), inspect.CreateInternalTopics()).Coordinators(testContext(t), "orders")
	if err != nil || answer.Data[0].Coordinator == nil {
		t.Fatalf("asked for creation: %v, %+v", err, answer)
	}
	if asked.Hits() == 0 {
		t.Error("FindCoordinator was not sent although creation was asked for")
	}
}

func TestCoordinatorsOfThousandsOfNamesTakeFewRequests(t *testing.T) {
	var names []string
	for i := range 3500 {
		names = append(names, fmt.Sprintf("group-%d-%s", i, strings.Repeat("é", i%20)))
	}
	for _, test := range []struct {
		name    string
		options []kfake.Opt
		most    int64
	}{
		{"batched", nil, 4},
		{"one by one", []kfake.Opt{kfake.MaxVersions(kversion.V2_8_0())}, 40},
	} {
		t.Run(test.name, func(t *testing.T) {
			some := names
			if test.most > 4 {
				some = names[:40]
			}
			fake := newFake(t, append(test.options, kfake.SeedTopics(50, offsetsTopic))...)
			asked := 0
			fake.ControlKey(int16(kmsg.FindCoordinator), func(kmsg.Request) (kmsg.Response, error, bool) {
				asked++
				return nil, nil, false
			})
			answer, err := inspect.New(newClient(t, fake)).Coordinators(testContext(t), some...)
			if err != nil || answer.Err() != nil {
				t.Fatal(err, answer.Errors)
			}
			for i, row := range answer.Data {
				if row.Name != some[i] || row.Coordinator == nil || *row.Coordinator != fake.CoordinatorFor(row.Name) {
					t.Fatalf("row %d: %+v", i, row)
				}
			}
			// Names do not agree here, so all are asked for twice.
			if int64(asked) > 2*test.most {
				t.Errorf("%d requests for %d names", asked, len(some))
			}
		})
	}
}

func TestCoordinatorsNameTheMissingACL(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	fake.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Group: "secret", Err: kerr.GroupAuthorizationFailed, Count: -1},
	)
	answer, err := inspect.New(newClient(t, fake)).Coordinators(testContext(t), "secret", "orders")
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeNotAuthorized || answer.Errors[0].Target != "secret" ||
		!strings.Contains(answer.Errors[0].Message, `DESCRIBE on the group "secret"`) {
		t.Errorf("errors %+v", answer.Errors)
	}
	if answer.Data[0].Leader == nil || answer.Data[0].Coordinator != nil || answer.Data[0].Agrees != nil {
		t.Errorf("the leader can be computed, and the rest is not known: %+v", answer.Data[0])
	}
	if answer.Data[1].Coordinator == nil {
		t.Errorf("the other group lost its row: %+v", answer.Data[1])
	}
}

func TestCoordinatorsWithoutTheTopicsDescription(t *testing.T) {
	fake := newFake(t)
	hideOffsetsTopic(fake)
	asked := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Observe: true, Count: -1})
	for _, allowed := range []bool{false, true} {
		var options []inspect.Option
		if allowed {
			options = append(options, inspect.CreateInternalTopics())
		}
		answer, err := inspect.New(newClient(t, fake), options...).Coordinators(testContext(t), "orders")
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeNotAuthorized || !strings.Contains(answer.Errors[0].Message, "DESCRIBE on the topic __consumer_offsets") {
			t.Errorf("creation allowed %v: errors %+v", allowed, answer.Errors)
		}
		if row := answer.Data[0]; row.Hash == 0 || row.Partition != nil || row.Agrees != nil || (row.Coordinator != nil) != allowed {
			t.Errorf("creation allowed %v: row %+v", allowed, row)
		}
		if (asked.Hits() > 0) != allowed {
			t.Errorf("creation allowed %v: FindCoordinator, which may create the topic, was sent %d times", allowed, asked.Hits())
		}
	}
}

func TestNamesThatKafkaCannotCarryAreRefused(t *testing.T) {
	fake := newFake(t)
	in := inspect.New(newClient(t, fake))
	for _, name := range []string{"\xff\xfe", strings.Repeat("a", 1<<15)} {
		_, err := in.Coordinators(testContext(t), "fine", name)
		var problem inspect.Problem
		if p, ok := err.(inspect.Problem); ok {
			problem = p
		}
		if problem.Code != inspect.CodeInvalidName {
			t.Errorf("%.10q: %v", name, err)
		}
	}
}

func TestCoordinatorsOfThousandsTakeARequestForEachBroker(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	asked := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Observe: true, Count: -1})
	var names []string
	for i := range 9000 {
		name := fmt.Sprintf("group-%d", i)
		names = append(names, name)
		// Where the fake's coordinator is, so that nothing is asked twice.
		if err := fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition(name, 50), fake.CoordinatorFor(name)); err != nil {
			t.Fatal(err)
		}
	}
	// The fake places groups otherwise than Kafka, so only the names count here.
	answer, err := inspect.New(newClient(t, fake)).Coordinators(testContext(t), names...)
	if err != nil || answer.Err() != nil || len(answer.Data) != len(names) {
		t.Fatal(err, answer.Err())
	}
	for i, row := range answer.Data {
		if row.Name != names[i] || row.Kind != "group" || row.Coordinator == nil || *row.Coordinator != fake.CoordinatorFor(row.Name) {
			t.Fatalf("row %d: %+v", i, row)
		}
	}
	looks := 1
	if len(answer.Warnings) > 0 {
		looks = 2 // the disagreements were looked at again
	}
	if hits := asked.Hits(); hits > 3*looks {
		t.Errorf("%d requests to 3 brokers", hits)
	}
}

func TestCoordinatorsOfTransactions(t *testing.T) {
	fake := newFake(t)
	in := inspect.New(newClient(t, fake))
	asked := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Observe: true, Count: -1})
	answer, err := in.TransactionCoordinators(testContext(t), "writer-1")
	if err != nil || len(answer.Data) != 1 || !slices.Equal(codes(answer.Errors), []inspect.Code{inspect.CodeStateTopicAbsent}) || asked.Hits() > 0 {
		t.Fatalf("%v: %+v", err, answer)
	}
	if !strings.Contains(answer.Errors[0].Message, "__transaction_state") || !strings.Contains(answer.Errors[0].Message, "transactional producer") {
		t.Errorf("%v", answer.Errors)
	}
	if err := fake.CreateTopic("__transaction_state", 5, nil); err != nil {
		t.Fatal(err)
	}
	partition := inspect.OffsetsPartition("writer-1", 5)
	fake.ControlKey(int16(kmsg.FindCoordinator), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		find := req.(*kmsg.FindCoordinatorRequest)
		if find.CoordinatorType != 1 {
			t.Errorf("type %d", find.CoordinatorType)
		}
		resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
		for _, key := range find.CoordinatorKeys {
			c := kmsg.NewFindCoordinatorResponseCoordinator()
			c.Key, c.NodeID = key, fake.LeaderFor("__transaction_state", partition)
			if key == "secret" {
				c.NodeID, c.ErrorCode = -1, kerr.TransactionalIDAuthorizationFailed.Code
			}
			resp.Coordinators = append(resp.Coordinators, c)
		}
		return resp, nil, true
	})
	answer, err = in.TransactionCoordinators(testContext(t), "writer-1", "secret")
	if err != nil || len(answer.Data) != 2 {
		t.Fatal(err, answer)
	}
	if row := answer.Data[0]; row.Kind != "transaction" || row.Topic != "__transaction_state" || *row.Partition != partition || *row.PartitionCount != 5 || !*row.Agrees {
		t.Errorf("%+v", row)
	}
	if len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeNotAuthorized || !strings.Contains(answer.Errors[0].Message, `DESCRIBE on the transactional id "secret"`) {
		t.Errorf("%v", answer.Errors)
	}
}

func TestCoordinatorsOfShareGroups(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(4, "__share_group_state"))
	in := inspect.New(newClient(t, fake))
	id := fake.TopicInfo("orders").TopicID
	written := inspect.ShareKey("my group", id, 1)
	fake.ControlKey(int16(kmsg.FindCoordinator), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
		for _, key := range req.(*kmsg.FindCoordinatorRequest).CoordinatorKeys {
			c := kmsg.NewFindCoordinatorResponseCoordinator()
			c.Key, c.NodeID = key, fake.LeaderFor("__share_group_state", inspect.OffsetsPartition(key, 4))
			resp.Coordinators = append(resp.Coordinators, c)
		}
		return resp, nil, true
	})
	answer, err := in.ShareCoordinators(testContext(t), "my group:orders:1", written, "g:missing:0")
	if err != nil || len(answer.Data) != 1 {
		t.Fatalf("%v: %+v", err, answer)
	}
	if row := answer.Data[0]; row.Name != written || row.Kind != "share" || row.Topic != "__share_group_state" || row.Hash != inspect.Hash(written) || !*row.Agrees {
		t.Errorf("%+v", row)
	}
	if !slices.Equal(codes(answer.Errors), []inspect.Code{inspect.CodeTopicNotFound}) || answer.Errors[0].Target != "g:missing:0" {
		t.Errorf("%v", answer.Errors)
	}
	for _, bad := range []string{"", "orders", "orders:0", "g:orders:x", "g:orders:-1", ":orders:0", "g::0", "g:orders:99999999999", "g:h:orders:1", " \t:orders:0", "g:" + strings.Repeat("x", 40_000) + ":0"} {
		_, err := in.ShareCoordinators(testContext(t), bad)
		if p, ok := errors.AsType[inspect.Problem](err); !ok || p.Code != inspect.CodeInvalidName {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Any 22 letters decode as the 16 bytes of an id, more or less.
func TestShareKeysOfTopicsWhoseNamesLookLikeIDs(t *testing.T) {
	names := []string{"orders-and-payments-v2", "orders-and-payments-vw"}
	fake := newFake(t, kfake.SeedTopics(1, names...), kfake.SeedTopics(4, "__share_group_state"))
	in := inspect.New(newClient(t, fake))
	for _, name := range names {
		answer, err := in.ShareCoordinators(testContext(t), "g:"+name+":0")
		if want := inspect.ShareKey("g", fake.TopicInfo(name).TopicID, 0); err != nil || len(answer.Data) != 1 || answer.Data[0].Name != want {
			t.Errorf("%s: %v, %+v, want %s", name, err, answer.Data, want)
		}
	}
	answer, err := in.ShareCoordinators(testContext(t), "g:orders-and-payments-v3:0", "g:"+strings.Repeat("x", 300)+":0")
	if err != nil || len(answer.Data) != 0 || !slices.Equal(codes(answer.Errors), []inspect.Code{inspect.CodeTopicNotFound, inspect.CodeTopicNotFound}) {
		t.Errorf("%v, %+v", err, answer)
	}
}

func TestShareCoordinatorsNeedTheRightsOfABroker(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(1, "__share_group_state"))
	fake.ControlKey(int16(kmsg.FindCoordinator), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
		for _, key := range req.(*kmsg.FindCoordinatorRequest).CoordinatorKeys {
			c := kmsg.NewFindCoordinatorResponseCoordinator()
			c.Key, c.NodeID, c.ErrorCode = key, -1, kerr.ClusterAuthorizationFailed.Code
			resp.Coordinators = append(resp.Coordinators, c)
		}
		return resp, nil, true
	})
	id := [16]byte{1}
	answer, err := inspect.New(newClient(t, fake)).ShareCoordinators(testContext(t), inspect.ShareKey("g", id, 0), inspect.ShareKey("g", id, 1))
	if err != nil || len(answer.Data) != 2 || answer.Data[1].Leader == nil || len(answer.Errors) != 1 || !strings.Contains(answer.Errors[0].Message, "CLUSTER_ACTION on the cluster") {
		t.Errorf("%v: %+v", err, answer)
	}
}
