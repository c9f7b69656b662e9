package integration

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// observedEvery is how often what an event tells is looked at beside the watch.
const observedEvery = 50 * time.Millisecond

// mostLate bounds how much later than an observer a watch may tell of a change: the two
// seconds that it promises, and what other tests on the machine add. By how much brokers answer
// late meanwhile comes on top.
const mostLate = 5 * time.Second

// observer notes when something was first seen to be so, each time that it becomes so.
type observer struct {
	delays *delays

	mu   sync.Mutex
	now  map[string]map[string]bool // by who was asked
	seen map[string]time.Time       // when it became so last, as the first saw that was asked
}

func newObserver(delays *delays) *observer {
	return &observer{delays: delays, now: map[string]map[string]bool{}, seen: map[string]time.Time{}}
}

// take notes all that is so as one tells that is asked.
func (o *observer) take(who string, facts ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.now[who]
	o.now[who] = map[string]bool{}
	for _, fact := range facts {
		o.now[who][fact] = true
		elsewhere := false
		for other, facts := range o.now {
			elsewhere = elsewhere || other != who && facts[fact]
		}
		if !was[fact] && !elsewhere {
			o.seen[fact] = time.Now()
		}
	}
}

// late logs how long after it was observed something was told, and fails if that is too
// late.
func (o *observer) late(t *testing.T, e watch.Event, format string, args ...any) {
	t.Helper()
	fact := fmt.Sprintf(format, args...)
	var shown time.Time
	eventually(t, "it is observed that "+fact, func() (bool, string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		shown = o.seen[fact]
		return !shown.IsZero(), fmt.Sprint(o.seen)
	})
	o.delays.hold(t, e, fact, shown)
}

// hold logs how long after it was shown something was told, and fails if that is too late.
func (d *delays) hold(t *testing.T, e watch.Event, fact string, shown time.Time) {
	t.Helper()
	delay, busy := e.At.Sub(shown), d.between(shown, e.At)
	t.Logf("latency: %-38s told %4d ms after it was observed, brokers late by %d", fact, delay.Milliseconds(), busy.Milliseconds())
	if delay-busy > mostLate {
		t.Errorf("%s: told %v after it was observed, of which brokers were late by %v; want at most %v", fact, delay, busy, mostLate)
	}
}

// observeMetadata asks each broker for its metadata all the time.
func observeMetadata(t *testing.T, c *cluster.Cluster, topics ...string) *observer {
	t.Helper()
	o := newObserver(measureDelays(t, c))
	client := newClient(t, c, kgo.DialTimeout(time.Second))
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	for _, id := range c.NodeIDs() {
		asking.Go(func() {
			for ; ctx.Err() == nil; pauseFor(ctx, observedEvery) {
				asked, cancel := context.WithTimeout(ctx, time.Second)
				req := kmsg.NewPtrMetadataRequest()
				for _, topic := range topics {
					of := kmsg.NewMetadataRequestTopic()
					of.Topic = kmsg.StringPtr(topic)
					req.Topics = append(req.Topics, of)
				}
				resp, err := client.Broker(int(id)).Request(asked, req)
				cancel()
				if err != nil {
					o.take(fmt.Sprint(id))
					continue
				}
				o.take(fmt.Sprint(id), metadataFacts(resp.(*kmsg.MetadataResponse), c.NodeIDs())...)
			}
		})
	}
	t.Cleanup(func() { cancel(); asking.Wait() })
	return o
}

func metadataFacts(resp *kmsg.MetadataResponse, nodes []int32) []string {
	var facts []string
	for _, id := range nodes {
		up := slices.ContainsFunc(resp.Brokers, func(b kmsg.MetadataResponseBroker) bool { return b.NodeID == id })
		facts = append(facts, fmt.Sprintf("broker %d is up: %v", id, up))
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			facts = append(facts, fmt.Sprintf("%d leads %s-%d", p.Leader, *topic.Topic, p.Partition))
			for _, replica := range p.Replicas {
				facts = append(facts, fmt.Sprintf("%d is in sync in %s-%d: %v", replica, *topic.Topic, p.Partition, slices.Contains(p.ISR, replica)))
			}
		}
	}
	return facts
}

// observeGeneration looks at the generation that a member knows all the time. One that
// another follows too soon to be seen is observed with that.
func observeGeneration(t *testing.T, c *cluster.Cluster, client *kgo.Client) *observer {
	t.Helper()
	o := newObserver(measureDelays(t, c))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; pauseFor(ctx, observedEvery/5) {
			_, generation := client.GroupMetadata()
			var facts []string
			for g := range generation + 1 {
				facts = append(facts, fmt.Sprintf("generation %d", g))
			}
			o.take("member", facts...)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return o
}

// sentTo notes when each broker was sent a request, but for greetings.
type sentTo struct {
	mu sync.Mutex
	at map[int32][]time.Time
}

// OnBrokerWrite implements kgo.HookBrokerWrite. What counts is when a request was handed to
// the client: connecting to a busy broker takes long, and then all that waited goes at once.
func (s *sentTo) OnBrokerWrite(broker kgo.BrokerMetadata, key int16, _ int, waited, took time.Duration, err error) {
	if key != int16(kmsg.ApiVersions) && broker.NodeID >= 0 && err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.at == nil {
			s.at = map[int32][]time.Time{}
		}
		s.at[broker.NodeID] = append(s.at[broker.NodeID], time.Now().Add(-waited-took))
	}
}

// check holds every window that begins with a request to two requests a second, and the
// one with which it begins, and logs the fullest. A request that the machine held up may
// come close before the next.
func (s *sentTo) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, window := range []time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second} {
		most := 0
		for _, sent := range s.at {
			slices.SortFunc(sent, time.Time.Compare)
			for i, from := range sent {
				end, _ := slices.BinarySearchFunc(sent, from.Add(window), time.Time.Compare)
				most = max(most, end-i)
			}
		}
		t.Logf("at most %d requests to a broker in any %v", most, window)
		if allowed := int(2*window.Seconds()) + 2; most > allowed {
			t.Errorf("%d requests to a broker in %v, want at most %d", most, window, allowed)
		}
	}
}
