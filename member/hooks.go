package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
)

// HooksConfig says what [Hooks] bring to a client. Only Protocols is required.
type HooksConfig struct {
	// Protocols are the ways of assigning that the member offers, the most
	// preferred first.
	Protocols []Protocol

	// Traits are told to the leader. They cannot travel under the protocol
	// name "sticky".
	Traits Traits

	// Classes names the class of topics, as in assign.Topic: topic → class.
	Classes map[string]string

	// Weights, when set, is asked for each plan that this member makes as leader
	// for the load of partitions: topic → weight by partition, as in
	// assign.Topic. Topics may be left out. When it fails, or takes more than
	// half of PlanTimeout, the round goes on without weights, with an
	// EventFallback. ReplanOnLoad asks too, perhaps at the same time as a round. Each
	// call is on a goroutine of its own; the client's group management waits for that
	// of a round.
	Weights func(ctx context.Context, topics []assign.Topic) (map[string][]float64, error)

	// OnPlan, when set, sees every plan that this member makes as leader,
	// before it is sent. It returns the plan to send: Proposed, changed or
	// not, or another one, or the error [ErrVeto] for a plan that keeps what
	// is owned. Like an assignor it returns the target; in a cooperative
	// group the partitions that move are then withheld from their new members
	// until their owners gave them up. The round that then gives them out
	// completes the same plan: neither the assignor nor OnPlan is asked again,
	// unless a member, its subscription or a topic changed meanwhile. Nor is it asked
	// where the steps before it have taken all of PlanTimeout; what is owned stays then.
	// Each call is on a goroutine of its own, for which the client's group management
	// waits, PlanTimeout at most.
	OnPlan func(ctx context.Context, round Round) (assign.Plan, error)

	// Lead, when set, runs while this member leads the group: from the first
	// plan of its term that the group adopted until ctx ends, and never twice at
	// the same time in this process. ctx ends
	// before another member can lead, provided that Lead returns promptly when
	// it does; context.Cause(ctx) tells why once Done is closed. ctx.Err looks at
	// the clock: call it before each act that must not overlap, for Done may be
	// closed a moment late in a process that was stopped. Call it on ctx itself:
	// a context derived from it does not look.
	//
	// What it returns after ctx ended does not matter, and is not told. Where its
	// work is done while the term is on, return [ErrTermDone], and it is not called
	// again before the next term. Whatever else it returns by then, nil too, and a
	// panic, is told by EventLeadFailed, and it is called again with the same ctx and
	// term: after a second, after twice as long each further time, up to 30 s, and
	// after a second again once it has run for more than that. Each call is on a
	// goroutine of its own, for which nothing of the group waits. It must not call
	// Close, which waits for it.
	Lead func(ctx context.Context, term Term) error

	// TakeoverDelay, when set, is how long after its election a leader waits
	// before its term begins: 0, the default, or at least the longest session
	// timeout of the group's members. It covers the successions that a lease
	// cannot see coming: a static member replaced by another process with the
	// same instance id, a member that an administrator removes, a member that speaks
	// KIP-848 and joins the group only to leave it, and a client that leaves before
	// Hooks.Close. The former leader's lease has ended by then.
	// It is the successor that waits, so set it in all members.
	TakeoverDelay time.Duration

	// OnEvent, when set, is told what happens, one event at a time, on the
	// goroutine that made it happen: most often the client's group
	// management. It must not block, nor call Attach or Close. A panic in it
	// is caught and logged.
	OnEvent func(Event)

	// Announce has this member, when it leads, tell all others who leads and why the
	// round happened, in the user data of their assignments; EventAssigned tells it
	// in the other members of this package. While assignments carry it the broker
	// refuses members that speak KIP-848 ("unsupported custom assignor"), so it is
	// in the way of a later move; SetAnnounce takes it out.
	Announce bool

	// Hold keeps the places of members that vanished for a while; the default is
	// not to.
	Hold Hold

	// ReplanOnLoad makes new plans while the load of members is uneven; the default
	// is not to.
	ReplanOnLoad LoadPolicy

	// ReplanInterval is the least time between two rounds that Replan brings
	// about; the default is 10 s.
	ReplanInterval time.Duration

	// PlanTimeout bounds Weights, the assignor and OnPlan together in one
	// round; the default is a third of the client's session timeout, below
	// which it has to be: the client sends no heartbeat meanwhile. A call
	// that overruns goes on in the background until it returns, and is not
	// made again before.
	PlanTimeout time.Duration

	// Logger gets what OnEvent gets, in words, and the stacks of panics that were
	// caught. The default is none.
	Logger *slog.Logger
}

