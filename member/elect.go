package member

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/internal/memberbytes"
)

// ElectionConfig says how a process takes part in an election. Only Client is required.
type ElectionConfig struct {
	// Client are the options of the client that Elect makes: kgo.SeedBrokers and
	// what TLS and SASL need. Options that make a client consume are refused. The
	// client is the election's own, for a JoinGroup that waits for others holds up
	// whatever else goes to the same coordinator on its connection.
	Client []kgo.Opt

	// Lead, when set, runs while this process leads, as [HooksConfig.Lead] does:
	// until ctx ends, never twice at the same time, and not in two processes. It
	// is called again where it returns earlier, unless it returns [ErrTermDone],
	// which does not end the term: for that there is Resign.
	// Where the term ends because another candidate takes over, or by Resign or
	// Close, no other begins before Lead has returned; where the coordinator was not
	// heard of, Lead has a tenth of the session timeout to return, or of the rebalance
	// timeout where that is shorter.
	Lead func(ctx context.Context, term Term) error

	// Priority decides who leads: the candidate with the highest, of equal ones
	// any. A candidate whose priority is higher than the leader's takes over: the
	// leader's term is ended, and once its Lead has returned the candidate's begins.
	// Candidates of the same priority never displace each other.
	Priority int32

	// NoTakeover makes this candidate wait until nobody leads, whatever its
	// priority.
	NoTakeover bool

	// Observer takes part without being a candidate, until Stand: it learns who
	// leads.
	Observer bool

	// Payload is told to all while this process leads: an address, say. It takes
	// 1 KiB at most, which leaves room for 300 candidates (max.message.bytes of
	// __consumer_offsets); with an address for thousands.
	Payload []byte

	// OnEvent, when set, is told what happens, one event at a time, on a goroutine
	// of the election. EventElected says that this process counts in a round, which
	// is not to lead; EventAssigned tells who is named, in LeaderID. It must not
	// block, nor call Close or Resign. A panic in it is caught and logged.
	OnEvent func(Event)

	// SessionTimeout is after how long without heartbeats the coordinator puts the
	// process out, and the others elect another leader. The default is 10 s, the most
	// 45 min; brokers accept 6 s to 30 min unless they are told otherwise
	// (group.min.session.timeout.ms, group.max.session.timeout.ms).
	SessionTimeout time.Duration

	// RebalanceTimeout is how long a round waits for a member that heartbeats and
	// does not join. The default is three times SessionTimeout. A leader that hears
	// of a round for so long without its end gives up its term.
	RebalanceTimeout time.Duration

	// HeartbeatInterval is how often the process tells the coordinator that it is
	// alive, and how long it takes at most to hear that the leader resigned. The
	// default is a tenth of SessionTimeout, and 500 ms at most.
	HeartbeatInterval time.Duration

	// TakeoverDelay, when set, is how long a new leader waits before its term
	// begins, unless the one before said that its term was over: 0, the default, or
	// at least SessionTimeout. It covers the one succession that a lease cannot see
	// coming, an administrator who removes the leader from the group.
	TakeoverDelay time.Duration

	// Logger gets what OnEvent gets, in words. The default is none.
	Logger *slog.Logger
}

// maxElectionSession bounds SessionTimeout, a third of which the client takes for
// kgo.RequestTimeoutOverhead, of at most 15 min.
const maxElectionSession = 45 * time.Minute

// ErrResigned ends a term, as context.Cause of the context of Lead: this process gave it
// up by [Election.Resign].
var ErrResigned = errors.New("the leader resigned")

// A Leader is who leads an election.
type Leader struct {
	Member   string // its id in the group
	Priority int32
	Payload  []byte // what it tells of itself
	Fence    Fence  // of its term
}

// An Election is one process's part in an election, on nothing but a Kafka cluster: no
// topic is needed, and no consumer. Every process that calls [Elect] with the same name
// takes part.
//
// All methods may be called from any goroutine, but Close and Resign neither by OnEvent
// nor by Lead, for which they wait.
type Election struct {
	cfg      ElectionConfig
	settings settings
	client   *kgo.Client

	ctx     context.Context // ends with Close
	cancel  context.CancelCauseFunc
	stopped chan struct{} // closed when the process has left the group
	wake    chan struct{} // holds a token when the loop has something to look at

	memberships sync.WaitGroup // of goroutines of memberships and terms

	events sync.Mutex // held while OnEvent runs; taken with no other lock held

	mu         sync.Mutex
	machine    machine
	me         candidate
	told       candidacy // what the group was told last
	membership *membership
	generation int32
	joining    bool // from JoinGroup until SyncGroup is answered
	between    bool // JoinGroup was answered, SyncGroup was not
	stale      bool // a heartbeat told that another round is on
	rejoin     bool // the last verdict has to be answered
	leader     Leader
	leaderOf   *membership   // the membership in which leader was heard of
	changed    chan struct{} // closed when leader changes
	failure    error         // why the process is not in the group
	term       *term         // the last one of this process, whether or not it is over
}

