package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// watchFault is a fault at one kind of request, and what Watch is to say of it.
type watchFault struct {
	key kmsg.Key
	// all: all brokers misbehave, else broker 1.
	all bool
	// part is the part that cannot be looked at, at broker 1 or, with all, at any; empty
	// where the other brokers make up for it.
	part string
	// start: they misbehave from the start.
	start bool
}

// waysOf are the ways to misbehave at the request of a number: all, where GROUPKIT_FULL is
// set, else to be silent, to be late, and two of the others, which take turns.
func waysOf(request int) (ways []kafkatest.Fault) {
	if os.Getenv("GROUPKIT_FULL") != "" {
		return kafkatest.Faults()
	}
	others := slices.DeleteFunc(kafkatest.Faults(), func(how kafkatest.Fault) bool {
		return how == kafkatest.NeverAnswers || how == kafkatest.AnswersLate
	})
	return []kafkatest.Fault{kafkatest.NeverAnswers, kafkatest.AnswersLate, others[2*request%len(others)], others[(2*request+1)%len(others)]}
}

// trial is one watch of brokers that misbehave.
type trial struct {
	fault watchFault
	how   kafkatest.Fault
}

func (one trial) failed(err error) error {
	who := "broker 1"
	if one.fault.all {
		who = "each broker"
	}
	return fmt.Errorf("%s %s at %s: %w", who, one.how, one.fault.key.Name(), err)
}

