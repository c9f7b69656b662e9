package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// A Member consumes topics as a member of a group, at least once: offsets are committed
// only behind what the handler processed. See the package comment for what it promises.
//
// All methods may be called from any goroutine; Close and Leave not by the handler,
// Lead, OnEvent or OnFailure, which they wait for.
type Member struct {
	cfg          Config
	drainTimeout time.Duration
	settings     settings
	client       *kgo.Client
	hooks        *Hooks

	session      session
	answered     answered    // KIP-848 only
	speaksKIP848 atomic.Bool // what the client last joined with
	rejoins      atomic.Bool // a round of the classic protocol goes on, in a member of ConsumerProtocol

	waiting           atomic.Pointer[error] // what keeps it from joining
	refusedConnection atomic.Pointer[error] // why the last connection was not made; nil when it was
	managed           atomic.Pointer[error] // why kgo last gave up its membership, or was given none

	polls pollGate
	share atomic.Int64 // how many bytes each partition may hold

	committing sync.Mutex // held while a commit is under way

	traitsMu sync.Mutex // held while traits are changed; taken before mu
	traits   Traits     // as the user set them

	mu            sync.Mutex // taken before a partition's
	partitions    map[topicPartition]*partition
	lingering     map[topicPartition]*worker // workers of partitions that were given up, whose handler has not returned
	refused       map[topicPartition]bool    // see release
	resubscribing map[string]bool
	cancelCommit  context.CancelFunc // of the last commit
	run           *run               // under way
	closed        bool
	giveUp        bool  // by Leave
	fatal         error // why Run cannot go on

	background sync.WaitGroup
	quit       context.CancelFunc // ends background
	ready      chan struct{}      // closed when New is done
	leaveOnce  sync.Once
	closeOnce  sync.Once
	finished   chan struct{}
}

// New checks cfg, tells all that is wrong with it, and makes the client, which joins the
// group at once; Run consumes. Close the member also when Run was never called.
func New(cfg Config) (*Member, error) {
	problems := cfg.check()
	cfg = cfg.withDefaults()
	m := &Member{
		cfg: cfg, traits: cfg.Traits, ready: make(chan struct{}), finished: make(chan struct{}),
		partitions: make(map[topicPartition]*partition), lingering: make(map[topicPartition]*worker),
		refused: make(map[topicPartition]bool), resubscribing: make(map[string]bool),
	}
	m.session.m, m.session.changed = m, make(chan struct{}, 1)
	m.share.Store(cfg.BufferBytes)

	opts := append([]kgo.Opt{kgo.FetchMaxWait(fetchMaxWait)}, cfg.Client...)
	if cfg.GroupProtocol == ClassicProtocol {
		hooksConfig := cfg.HooksConfig
		hooksConfig.Protocols = make([]Protocol, len(cfg.Protocols))
		for i, p := range cfg.Protocols {
			if hooksConfig.Protocols[i] = p; p.Assignor != nil {
				hooksConfig.Protocols[i].Assignor = refusing{p.Assignor}
			}
		}
		hooks, err := NewHooks(hooksConfig)
		if problems = errors.Join(problems, err); problems != nil {
			return nil, problems
		}
		m.hooks = hooks
		hooks.expelled = m.expelled
		hooks.settings.group = cfg.Group // the client may join before it is attached
		opts = append(opts, hooks.Opts()...)
	} else {
		if problems != nil {
			return nil, problems
		}
		m.hooks = newObserver(cfg.HooksConfig)
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.CooperativeStickyBalancer()))
	}
	callback := func(f func(context.Context, *kgo.Client, map[string][]int32)) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
			if <-m.ready; m.client != nil {
				f(ctx, client, partitions)
			}
		}
	}
	opts = append(opts,
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(cfg.Topics...),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(callback(m.assigned)),
		kgo.OnPartitionsRevoked(callback(m.revoked)),
		kgo.OnPartitionsLost(callback(m.lost)),
		kgo.WithHooks(memberHook{m}),
	)
	if err := kgo.ValidateOpts(opts...); err != nil {
		return nil, fmt.Errorf("the client of group %q cannot be made: %w", cfg.Group, err)
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("the client of group %q cannot be made: %w", cfg.Group, err)
	}
	err = m.attach(client)
	close(m.ready)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("the client of group %q cannot be used: %w", cfg.Group, err)
	}
	return m, nil
}