// Elect takes part in the election of the given name, which is the id of a group of its
// own, UTF-8 of 32,767 bytes at most: choose one that no consumer group has. It returns at
// once, and goes on until [Election.Close].
//
//	election, err := member.Elect("billing-reports", member.ElectionConfig{
//		Client: []kgo.Opt{kgo.SeedBrokers("localhost:9092")},
//		Lead: func(ctx context.Context, term member.Term) error {
//			return report(ctx, term.Fence())
//		},
//	})
//
// It fails when the config makes no sense. That the cluster cannot be reached, or that
// the process may not join, is told by EventLost and by [Election.WaitLeader], and tried
// again. The principal needs READ on the group.
func Elect(name string, cfg ElectionConfig) (*Election, error) {
	if err := cfg.complete(name); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{
		// A connection that went silent must not cost the session: two tries
		// have to fit into it.
		kgo.RequestTimeoutOverhead(max(cfg.SessionTimeout/3, 100*time.Millisecond)),
		kgo.DialTimeout(cfg.SessionTimeout / 3),
		kgo.RetryTimeout(cfg.SessionTimeout),
	}, cfg.Client)...)
	if err != nil {
		return nil, fmt.Errorf("the client of election %q cannot be made: %w", name, err)
	}
	if err := checkElectionClient(client); err != nil {
		client.Close()
		return nil, err
	}
	e := &Election{
		cfg: cfg,
		settings: settings{
			group: name, clientID: optValue[string](client, kgo.ClientID),
			session: cfg.SessionTimeout, rebalance: cfg.RebalanceTimeout, interval: cfg.HeartbeatInterval,
		},
		client:  client,
		machine: newMachine(),
		me: candidate{
			wants: !cfg.Observer, priority: cfg.Priority, takes: !cfg.NoTakeover, payload: slices.Clone(cfg.Payload),
		},
		stopped: make(chan struct{}),
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	go e.run()
	return e, nil
}

