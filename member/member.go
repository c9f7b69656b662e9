package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says what a [Member] does. Group, Topics and Protocols are required.
type Config struct {
	// Group is the id of the consumer group, Topics what the member subscribes
	// to.
	Group  string
	Topics []string

	// HooksConfig holds the assignors and hooks.
	HooksConfig

	// Client are further options for the kgo client: seed brokers, TLS,
	// instance id, rack, timeouts. The member sets the group, topics,
	// balancers, autocommit and rebalance blocking itself.
	Client []kgo.Opt
}

// A Handler processes the records of one partition, in the order of their offsets.
// Once it returned nil they count as handled, and are committed when all that was
// polled with them is done. It is called on the goroutine that
// called Run, and while it runs none of the member's partitions is given up, so it has
// to return within the rebalance timeout (kgo's default is a minute).
type Handler func(ctx context.Context, records []*kgo.Record) error

// A Member consumes topics as a member of a group, at least once: offsets are
// committed only behind what the handler processed.
type Member struct {
	client *kgo.Client
	hooks  *Hooks

	mu      sync.Mutex
	running bool
	closed  bool
	stop    context.CancelFunc // ends Run
	stopped chan struct{}      // closed when Run returned; nil when it never ran

	closeOnce sync.Once
	finished  chan struct{}
}

// New checks cfg and makes the client, which joins the group at once; Run consumes.
// Close the member also when Run was never called.
func New(cfg Config) (*Member, error) {
	var errs []error
	if cfg.Group == "" {
		errs = append(errs, errors.New("the member's config has no group; set Config.Group"))
	}
	if len(cfg.Topics) == 0 {
		errs = append(errs, errors.New("the member's config has no topic; set Config.Topics"))
	}
	if slices.Contains(cfg.Topics, "") {
		errs = append(errs, errors.New("the member's config has a topic without a name; leave it out of Config.Topics"))
	}
	hooks, err := NewHooks(cfg.HooksConfig)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	opts := append([]kgo.Opt(nil), cfg.Client...)
	opts = append(opts, hooks.Opts()...)
	opts = append(opts,
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(cfg.Topics...),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
	)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("the client of group %q cannot be made: %w", cfg.Group, err)
	}
	if err := hooks.Attach(client); err != nil {
		client.CloseAllowingRebalance()
		return nil, fmt.Errorf("the client of group %q cannot be used: %w", cfg.Group, err)
	}
	return &Member{client: client, hooks: hooks, finished: make(chan struct{})}, nil
}

// Client returns the kgo client, for producing and requests of your own. Its poll and
// commit methods are the member's.
func (m *Member) Client() *kgo.Client { return m.client }

// Leading tells whether this member leads the group now; see Hooks.Leading.
func (m *Member) Leading() bool { return m.hooks.Leading() }

// State returns where this member stands in its group; see Hooks.State.
func (m *Member) State() State { return m.hooks.State() }

// SetTraits changes what the member tells the leader about itself; see Hooks.SetTraits.
func (m *Member) SetTraits(traits Traits) error { return m.hooks.SetTraits(traits) }

// Replan has the leader make a new plan; see Hooks.Replan.
func (m *Member) Replan(reason string) { m.hooks.Replan(reason) }

