package demo

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// actor is one member of the cast.
type actor struct {
	name   string
	member *member.Member
	wire   *wire
	done   chan struct{} // closed when the member does not consume any more

	// What its events told, under the company's lock.
	id       string
	joined   bool
	told     bool // whether it was ever assigned anything, be it nothing
	has      []int32
	leads    bool // as told by the events; Kafka names one member at a time
	began    time.Time
	resigned time.Time
	why      error // why it resigned
}

// start makes a member and lets it consume. All members of a company have the same
// assignor and the same hook, for each of them may be elected.
func (c *company) start(ctx context.Context, name string, labels map[string]string) (*actor, error) {
	a := &actor{name: name, wire: &wire{}, done: make(chan struct{})}
	c.mu.Lock()
	c.actors = append(c.actors, a)
	c.mu.Unlock()
	traits := member.Traits{Labels: map[string]string{labelName: name}}
	for label, value := range labels {
		traits.Labels[label] = value
	}
	m, err := member.New(member.Config{
		Group:  c.group,
		Topics: []string{c.stage.topic},
		HooksConfig: member.HooksConfig{
			Protocols: []member.Protocol{{Assignor: assign.New(assignorName, heaviestFirst)}},
			Traits:    traits,
			Weights:   recordWeights(c.stage.admin),
			OnPlan:    c.plan,
			OnEvent:   func(e member.Event) { c.observe(a, e) },
		},
		Client: []kgo.Opt{
			kgo.SeedBrokers(c.stage.seeds...),
			kgo.ClientID(name), // member ids begin with it
			kgo.Dialer(a.wire.dial),
			kgo.SessionTimeout(c.stage.session),
			kgo.HeartbeatInterval(c.stage.session / 10),
			kgo.RebalanceTimeout(2 * c.stage.session),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.FetchMaxWait(250 * time.Millisecond),
			kgo.RetryTimeout(c.stage.session),
			kgo.DisableClientMetrics(),
		},
	})
	if err != nil {
		close(a.done)
		return nil, err
	}
	c.mu.Lock()
	a.member = m
	c.mu.Unlock()
	go func() {
		defer close(a.done)
		// It ends when the member is closed; the handler does not fail.
		_ = m.Run(ctx, func(_ context.Context, records []*kgo.Record) error {
			c.ledger.add(name, records)
			return nil
		})
	}()
	return a, nil
}

// leading is whether the member leads the group, to its own knowledge.
func (a *actor) leading() bool { return a.member != nil && a.member.Leading() }

// company is the cast of one group, and what was seen of it.
type company struct {
	name   string // what people call the group
	group  string // its id in the cluster
	stage  *stage
	voice  *voice
	hook   func(context.Context, member.Round) (assign.Plan, error)
	ledger *ledger

	mu        sync.Mutex
	actors    []*actor
	dead      map[string]bool // names of those cut off
	decisions []decision
	discreet  bool // do not tell who is named leader, and who plans
	closed    bool
}

// decision is what one leader did in one round.
type decision struct {
	round          member.Round
	by             string
	proposed, sent shares
	names          []string // of the members in the round, sorted
	weights        []float64
}

func newCompany(name, group string, s *stage, v *voice, hook func(context.Context, member.Round) (assign.Plan, error)) *company {
	return &company{name: name, group: group, stage: s, voice: v, hook: hook, ledger: newLedger(), dead: make(map[string]bool)}
}

// cast returns the actors of the names.
func (c *company) cast(names ...string) []*actor {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*actor
	for _, a := range c.actors {
		if slices.Contains(names, a.name) {
			found = append(found, a)
		}
	}
	return found
}

// close makes all members leave, those that were cut off excepted: theirs never gets
// out. It returns their ids, by which somebody else may take them out of the group.
func (c *company) close(ctx context.Context) (dead []string) {
	c.mu.Lock()
	actors := c.actors
	for _, a := range actors {
		if c.dead[a.name] && a.id != "" {
			dead = append(dead, a.id)
		}
	}
	c.closed, c.discreet = true, true
	c.mu.Unlock()
	var closing sync.WaitGroup
	for _, a := range actors {
		if a.member != nil {
			closing.Go(func() {
				// One that was cut off may be at it for longer than anyone
				// wants to wait; the process ends anyway.
				if a.member.Close(ctx) == nil {
					<-a.done
				}
			})
		}
	}
	closing.Wait()
	return dead
}