// complete checks the config and fills in defaults.
func (cfg *ElectionConfig) complete(name string) error {
	var errs []error
	if name == "" {
		errs = append(errs, errors.New("the election has no name; give it one that no consumer group has"))
	}
	if err := checkGroupID(name); err != nil {
		errs = append(errs, fmt.Errorf("the election's name, the id of its group, cannot work: %w", err))
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
	}{
		{"SessionTimeout", &cfg.SessionTimeout}, {"RebalanceTimeout", &cfg.RebalanceTimeout},
		{"HeartbeatInterval", &cfg.HeartbeatInterval}, {"TakeoverDelay", &cfg.TakeoverDelay},
	} {
		if *d.value < 0 {
			errs = append(errs, fmt.Errorf("the election's %s is %s; give 0 for the default, or more", d.name, *d.value))
			*d.value = 0
		}
	}
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 10 * time.Second
	}
	if cfg.SessionTimeout > maxElectionSession {
		errs = append(errs, fmt.Errorf("the election's SessionTimeout is %s; give %s or less", cfg.SessionTimeout, maxElectionSession))
	}
	if cfg.RebalanceTimeout == 0 {
		cfg.RebalanceTimeout = 3 * cfg.SessionTimeout
	}
	if cfg.HeartbeatInterval == 0 {
		cfg.HeartbeatInterval = min(cfg.SessionTimeout/10, 500*time.Millisecond)
	}
	if cfg.HeartbeatInterval > cfg.SessionTimeout/3 {
		errs = append(errs, fmt.Errorf("the election's HeartbeatInterval of %s is more than a third of its SessionTimeout of %s, so that one lost heartbeat could end a term; lower it", cfg.HeartbeatInterval, cfg.SessionTimeout))
	}
	if cfg.TakeoverDelay > 0 && cfg.TakeoverDelay < cfg.SessionTimeout {
		errs = append(errs, fmt.Errorf("the election's TakeoverDelay of %s is below its SessionTimeout of %s, for which a former leader may go on; raise it to that or more, or leave it out", cfg.TakeoverDelay, cfg.SessionTimeout))
	}
	if err := memberbytes.CheckElectionPayload(cfg.Payload); err != nil {
		errs = append(errs, fmt.Errorf("the election's payload is too large: %w", err))
	}
	if err := checkNoneNil("election", cfg.Client); err != nil {
		errs = append(errs, err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}

// checkElectionClient refuses a client that would consume, or be a static member.
func checkElectionClient(client *kgo.Client) error {
	const consumes = "an election consumes nothing; leave it out, and consume with another client"
	for _, option := range []struct {
		name string
		set  bool
		but  string
	}{
		{"kgo.ConsumerGroup", optValue[string](client, kgo.ConsumerGroup) != "", consumes},
		{"kgo.ShareGroup", optValue[string](client, kgo.ShareGroup) != "", consumes},
		{"kgo.ConsumeTopics", len(client.GetConsumeTopics()) > 0, consumes},
		{"kgo.InstanceID", optValue[string](client, kgo.InstanceID) != "", "an election has no static members; leave it out"},
	} {
		if option.set {
			return fmt.Errorf("the election's client is given %s, and %s", option.name, option.but)
		}
	}
	return nil
}

// Leader returns who leads, as the last round told that this process took part in; false
// when nobody does, or when this process has not heard of the coordinator for so long
// that it may be somebody else. What is true for one process may not have reached
// another yet: what must not be done under a former leader needs [Fence].
func (e *Election) Leader() (Leader, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leaderLocked()
}

func (e *Election) leaderLocked() (Leader, bool) {
	if e.leader.Member == "" || e.leaderOf == nil || e.leaderOf != e.membership || e.leaderOf.over() != nil {
		return Leader{}, false
	}
	l := e.leader
	l.Payload = slices.Clone(l.Payload)
	return l, true
}

// Leaders yields who leads now, and then each change, until ctx ends or the election is
// closed; a Leader without Member stands for nobody, or for one that is not known. What
// follows faster than it is read is left out, but for the newest.
//
//	for leader := range election.Leaders(ctx) {
//		connect(string(leader.Payload))
//	}
func (e *Election) Leaders(ctx context.Context) iter.Seq[Leader] {
	return func(yield func(Leader) bool) {
		var before Leader
		for first := true; ctx.Err() == nil && e.ctx.Err() == nil; first = false {
			e.mu.Lock()
			now, _ := e.leaderLocked()
			changed := e.changed
			e.mu.Unlock()
			if first || now.Fence != before.Fence || !bytes.Equal(now.Payload, before.Payload) {
				if !yield(now) {
					return
				}
				before = now
			}
			select {
			case <-changed:
			case <-e.ctx.Done():
			case <-ctx.Done():
			}
		}
	}
}

// WaitLeader returns the leader, and waits until there is one. When ctx ends before, the
// error tells that, and why this process is not in the group, if it is not.
func (e *Election) WaitLeader(ctx context.Context) (Leader, error) {
	for leader := range e.Leaders(ctx) {
		if leader.Member != "" {
			return leader, nil
		}
	}
	if e.ctx.Err() != nil {
		return Leader{}, context.Cause(e.ctx)
	}
	e.mu.Lock()
	failure := e.failure
	e.mu.Unlock()
	if failure != nil {
		return Leader{}, fmt.Errorf("no leader of election %q was heard of: %w, while %w", e.settings.group, context.Cause(ctx), failure)
	}
	return Leader{}, fmt.Errorf("no leader of election %q was heard of: %w", e.settings.group, context.Cause(ctx))
}

// Leading tells whether a term of this process is on.
func (e *Election) Leading() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.term != nil && e.term.begun && e.term.over() == nil
}

// State returns where this process stands in the election.
func (e *Election) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.machine.state()
}

// Resign gives up the term, if this process leads, and makes it no candidate until
// [Election.Stand]: another candidate leads within a heartbeat interval and two round
// trips, and if there is none, nobody does. It returns when Lead has returned, or ctx
// has ended; the process goes on resigning then.
func (e *Election) Resign(ctx context.Context) error {
	e.mu.Lock()
	e.me.wants = false
	term := e.term
	if term != nil {
		term.cancel(ErrResigned)
	}
	e.mu.Unlock()
	e.nudge()
	return term.returned(ctx)
}

// Stand makes this process a candidate (again), after Resign or as an Observer.
func (e *Election) Stand() {
	e.mu.Lock()
	e.me.wants = true
	e.mu.Unlock()
	e.nudge()
}

// SetPriority changes the priority of this process.
func (e *Election) SetPriority(priority int32) {
	e.mu.Lock()
	e.me.priority = priority
	e.mu.Unlock()
	e.nudge()
}

// SetPayload changes what is told to all while this process leads. It fails when the
// payload is too large.
func (e *Election) SetPayload(payload []byte) error {
	if err := memberbytes.CheckElectionPayload(payload); err != nil {
		return fmt.Errorf("the election's payload is too large: %w", err)
	}
	e.mu.Lock()
	e.me.payload = slices.Clone(payload)
	e.mu.Unlock()
	e.nudge()
	return nil
}

// Close ends the term, if this process leads, waits until Lead has returned, and leaves
// the group, so that another leads at once. When ctx ends before, Close returns an error
// and the rest is done in the background: as long as Lead has not returned this process
// stays in the group, and nobody else leads. Close may be called repeatedly.
func (e *Election) Close(ctx context.Context) error {
	e.cancel(ErrClosed)
	select {
	case <-e.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the election %q is not left yet, which goes on in the background: %w", e.settings.group, context.Cause(ctx))
	}
}

// nudge makes the loop look at what it is to do.
func (e *Election) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