// Run consumes until ctx ends or the member is closed, and then returns nil; what was
// handled is committed by then, unless the handler panicked, and the member stays in the group until Close. It
// returns the handler's error when that returns one, with the records named, unless it
// is the error of a ctx that has ended. What was polled and not handled is not
// committed, also when the handler panics, and is what the next Run begins with, or
// the next owner of the partition. After Close it returns [ErrClosed]. Only one Run
// may be under way at a time.
//
// Offsets that cannot be committed are logged and not tried again before the next
// commit of their partition: whoever has the partition next may handle the records
// once more.
func (m *Member) Run(ctx context.Context, handle Handler) error {
	if handle == nil {
		return errors.New("the member has no handler; pass one to Run")
	}
	m.mu.Lock()
	switch {
	case m.closed:
		m.mu.Unlock()
		return ErrClosed
	case m.running:
		m.mu.Unlock()
		return errors.New("the member runs already; call Run once at a time")
	}
	ctx, m.stop = context.WithCancel(ctx)
	m.running, m.stopped = true, make(chan struct{})
	m.mu.Unlock()
	defer func() {
		m.client.AllowRebalance()
		m.mu.Lock()
		m.stop()
		m.running = false
		close(m.stopped)
		m.mu.Unlock()
	}()

	for {
		fetches := m.client.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return nil
		}
		err := m.handle(ctx, fetches, handle)
		switch {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return nil
		}
		m.client.AllowRebalance()
	}
}

// handle hands each partition's records to the handler and commits what it processed.
// What it did not process is polled again. No partition is given up meanwhile, so both
// are about partitions of this member.
func (m *Member) handle(ctx context.Context, fetches kgo.Fetches, handle Handler) error {
	fetches.EachError(func(topic string, partition int32, err error) {
		if ctx.Err() == nil {
			m.hooks.cfg.Logger.Warn("records could not be fetched", "topic", topic, "partition", partition, "err", err)
		}
	})
	var parts [][]*kgo.Record
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) > 0 {
			parts = append(parts, p.Records)
		}
	})
	var handled []*kgo.Record // the last record of each part
	// Deferred, for a handler may panic and its caller call Run again.
	defer func() { m.rewind(parts[len(handled):]) }()

	var failed error
	for _, records := range parts {
		if ctx.Err() != nil {
			break
		}
		first, last := records[0], records[len(records)-1]
		if err := handle(ctx, records); err != nil {
			failed = fmt.Errorf("the handler failed on %s[%d], offsets %d to %d: %w", first.Topic, first.Partition, first.Offset, last.Offset, err)
			break
		}
		handled = append(handled, last)
	}
	if len(handled) > 0 {
		// What was handled is committed even when ctx has just ended, but a
		// commit later than the session timeout is refused anyway.
		commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.hooks.sessionTimeout())
		defer cancel()
		if err := m.client.CommitRecords(commit, handled...); err != nil {
			m.hooks.cfg.Logger.Warn("offsets could not be committed", "err", err)
		}
	}
	return failed
}

// rewind makes the client poll the records again. It must run before rebalances are
// allowed again: until then kgo keeps the positions of all that was polled.
func (m *Member) rewind(parts [][]*kgo.Record) {
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	for _, records := range parts {
		first := records[0]
		if offsets[first.Topic] == nil {
			offsets[first.Topic] = make(map[int32]kgo.EpochOffset)
		}
		if at, listed := offsets[first.Topic][first.Partition]; !listed || first.Offset < at.Offset {
			offsets[first.Topic][first.Partition] = kgo.EpochOffset{Epoch: -1, Offset: first.Offset}
		}
	}
	m.client.SetOffsets(offsets)
}

// Close ends Run and Lead, waits for both, leaves the group and closes the client. A
// static member (kgo.InstanceID) keeps its place in the group until its session ends, unless
// it has just given up partitions that its group waits for.
// When ctx ends first, Close returns its error and the rest goes on in the background.
// Until both have returned the member stays in the group with all it has, for another
// member must not do their work meanwhile: a process whose handler or Lead may hang
// has to exit. Close may be called repeatedly and from any goroutine, but not by the
// handler, Lead or OnEvent, which it would wait for in vain.
func (m *Member) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	if m.stop != nil {
		m.stop()
	}
	stopped := m.stopped
	m.mu.Unlock()
	m.closeOnce.Do(func() {
		go func() {
			defer close(m.finished)
			m.hooks.Close()
			if stopped != nil {
				<-stopped
			}
			m.client.CloseAllowingRebalance()
		}()
	})
	select {
	case <-m.finished:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the member is not closed yet, and goes on closing: %w", ctx.Err())
	}
}
