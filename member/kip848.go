package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A GroupProtocol is how members and coordinator talk to each other, Kafka's
// group.protocol.
type GroupProtocol int

const (
	// ClassicProtocol has the members elect a leader that plans with an assignor.
	ClassicProtocol GroupProtocol = iota
	// ConsumerProtocol is KIP-848 (Kafka 4.0 and later; franz-go recommends 4.3):
	// the brokers plan, with their uniform assignor, and no member leads. The
	// session timeout is theirs too. On older brokers the client falls back to
	// the classic protocol and franz-go's cooperative-sticky: the state is following
	// then, whichever member's client plans, and no Leading or Lead comes of it.
	ConsumerProtocol
)

// String returns Kafka's word for it.
func (p GroupProtocol) String() string {
	switch p {
	case ClassicProtocol:
		return "classic"
	case ConsumerProtocol:
		return "consumer"
	}
	return fmt.Sprintf("GroupProtocol(%d)", int(p))
}

// checkGroupProtocol refuses what KIP-848 has no place for.
func (cfg *Config) checkGroupProtocol() error {
	switch cfg.GroupProtocol {
	case ClassicProtocol:
		return nil
	case ConsumerProtocol:
	default:
		return fmt.Errorf("the member's GroupProtocol is %d; use ClassicProtocol or ConsumerProtocol", cfg.GroupProtocol)
	}
	var errs []error
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"Protocols", len(cfg.Protocols) > 0}, {"Traits", !cfg.Traits.zero()}, {"Classes", len(cfg.Classes) > 0},
		{"Weights", cfg.Weights != nil}, {"OnPlan", cfg.OnPlan != nil}, {"Lead", cfg.Lead != nil}, {"PlanTimeout", cfg.PlanTimeout != 0},
		{"TakeoverDelay", cfg.TakeoverDelay != 0}, {"Hold", cfg.Hold != Hold{}}, {"ReplanOnLoad", cfg.ReplanOnLoad != LoadPolicy{}}, {"ReplanInterval", cfg.ReplanInterval != 0},
		{"Announce", cfg.Announce},
	} {
		if field.set {
			errs = append(errs, fmt.Errorf("the member's config has both ConsumerProtocol and %s, but in that protocol (KIP-848) the brokers assign partitions and no member leads; leave out %s, or use ClassicProtocol", field.name, field.name))
		}
	}
	if cfg.OnStall == StallRelease {
		errs = append(errs, errors.New("the member's config has both ConsumerProtocol and StallRelease, but in that protocol (KIP-848) a member cannot ask the brokers to move one partition; use StallLeave, or ClassicProtocol"))
	}
	return errors.Join(errs...)
}

// newObserver returns Hooks that bring nothing to a client and only tell of events, for
// a member that no assignor or leader belongs to.
func newObserver(cfg HooksConfig) *Hooks {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Hooks{cfg: cfg, machine: newMachine()}
	h.machine.hosted = true // by the broker
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	return h
}

// observe tells h of the client of which it tells events.
func (h *Hooks) observe(client *kgo.Client, s settings) {
	h.mu.Lock()
	h.client, h.settings = client, s
	h.mu.Unlock()
	h.emit(Event{Kind: EventJoining})
}

// observed: the client was assigned something, by the broker or, where that does not know
// KIP-848, by a member that leads.
func (h *Hooks) observed(byBroker bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.machine.hosted = byBroker
}

// answered is when a broker last answered a heartbeat of kgo's.
type answered struct {
	mu   sync.Mutex
	by   int32
	sent time.Time
}

func (a *answered) note(broker int32, sent time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by, a.sent = broker, sent
}

func (a *answered) last() (by int32, sent time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by, a.sent
}

// confirm tells whether the coordinator acknowledged kgo's last heartbeat, and when that
// was sent. A heartbeat of our own would take away from kgo what the answer assigns, and
// that kgo's was answered does not say what the answer was. So the broker that answered
// it is asked something that changes nothing and that it answers to members only, the
// offsets of no topic: when it is the coordinator and knows the member, then that
// heartbeat has renewed the session.
func (m *Member) confirm(ctx context.Context) (sent time.Time, err error) {
	by, sent := m.answered.last()
	id, epoch := m.client.GroupMetadata()
	if sent.IsZero() {
		return sent, errors.New("no broker has answered a heartbeat yet")
	}
	resp, err := m.client.Broker(int(by)).Request(ctx, m.asMember(id, epoch))
	if err != nil {
		// kgo's heartbeats go on to a coordinator that is dead for as long as no
		// other request makes it look for the new one. A heartbeat of the classic
		// protocol, about no member, does when connections are refused, and
		// OffsetFetch when the cluster does not name the broker any more.
		lookUp := kmsg.NewPtrHeartbeatRequest()
		lookUp.Group = m.cfg.Group
		short, cancel := context.WithTimeout(ctx, time.Second) // the first try is what counts
		_, _ = lookUp.RequestWith(short, m.client)
		cancel()
		// A request of its own: the client may still be about to send the other.
		_, _ = m.asMember(id, epoch).RequestWith(ctx, m.client)
		return sent, err
	}
	fetched := resp.(*kmsg.OffsetFetchResponse)
	code := fetched.ErrorCode
	for _, g := range fetched.Groups {
		code = g.ErrorCode
	}
	err = kerr.ErrorForCode(code)
	switch {
	case errors.Is(err, kerr.StaleMemberEpoch): // is said to members only
		return sent, nil
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.GroupIDNotFound):
		if now, _ := m.client.GroupMetadata(); now == id {
			return sent, fmt.Errorf("%w: %w", ErrLost, err)
		}
	}
	return sent, err
}

// asMember asks for the offsets of no topic, which brokers answer to members only.
func (m *Member) asMember(id string, epoch int32) *kmsg.OffsetFetchRequest {
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group, group.MemberID, group.MemberEpoch = m.cfg.Group, &id, epoch
	group.Topics = []kmsg.OffsetFetchRequestGroupTopic{} // none, where nil asks for all
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Groups = append(req.Groups, group)
	return req
}

// brokerSession returns the session timeout that the brokers set for the group.
func brokerSession(ctx context.Context, client *kgo.Client, group string) (time.Duration, error) {
	const name = "consumer.session.timeout.ms"
	req := kmsg.NewPtrDescribeConfigsRequest()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	resource.ConfigNames = []string{name}
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return 0, err
	}
	for _, r := range resp.Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return 0, err
		}
		for _, c := range r.Configs {
			if c.Name != name || c.Value == nil {
				continue
			}
			if d, err := time.ParseDuration(*c.Value + "ms"); err == nil && d > 0 {
				return d, nil
			}
		}
	}
	return 0, fmt.Errorf("the brokers do not tell %s of group %q", name, group)
}