// Errors that end a term, as context.Cause of the context of Lead; [ErrResigned] is that of
// an [Election] too.
var (
	// ErrClosed: Hooks or Member were closed.
	ErrClosed = errors.New("the member was closed")
	// ErrSucceeded: the coordinator did not name this member the leader again.
	ErrSucceeded = errors.New("the group has another leader, or none")
	// ErrLeaderless: the broker assigns partitions in the group, for a member that
	// speaks KIP-848 joined it. Where the coordinator is slow to tell so it is
	// ErrSucceeded.
	ErrLeaderless = errors.New("the group has no leader, for a member that speaks KIP-848 joined it and the broker assigns its partitions")
	// ErrLeaseExpired: the coordinator did not acknowledge the member in time.
	ErrLeaseExpired = errors.New("the coordinator did not acknowledge the member in time")
	// ErrLost: the coordinator removed the member, or the client gave up its
	// membership for the reason that is wrapped with it.
	ErrLost = errors.New("the member lost its membership")
	// ErrLeft: the client leaves the group.
	ErrLeft = errors.New("the member left the group")
)

// ErrVeto, returned by OnPlan, keeps what is owned instead of the proposed plan.
// Partitions without an owner are given to the members with the fewest.
var ErrVeto = errors.New("the plan was vetoed")

// defaultSessionTimeout is kgo's, for rounds before Attach.
const defaultSessionTimeout = 45 * time.Second

// Hooks bring assignors, the leader hooks and events to one kgo client:
//
//	hooks, err := member.NewHooks(member.HooksConfig{…})
//	client, err := kgo.NewClient(append(hooks.Opts(), kgo.ConsumerGroup("orders"), …)...)
//	err = hooks.Attach(client)
//	…
//	hooks.Close() // ends Lead, and waits for it
//	client.Close()
//
// All methods may be called from any goroutine, but Attach and Close not by OnEvent,
// and Close not by Lead.
type Hooks struct {
	cfg    HooksConfig
	traits []byte

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc

	weightsGuard, assignGuard, onPlanGuard, loadGuard guard

	closedOnce sync.Once
	events     sync.Mutex // held while OnEvent runs; taken with no other lock held

	mu       sync.Mutex
	machine  machine
	client   *kgo.Client
	settings settings
	round    *round // the round this member is the leader of, until SyncGroup is answered
	adopted  *round // the last one whose plan the group adopted, for as long as this member leads
	announce bool
	trusted  string // the member id with which the plans that it gets are those that it made, see doubtLocked
	owned    []assign.TopicPartitions
	eager    bool            // the last round that it was in, as joinedAs, went by an eager protocol
	heard    bool            // of the plan of the last round; see wentByLocked
	joinedAs string          // the member id with which it is in the group; "" while it is out
	stale    bool            // see errStale
	expelled func(why error) // a Member's; see findOutExpelled
	term     *term           // the current one
	last     *term           // the one whose Lead may still be running
	pending  *term           // adopted before Attach
	replan   bool            // a round is due, and Attach brings it about
	reminder *time.Timer     // tells that Attach was not called, once; nil before the first balance

	calling   *time.Timer // brings about a round that is due
	callingAt time.Time
	reasons   []string  // why a round is due
	anew      bool      // Replan was called since the last round
	replanned time.Time // when Replan last brought about a round

	asked  int            // grows when what is being asked, whether the broker hosts the group, is out of date
	asking sync.WaitGroup // the goroutines that ask; added to with mu held, before Close
}

// settings are what Hooks read from the client.
type settings struct {
	group, instance, clientID    string
	session, rebalance, interval time.Duration
}

// NewHooks checks cfg and returns hooks for one client.
func NewHooks(cfg HooksConfig) (*Hooks, error) {
	traits, traitsErr := cfg.Traits.encode()
	var timeoutErr, delayErr error
	if cfg.PlanTimeout < 0 {
		timeoutErr = fmt.Errorf("the member's PlanTimeout is %s; give 0 for the default, or more", cfg.PlanTimeout)
	}
	if cfg.TakeoverDelay < 0 {
		delayErr = fmt.Errorf("the member's TakeoverDelay is %s; give 0 for none, or the session timeout or more", cfg.TakeoverDelay)
	}
	if cfg.ReplanInterval < 0 {
		delayErr = errors.Join(delayErr, fmt.Errorf("the member's ReplanInterval is %s; give 0 for the default, or more", cfg.ReplanInterval))
	}
	if err := errors.Join(checkProtocols(cfg.Protocols), traitsErr, timeoutErr, delayErr, cfg.Hold.check(), cfg.ReplanOnLoad.check(cfg.Weights != nil)); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Hooks{cfg: cfg, traits: traits, announce: cfg.Announce, machine: newMachine(), settings: settings{session: defaultSessionTimeout}}
	h.loadGuard.what = "Weights"
	h.weightsGuard.what, h.assignGuard.what, h.onPlanGuard.what = "Weights", "the assignor", "OnPlan"
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	return h, nil
}