// TestWatchGoesOnWhereBrokersMisbehave has a broker, or all, misbehave at one kind of
// request, for each kind that Watch sends and in several ways: what cannot be looked at is
// told, once, and again when it can; what others tell goes on being told; and no broker
// gets more requests than it may.
func TestWatchGoesOnWhereBrokersMisbehave(t *testing.T) {
	t.Parallel()
	const bad = 1
	fake := newFake(t, kfake.SeedTopics(3, "orders"), kfake.SeedTopics(1, "moving"), kfake.SeedTopics(50, offsetsTopic))
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	var groups [3]string
	for n, found := 0, 0; found < len(groups); n++ {
		name := fmt.Sprintf("group-%d", n)
		if node := fake.CoordinatorFor(name); groups[node] == "" {
			groups[node] = name
			found++
		}
	}
	for p := range int32(3) {
		fake.MoveTopicPartition("orders", p, p)
	}
	modern := nameAt(fake, "modern", bad)
	for _, name := range append(groups[:], modern) {
		fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition(name, 50), fake.CoordinatorFor(name))
	}
	ids := map[string]string{}
	for _, name := range groups {
		client := joinGroup(t, fake, name, 1)
		ids[name], _ = client.GroupMetadata()
		commit(t, fake, name+"-commits", "orders", 0, 0, 0)
	}
	joinGroup(t, fake, modern, 1, kgo.ServerSideBalancer())
	commit(t, fake, nameAt(fake, "committed", bad), "orders", 0, 0, 0)
	pulse(t, fake, groups[:], ids)

	watching := func(fault watchFault, how kafkatest.Fault) error {
		m := &kafkatest.Misbehaving{Key: fault.key, Fault: how}
		if !fault.all {
			m.Addresses = fake.ListenAddrs()[bad : bad+1]
			if fault.key == kmsg.DescribeQuorum {
				// The one that is asked for metadata is asked for the controller last.
				m.Addresses = fake.ListenAddrs()[bad : bad+2]
			}
		}
		counter := &requestCounter{sent: map[int32][]time.Time{}}
		client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(m.Dial), kgo.WithHooks(counter),
			kgo.DialTimeout(2*time.Second), kgo.RequestTimeoutOverhead(2*time.Second), kgo.RetryTimeout(2*time.Second))
		if err != nil {
			return err
		}
		defer client.Close()
		o := newObserver()
		ctx, cancel := context.WithCancel(t.Context())
		defer o.ended.Wait()
		defer cancel()
		seen := func() bool {
			return o.controller && o.leaders > 0 && !slices.ContainsFunc(groups[:], func(g string) bool { return o.generations[g] == 0 })
		}
		if fault.start {
			seen = func() bool { return true }
			m.Begin()
		}
		o.ended.Go(func() { o.watch(ctx, inspect.New(client), inspect.Watched{}) })
		if err := o.await("all is seen", seen); err != nil {
			return err
		}
		m.Begin()
		if how == kafkatest.AnswersLate || fault.part == "" {
			if err := o.await("the fault is met", func() bool { return m.Hits() > 2 || m.Hits() > 0 && fault.key == kmsg.DescribeQuorum }); err != nil {
				return err
			}
		} else {
			if err := o.await(fault.part+" is lost", func() bool { return o.sights[fault.part].Lost }); err != nil {
				return err
			}
			lost := o.sight(fault.part)
			if strings.TrimSpace(lost.Message) == "" || strings.Contains(lost.Message, "%!") || fault.all == (lost.Node != nil) && fault.part == "partitions" {
				return fmt.Errorf("%+v", lost)
			}
			if !slices.Contains([]string{string(inspect.CodeTimeout), string(inspect.CodeUnreachable), string(inspect.CodeRequestFailed)}, lost.Code) {
				return fmt.Errorf("code %s: %s", lost.Code, lost.Message)
			}
			t.Logf("%s %s: %s", fault.key.Name(), how, lost.Message)
		}
		began := time.Now()
		before := o.progress()
		goesOn := func() bool {
			for node, g := range groups {
				if (how == kafkatest.AnswersLate || !fault.all && node != bad || fault.key == kmsg.DescribeQuorum) && o.generations[g] < before.generations[g]+2 {
					return false
				}
			}
			return fault.key == kmsg.Metadata && fault.all && how != kafkatest.AnswersLate || o.leaders > before.leaders+1
		}
		if err := o.await("others go on being told", goesOn); err != nil {
			return err
		}
		for time.Since(began) < 3*time.Second {
			time.Sleep(100 * time.Millisecond) // the window in which requests are counted
		}
		took := time.Since(began)
		for node, sent := range counter.all() {
			n := 0
			for _, at := range sent {
				if at.After(began) {
					n++
				}
			}
			// Two a second, and what the client sends of its own to find brokers.
			most := int(2*took.Seconds()) + 6
			if fault.key == kmsg.Metadata && fault.all {
				most *= 2 // it goes on to look for one that answers
			}
			if n > most {
				return fmt.Errorf("broker %d got %d requests in %v, want at most %d", node, n, took, most)
			}
		}
		if how == kafkatest.AnswersLate && len(o.lost()) > 0 {
			return fmt.Errorf("answers that are late by less than a second cost %v", o.lost())
		}
		m.End()
		if err := o.await("all can be looked at again", func() bool { return len(o.lostLocked()) == 0 }); err != nil {
			return err
		}
		before = o.progress()
		return o.await("all is told again", func() bool {
			return o.leaders > before.leaders && !slices.ContainsFunc(groups[:], func(g string) bool { return o.generations[g] == before.generations[g] })
		})
	}
	var trials []trial
	for i, fault := range []watchFault{
		{key: kmsg.Metadata}, {key: kmsg.DescribeQuorum},
		{key: kmsg.ListGroups, part: "groups 1"}, {key: kmsg.DescribeGroups, part: "groups 1"},
		{key: kmsg.ConsumerGroupDescribe, part: "groups 1"}, {key: kmsg.Fetch, part: "log 1"},
		{key: kmsg.OffsetFetch, part: "offsets 1"}, {key: kmsg.ListOffsets, part: "offsets 1"},
		{key: kmsg.ListOffsets, part: "log 1", start: true}, {key: kmsg.ApiVersions, part: "groups 1", start: true},
		{key: kmsg.Metadata, all: true, part: "partitions"}, {key: kmsg.Metadata, all: true, part: "partitions", start: true},
		{key: kmsg.DescribeQuorum, all: true, part: "controller"}, {key: kmsg.DescribeGroups, all: true, part: "groups 1"},
	} {
		for _, how := range waysOf(i) {
			trials = append(trials, trial{fault, how})
		}
	}
	// Many at once, for they mostly wait. What fails then is tried again with few beside it:
	// looks of watches that are short of processor time lie further apart than what happens
	// here.
	const many, few, mostAgain = 60, 15, 30
	run := func(trials []trial, atOnce int, failed func(trial, error)) {
		slots := make(chan struct{}, atOnce)
		var all sync.WaitGroup
		for _, one := range trials {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if err := watching(one.fault, one.how); err != nil {
					failed(one, err)
				}
			})
		}
		all.Wait()
	}
	var mu sync.Mutex
	var again []trial
	run(trials, many, func(one trial, err error) {
		mu.Lock()
		defer mu.Unlock()
		again = append(again, one)
		t.Logf("at first, %v", one.failed(err))
	})
	if len(again) > mostAgain {
		t.Fatalf("%d of %d failed", len(again), len(trials))
	}
	run(again, few, func(one trial, err error) { t.Error(one.failed(err)) })
}

// nameAt makes a name of a group that a broker coordinates.
func nameAt(fake *kfake.Cluster, prefix string, node int32) string {
	for n := 0; ; n++ {
		if name := fmt.Sprintf("%s-%d", prefix, n); fake.CoordinatorFor(name) == node {
			return name
		}
	}
}

