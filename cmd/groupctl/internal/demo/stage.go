package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
)

// removalTime is how long to try to remove a topic of which it is not known whether
// it was created.
const removalTime = 1500 * time.Millisecond

// stage is the cluster that the demo plays on, with the names that are its own there.
type stage struct {
	seeds          []string
	inProcess      bool
	topic          string
	billing, audit string // ids of the groups

	client  *kgo.Client
	admin   *kadm.Client
	inspect *inspect.Inspector

	// session is how long the coordinator waits for a silent member, patience
	// how long the demo waits for a step.
	session, patience time.Duration

	close func()
}

// inProcess starts three brokers in this process.
func inProcess() (*stage, error) {
	s := &stage{
		inProcess: true, topic: "orders", billing: "billing", audit: "audit",
		session: 2 * time.Second, patience: 10 * time.Second,
	}
	const offsetsTopic, offsetsPartitions = "__consumer_offsets", 50
	fake, err := kfake.NewCluster(
		kfake.NumBrokers(3),
		kfake.SeedTopics(partitionCount, s.topic),
		kfake.SeedTopics(offsetsPartitions, offsetsTopic),
		kfake.GroupMinSessionTimeout(time.Second),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot start Kafka in this process: %w", err)
	}
	// Partitions are led by random brokers here. Let them take turns, and let
	// the groups be coordinated where Kafka would: by the leader of the
	// partition of __consumer_offsets that belongs to the group.
	for p := range int32(partitionCount) {
		err = errors.Join(err, fake.MoveTopicPartition(s.topic, p, p%3))
	}
	for _, group := range []string{s.billing, s.audit} {
		partition := inspect.OffsetsPartition(group, offsetsPartitions)
		err = errors.Join(err, fake.MoveTopicPartition(offsetsTopic, partition, fake.CoordinatorFor(group)))
	}
	if err != nil {
		fake.Close()
		return nil, fmt.Errorf("cannot set up Kafka in this process: %w", err)
	}
	if err := s.connect(fake.ListenAddrs()); err != nil {
		fake.Close()
		return nil, err
	}
	s.close = func() { s.client.Close(); fake.Close() }
	return s, nil
}

// onBrokers makes a topic on a real cluster, with a name that nobody else has.
func onBrokers(ctx context.Context, seeds []string) (*stage, error) {
	random := make([]byte, 4)
	rand.Read(random) // never fails
	name := "groupctl-demo-" + hex.EncodeToString(random)
	s := &stage{
		topic: name, billing: name + "-billing", audit: name + "-audit",
		session: 6 * time.Second, patience: 45 * time.Second,
	}
	if err := s.connect(seeds); err != nil {
		return nil, err
	}
	s.close = s.client.Close
	// The question is asked for its error, which says in a sentence what may be
	// wrong with the address.
	if _, err := s.inspect.Partitions(ctx, s.topic); err != nil {
		s.client.Close()
		return nil, err
	}
	if err := s.createTopic(ctx); err != nil {
		s.client.Close()
		return nil, err
	}
	return s, nil
}

// createTopic is not given up on Ctrl-C, only when the time given by ctx is over, so
// that it is known whether there is a topic to remove.
func (s *stage) createTopic(ctx context.Context) error {
	uninterrupted := context.WithoutCancel(ctx)
	creating, cancel := uninterrupted, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		creating, cancel = context.WithDeadline(uninterrupted, deadline)
	}
	defer cancel()
	_, err := s.admin.CreateTopic(creating, partitionCount, -1, nil, s.topic)
	// The name is this run's own: the client may have asked twice.
	if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	err = fmt.Errorf("cannot create the topic %s for the demo: %w", s.topic, err)
	if _, refused := errors.AsType[*kerr.Error](err); refused && !errors.Is(err, kerr.RequestTimedOut) {
		return err
	}
	// Nobody said that it was not created.
	removing, cancel := context.WithTimeout(uninterrupted, removalTime)
	defer cancel()
	if _, removal := s.admin.DeleteTopic(removing, s.topic); removal != nil {
		return fmt.Errorf("%w; if it turns up yet, remove it by hand", err)
	}
	return err
}

func (s *stage) connect(seeds []string) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(seeds...),
		kgo.ClientID("groupctl-demo"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.DialTimeout(3*time.Second),
		kgo.RetryTimeout(5*time.Second),
		kgo.UnknownTopicRetries(20), // the topic is new
		kgo.DisableClientMetrics(),
	)
	if err != nil {
		return fmt.Errorf("the brokers %s cannot be used: %w", strings.Join(seeds, ","), err)
	}
	s.seeds, s.client, s.admin, s.inspect = seeds, client, kadm.NewClient(client), inspect.New(client, inspect.CreateInternalTopics(), inspect.SkipMinISR())
	return nil
}

// clear removes the topic and the groups from a real cluster. dead are members who
// never said that they leave: a group with members cannot be removed.
func (s *stage) clear(ctx context.Context, dead map[string][]string) error {
	if s.inProcess {
		return nil
	}
	var errs []error
	for _, group := range []string{s.billing, s.audit} {
		for _, id := range dead[group] {
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group, leave.MemberID = group, id
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = id
			leave.Members = append(leave.Members, member)
			// If it fails, the session ends by itself.
			_, _ = leave.RequestWith(ctx, s.client)
		}
		if err := s.deleteGroup(ctx, group); err != nil {
			errs = append(errs, fmt.Errorf("group %s: %w", group, err))
		}
	}
	if _, err := s.admin.DeleteTopic(ctx, s.topic); err != nil {
		errs = append(errs, fmt.Errorf("topic %s: %w", s.topic, err))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("what the demo made could not be removed, and needs your hand: %w", err)
	}
	return nil
}

func (s *stage) deleteGroup(ctx context.Context, group string) error {
	for {
		_, err := s.admin.DeleteGroup(ctx, group)
		switch {
		case err == nil, errors.Is(err, kerr.GroupIDNotFound):
			return nil
		case !errors.Is(err, kerr.NonEmptyGroup) || !pause(ctx, 200*time.Millisecond):
			return err
		}
	}
}