// Opts returns the options to give to kgo.NewClient, beside your own. They set
// kgo.Balancers, which must not be set again, and add a kgo.Hook. Give them to one
// client only.
//
// They also mend what kgo leaves undone where JoinGroup is answered that the member is not
// in the group: its partitions, which others may have by then, are lost before it is in the
// group again, and OnPartitionsLost is called. PollFetches returns a [kgo.ErrGroupSession]
// about it, which a poll loop may log and pass over. No commit goes through meanwhile: do
// not commit in OnEvent.
//
// Set kgo.FetchMaxWait to half a second or so: with kgo's default of 5 s the first records
// of a partition that was just assigned wait for so long for a fetch that is under way to the
// same broker. A [Member] does.
//
// kgo.GroupProtocol may be given beside them, the same in all members: a group whose
// protocol type is not "consumer" is never taken over by the broker, for members that
// speak KIP-848 are refused, as are standard consumers; commits, lag and DescribeGroups
// work as ever, and kafka-consumer-groups.sh does not list the group.
func (h *Hooks) Opts() []kgo.Opt {
	balancers := make([]kgo.GroupBalancer, len(h.cfg.Protocols))
	for i, p := range h.cfg.Protocols {
		balancers[i] = &balancer{hooks: h, protocol: p, first: i == 0}
	}
	return []kgo.Opt{kgo.Balancers(balancers...), kgo.WithHooks(clientHook{h})}
}

// Attach tells h of the client that was made with Opts. Call it as soon as kgo.NewClient
// has returned. Until then rounds are planned all the same, with the assignors and OnPlan,
// but Lead waits, and no round is brought about: by SetTraits, Replan or ReplanOnLoad, when
// a Hold ends, or to give out what was withheld because of a member that cannot be read. A
// client that takes part in a balance and is not attached within 3 s is told of by
// EventUnattached, and as a warning in the log. It is not put out of the group over it.
//
// Attach fails when the client was not made with Opts, is in no group or in one whose id
// cannot work, asks for KIP-848, has a session timeout that PlanTimeout
// exceeds or TakeoverDelay falls short of, or is the second client of h.
func (h *Hooks) Attach(client *kgo.Client) error {
	if client == nil {
		return errors.New("the hooks are attached to no client; pass the one that kgo.NewClient made with Hooks.Opts")
	}
	balancers, _ := client.OptValue(kgo.Balancers).([]kgo.GroupBalancer)
	ours := len(balancers) > 0
	for _, b := range balancers {
		own, ok := b.(*balancer)
		ours = ours && ok && own.hooks == h
	}
	if !ours {
		return errors.New("the client was not made with these hooks; pass Hooks.Opts to kgo.NewClient, and no kgo.Balancers of your own")
	}
	s := settings{
		session:   optValue[time.Duration](client, kgo.SessionTimeout),
		rebalance: optValue[time.Duration](client, kgo.RebalanceTimeout),
		interval:  optValue[time.Duration](client, kgo.HeartbeatInterval),
		group:     optValue[string](client, kgo.ConsumerGroup),
		instance:  optValue[string](client, kgo.InstanceID),
		clientID:  optValue[string](client, kgo.ClientID),
	}
	if s.group == "" {
		return errors.New("the client is in no consumer group; pass kgo.ConsumerGroup to kgo.NewClient")
	}
	if err := checkGroupID(s.group); err != nil {
		return fmt.Errorf("the client's group id cannot work: %w", err)
	}
	if optValue[bool](client, kgo.ServerSideBalancer) {
		return errors.New("the client asks for KIP-848, in which brokers assign partitions and no member leads; leave out kgo.ServerSideBalancer to use assignors and leader hooks")
	}
	if h.cfg.PlanTimeout >= s.session {
		return fmt.Errorf("the member's PlanTimeout of %s is not below the client's session timeout of %s, and a leader that plans for so long is put out of the group; lower PlanTimeout or raise kgo.SessionTimeout", h.cfg.PlanTimeout, s.session)
	}
	if delay := h.cfg.TakeoverDelay; delay > 0 && delay < s.session {
		return fmt.Errorf("the member's TakeoverDelay of %s is below the client's session timeout of %s, for which a former leader may go on; raise it to that or more, or leave it out", delay, s.session)
	}
	h.mu.Lock()
	if h.client != nil && h.client != client {
		h.mu.Unlock()
		return errors.New("the hooks are attached to another client; make hooks of their own for each client")
	}
	h.client, h.settings = client, s
	if h.reminder != nil {
		h.reminder.Stop()
	}
	pending, replan := h.pending, h.replan
	h.pending, h.replan = nil, false
	h.inLocked()
	if pending != nil {
		h.installLocked(pending)
	}
	h.mu.Unlock()
	if pending != nil {
		if id, _ := client.GroupMetadata(); id != pending.Member {
			h.end(pending, ErrLost) // it joined anew meanwhile
		}
		h.run(pending)
	}
	if replan {
		client.ForceRebalance()
	}
	return nil
}