// attach takes the client into use.
func (m *Member) attach(client *kgo.Client) error {
	m.settings = settings{
		group:     m.cfg.Group,
		session:   optValue[time.Duration](client, kgo.SessionTimeout),
		rebalance: optValue[time.Duration](client, kgo.RebalanceTimeout),
		interval:  optValue[time.Duration](client, kgo.HeartbeatInterval),
		instance:  optValue[string](client, kgo.InstanceID),
		clientID:  optValue[string](client, kgo.ClientID),
	}
	m.session.settings = m.settings
	var err error
	if m.drainTimeout, err = m.cfg.drainTimeout(m.settings.rebalance); err != nil {
		return err
	}
	if m.cfg.GroupProtocol == ClassicProtocol {
		if err := m.hooks.Attach(client); err != nil {
			return err
		}
	} else {
		m.hooks.observe(client, m.settings)
	}
	m.client = client
	ctx, quit := context.WithCancel(context.Background())
	m.quit = quit
	m.background.Go(func() { m.session.keep(ctx, m.heartbeat) })
	m.background.Go(func() { m.tellWhyItWaits(ctx) })
	if m.cfg.GroupProtocol == ConsumerProtocol {
		m.background.Go(func() { m.session.askSession(ctx) })
	}
	return nil
}

// Client returns the kgo client, for producing and requests of your own. What it polls,
// commits, pauses and subscribes to is the member's, and so is its end: Close closes it.
// Where it was closed otherwise the member cannot go on, and Run returns
// kgo.ErrClientClosed.
func (m *Member) Client() *kgo.Client { return m.client }

// Leading tells whether this member leads the group now; see Hooks.Leading. In KIP-848
// no member does.
func (m *Member) Leading() bool { return m.hooks.Leading() }

// State returns where this member stands in its group; see Hooks.State.
func (m *Member) State() State { return m.hooks.State() }

// SetTraits changes what the member tells the leader about itself; see Hooks.SetTraits.
// In KIP-848 there is no leader to tell it to, and it fails.
func (m *Member) SetTraits(traits Traits) error {
	if m.cfg.GroupProtocol == ConsumerProtocol {
		return errors.New("the member has no leader to tell traits to, for in KIP-848 the brokers assign partitions; use ClassicProtocol")
	}
	if _, err := traits.encode(); err != nil {
		return err
	}
	m.traitsMu.Lock()
	m.traits = traits
	m.traitsMu.Unlock()
	return m.tellRefused(true)
}

// Replan has the leader make a new plan; see Hooks.Replan. In KIP-848 it does nothing.
func (m *Member) Replan(reason string) {
	if m.cfg.GroupProtocol == ClassicProtocol {
		m.hooks.Replan(reason)
	}
}

// SetAnnounce changes whether this member announces itself when it leads; see
// Hooks.SetAnnounce. In KIP-848 it does nothing.
func (m *Member) SetAnnounce(on bool) {
	if m.cfg.GroupProtocol == ClassicProtocol {
		m.hooks.SetAnnounce(on)
	}
}

// emit tells the user of an event. No lock may be held.
func (m *Member) emit(e Event) { m.hooks.emit(e) }

// owned lists the member's partitions.
func (m *Member) owned() []assign.TopicPartitions {
	m.mu.Lock()
	defer m.mu.Unlock()
	owned := make(map[string][]int32)
	for tp := range m.partitions {
		owned[tp.topic] = append(owned[tp.topic], tp.partition)
	}
	return toTopicPartitions(owned)
}

// fenced: another process has the member's instance id. This one stops for good, for to
// join again would be to fight over the place.
func (m *Member) fenced(err error) {
	m.fail(fmt.Errorf("instance %q of group %q: %w: %w", m.settings.instance, m.cfg.Group, ErrFenced, err))
}

