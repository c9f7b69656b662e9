package member

import (
	"context"
	"errors"
	"fmt"
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
// Their offsets are committed once it returned nil. It is called on the goroutine that
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

// Run consumes until ctx ends or the member is closed, and then returns nil; what was
// handled is committed by then, and the member stays in the group until Close. It
// returns the handler's error when that returns one, with the records named; they are
// not committed. After Close it returns [ErrClosed]. Only one Run may be under way at a
// time. It may be called again after it returned, and begins with what an earlier Run
// left unhandled.
func (m *Member) Run(ctx context.Context, handle Handler) error {
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
		if err := m.handle(ctx, fetches, handle); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		m.client.AllowRebalance()
	}
}

// handle hands each partition's records to the handler and commits what it processed.
// What it did not process is polled again.
func (m *Member) handle(ctx context.Context, fetches kgo.Fetches, handle Handler) error {
	fetches.EachError(func(topic string, partition int32, err error) {
		if ctx.Err() == nil {
			m.hooks.cfg.Logger.Warn("records could not be fetched", "topic", topic, "partition", partition, "err", err)
		}
	})
	var handled []*kgo.Record
	unhandled := make(map[string]map[int32]kgo.EpochOffset)
	var failed error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		first, last := p.Records[0], p.Records[len(p.Records)-1]
		if failed == nil && ctx.Err() == nil {
			err := handle(ctx, p.Records)
			if err == nil {
				handled = append(handled, last)
				return
			}
			failed = fmt.Errorf("the handler failed on %s[%d], offsets %d to %d: %w", p.Topic, p.Partition, first.Offset, last.Offset, err)
		}
		if unhandled[p.Topic] == nil {
			unhandled[p.Topic] = make(map[int32]kgo.EpochOffset)
		}
		unhandled[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: -1, Offset: first.Offset}
	})
	if len(handled) > 0 {
		// What was handled is committed even when ctx has just ended.
		if err := m.client.CommitRecords(context.WithoutCancel(ctx), handled...); err != nil {
			// Whoever has the partition next handles the records again.
			m.hooks.cfg.Logger.Warn("offsets could not be committed", "err", err)
		}
	}
	if len(unhandled) > 0 {
		m.client.SetOffsets(unhandled)
	}
	return failed
}

// Close ends Run and Lead, waits for both, leaves the group and closes the client. A
// static member (kgo.InstanceID) keeps its place in the group until its session ends.
// When ctx ends first, Close returns its error and the rest goes on in the background.
// Close may be called repeatedly, from any goroutine but the handler's.
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