func optValue[T any](client *kgo.Client, opt any) T {
	v, _ := client.OptValue(opt).(T)
	return v
}

// Close ends the term, if this member leads, and returns when Lead has returned. The
// client stays in the group, where this process goes on planning when it is elected,
// but Lead does not run again. Call it before you close the client: then no other
// member can be leading while Lead still runs. Close may be called repeatedly.
func (h *Hooks) Close() {
	h.endLead()
	h.closed(ErrClosed)
}

// endLead is Close without the event.
func (h *Hooks) endLead() {
	if last := h.retire(ErrClosed); last != nil {
		<-last.done
	}
	h.asking.Wait()
}

// retire ends the term, if this member leads, and lets no other begin. It returns the last
// one, whose Lead may still be running, or nil.
func (h *Hooks) retire(why error) *term {
	h.cancel(why)
	h.endTerm(why)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// closed tells that nothing more comes of the member.
func (h *Hooks) closed(why error) {
	h.closedOnce.Do(func() {
		h.mu.Lock()
		if h.reminder != nil {
			h.reminder.Stop()
		}
		h.mu.Unlock()
		h.emit(Event{Kind: EventClosed, Err: why})
	})
}

// stepDown retires. The channel is closed when Lead has returned, or has had the time
// that a lease leaves it.
func (h *Hooks) stepDown(why error) (returned <-chan struct{}) {
	last := h.retire(why)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if last == nil {
			return
		}
		margin := time.NewTimer(last.lease.margin)
		defer margin.Stop()
		select {
		case <-last.done:
		case <-margin.C:
		}
	}()
	return over
}

// SetTraits changes what the member tells the leader about itself, and brings about a
// round in which the leader hears it: to begin to drain, say. It takes the place of all
// that was told before, so give capacity and labels again. It fails when a value is out of
// range or all of it is too large to send.
func (h *Hooks) SetTraits(traits Traits) error {
	encoded, err := traits.encode()
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.traits = encoded
	h.reasonLocked("traits changed")
	client := h.client
	h.mu.Unlock()
	if client != nil {
		client.ForceRebalance()
	}
	return nil
}

func (h *Hooks) encodedTraits() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.traits
}

// Leading tells whether a term of this member is on: it was elected, its plan was
// adopted, and its lease holds.
func (h *Hooks) Leading() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.term != nil && h.term.begun && h.term.over() == nil
}

// forceRebalance brings about a round if the client is still in the group.
func (h *Hooks) forceRebalance() {
	h.mu.Lock()
	client := h.client
	h.mu.Unlock()
	if client != nil {
		client.ForceRebalance()
	}
}

// State returns where the member stands in its group.
func (h *Hooks) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.machine.state()
}

// emit takes note of what an event makes of the member's state and tells the user of
// it. Changes of state are told in the order in which they are made. No lock of h may
// be held.
func (h *Hooks) emit(e Event) {
	h.events.Lock()
	defer h.events.Unlock()
	h.mu.Lock()
	e.From, e.State = h.machine.take(e.Kind, e.Leader)
	e.Group = h.settings.group
	client, s := h.client, h.settings
	h.mu.Unlock()
	e.Time = time.Now()
	logger := h.cfg.Logger
	if client != nil {
		id, generation := client.GroupMetadata()
		if e.Member == "" {
			e.Member = id
		}
		if e.Generation == 0 && generation > 0 {
			e.Generation = generation
		}
		logger = s.named(logger, e.Kind)
	}
	tell(h.ctx, logger, "group member", h.cfg.OnEvent, e)
}