// fail has Run return err, also every later one, and takes the member out of the group
// once Lead has returned, or has had its time to.
func (m *Member) fail(err error) {
	m.mu.Lock()
	if m.fatal != nil || m.closed {
		m.mu.Unlock()
		return
	}
	m.fatal = err
	r := m.run
	// Not on the caller's goroutine, which may be kgo's group management.
	m.background.Go(func() {
		<-m.ready
		returned := m.hooks.stepDown(fmt.Errorf("%w: %w", ErrLeft, err))
		if r != nil {
			<-r.over
		}
		if m.client != nil {
			<-returned
			m.leaveOnce.Do(m.leaveGroup)
		}
	})
	m.mu.Unlock()
	if r != nil {
		r.stop(err)
	}
}

// errClientClosed is why Run cannot go on after a Close of the client that is not the
// member's.
var errClientClosed = fmt.Errorf("the member's client was closed, and the member is of no use any more; close the member, which closes its client, and make another one: %w", kgo.ErrClientClosed)

// clientClosed: the client was closed. It returns what Run does then.
func (m *Member) clientClosed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fatal == nil && !m.closed {
		m.fatal = errClientClosed
	}
	return m.fatal
}

// leaveGroup leaves the group. A static member's place is given up only where Leave or
// StallLeave said so.
func (m *Member) leaveGroup() {
	ctx := context.Background() // kgo bounds each request by itself
	id, _ := m.client.GroupMetadata()
	m.mu.Lock()
	giveUp := m.giveUp
	m.mu.Unlock()
	static := m.settings.instance != "" && id != ""
	err := m.client.LeaveGroupContext(ctx)
	switch {
	case static && m.speaksKIP848.Load():
		err = m.leaveInstance848(ctx, id, giveUp) // what kgo sends lacks the instance id, and is refused
	case static && giveUp:
		err = m.leaveInstance(ctx, id)
	}
	if err != nil {
		m.cfg.Logger.Warn("the group was not left properly, and keeps the member until its session ends", "group", m.cfg.Group, "member", id, "instance", m.settings.instance, "err", err)
	}
}

// leaveInstance gives up the place of a static member.
func (m *Member) leaveInstance(ctx context.Context, id string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = m.cfg.Group
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID, member.InstanceID = id, &m.settings.instance
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		return err
	}
	for _, left := range resp.Members {
		if err := kerr.ErrorForCode(left.ErrorCode); err != nil {
			return err
		}
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// leaveInstance848 tells the coordinator that the static member goes, to come back or
// for good.
func (m *Member) leaveInstance848(ctx context.Context, id string, forGood bool) error {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = m.cfg.Group, id, -2, &m.settings.instance
	if forGood {
		req.MemberEpoch = -1
	}
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// Close ends Run and Lead, waits for both, commits what was handled, leaves the group
// and closes the client: the partitions are handed over at once. Handlers may finish
// what they have begun, for Config.DrainTimeout, see Run. A static member
// (kgo.InstanceID) keeps its place in the group until its session ends, so that a
// restart moves nothing, unless it has just given up partitions that its group waits
// for; [Member.Leave] gives the place up. Where the leader has a [Hold], the place of a
// member that it knows by the label is held all the same: see there.
//
// When ctx ends first, Close returns its error and the rest goes on in the background.
// Until Lead has returned the member stays in the group: a process whose Lead may hang
// has to exit. Close may be called repeatedly.
func (m *Member) Close(ctx context.Context) error { return m.close(ctx, false) }

// Leave is Close, and gives up the place of a static member, whose partitions are then
// handed over at once, unless the leader has a [Hold]: see there. It is too late when Close
// was called before.
func (m *Member) Leave(ctx context.Context) error { return m.close(ctx, true) }

func (m *Member) close(ctx context.Context, giveUp bool) error {
	m.mu.Lock()
	if !m.closed {
		m.giveUp = m.giveUp || giveUp
	}
	m.closed = true
	r := m.run
	m.mu.Unlock()
	if r != nil {
		r.stop(nil)
	}
	m.closeOnce.Do(func() {
		go func() {
			defer close(m.finished)
			m.hooks.endLead()
			if r != nil {
				<-r.over
			}
			m.quit()
			m.background.Wait()
			m.leaveOnce.Do(m.leaveGroup)
			m.hooks.closed(ErrClosed)
			m.client.Close()
		}()
	})
	select {
	case <-m.finished:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the member is not closed yet, and goes on closing: %w", ctx.Err())
	}
}