// pulse has a partition led by one broker after the other, and groups begin generations.
func pulse(t *testing.T, fake *kfake.Cluster, groups []string, ids map[string]string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := int32(100); ctx.Err() == nil; n++ {
			fake.MoveTopicPartition("moving", 0, n%3)
			// A group that is written to at each look would be told of by looks.
			if n%4 == 0 {
				for _, name := range groups {
					writeLog(t, fake, name, kafkatest.GroupRecord(name, ids[name], n))
				}
			}
			select {
			case <-time.After(700 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// observer keeps of the events of one Watch what counts here.
type observer struct {
	mu          sync.Mutex
	ended       sync.WaitGroup
	err         error
	controller  bool
	leaders     int
	generations map[string]int
	sights      map[string]watch.SightChange // the last of each part and node
	doubled     string
}

func newObserver() *observer {
	return &observer{generations: map[string]int{}, sights: map[string]watch.SightChange{}}
}

func (o *observer) watch(ctx context.Context, in *inspect.Inspector, what inspect.Watched) {
	for e, err := range in.Watch(ctx, what) {
		if err != nil {
			o.mu.Lock()
			o.err = err
			o.mu.Unlock()
			return
		}
		o.mu.Lock()
		switch {
		case e.Leader != nil:
			o.leaders++
		case e.Generation != nil:
			o.generations[e.Generation.Group]++
		case e.Snapshot != nil:
			o.controller = o.controller || e.Snapshot.Controller != nil
		case e.Sight != nil:
			part := e.Sight.Part
			if e.Sight.Node != nil {
				part = fmt.Sprintf("%s %d", part, *e.Sight.Node)
			}
			if was, seen := o.sights[part]; e.Sight.Lost == (seen && was.Lost) {
				o.doubled = part
			}
			o.sights[part] = *e.Sight
		}
		o.mu.Unlock()
	}
}

func (o *observer) await(what string, is func() bool) error {
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		o.mu.Lock()
		ok := is()
		seen := fmt.Sprintf("%d leaders, generations %v, sights %+v", o.leaders, o.generations, o.sights)
		doubled, err := o.doubled, o.err
		o.mu.Unlock()
		switch {
		case err != nil:
			return err
		case doubled != "":
			return fmt.Errorf("it is told twice in a row of %s: %s", doubled, seen)
		case ok:
			return nil
		case time.Now().After(deadline):
			return errors.New("it is never told that " + what + ": " + seen)
		}
	}
}

func (o *observer) sight(part string) watch.SightChange {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sights[part]
}

func (o *observer) lost() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lostLocked()
}

func (o *observer) lostLocked() []string {
	var parts []string
	for part, s := range o.sights {
		if s.Lost {
			parts = append(parts, part)
		}
	}
	return parts
}

type progress struct {
	leaders     int
	generations map[string]int
}

func (o *observer) progress() progress {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := progress{o.leaders, map[string]int{}}
	for g, n := range o.generations {
		p.generations[g] = n
	}
	return p
}

// TestWatchGoesOnWithoutTheELR has brokers misbehave at the request that tells which
// replicas may lead without being in sync.
func TestWatchGoesOnWithoutTheELR(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, how := range kafkatest.Faults() {
		fake := newFake(t, kfake.SeedTopics(1, "orders"))
		var looks atomic.Int32
		fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			r := req.(*kmsg.MetadataRequest)
			if len(r.Topics) != 1 {
				return nil, nil, false
			}
			looks.Add(1)
			resp := r.ResponseKind().(*kmsg.MetadataResponse)
			resp.Brokers = brokersOf(fake)
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = r.Topics[0].Topic
			p := kmsg.NewMetadataResponseTopicPartition()
			p.LeaderEpoch, p.Replicas, p.ISR = looks.Load(), []int32{0, 1}, []int32{0}
			topic.Partitions = append(topic.Partitions, p)
			resp.Topics = append(resp.Topics, topic)
			return resp, nil, true
		})
		all.Go(func() {
			m := &kafkatest.Misbehaving{Key: kmsg.DescribeTopicPartitions, Fault: how}
			m.Begin()
			client := newClient(t, fake, kgo.Dialer(m.Dial), kgo.RequestTimeoutOverhead(2*time.Second))
			o := newObserver()
			ctx, cancel := context.WithCancel(t.Context())
			defer o.ended.Wait()
			defer cancel()
			o.ended.Go(func() {
				o.watch(ctx, inspect.New(client), inspect.Watched{Elections: true, Topics: []string{"orders"}})
			})
			check := func(err error) {
				if err != nil {
					t.Errorf("%s: %v", how, err)
				}
			}
			if how == kafkatest.AnswersLate {
				check(o.await("elections go on", func() bool { return o.leaders > 3 }))
				if lost := o.lost(); len(lost) > 1 || len(lost) == 1 && lost[0] != "controller" {
					t.Errorf("%s: %v is lost", how, lost)
				}
				return
			}
			check(o.await("the ELR is lost", func() bool { return o.sights["elr"].Lost }))
			if hits := m.Hits(); hits > 3 {
				t.Errorf("%s: it was asked for %d times", how, hits)
			}
			before, began := o.progress(), time.Now()
			check(o.await("elections go on", func() bool { return o.leaders > before.leaders+4 }))
			t.Logf("%s: %v for 5 elections: %s", how, time.Since(began), o.sight("elr").Message)
			m.End()
			check(o.await("the ELR is seen", func() bool { return !o.sights["elr"].Lost }))
		})
	}
	all.Wait()
}
