package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
)

// Config says what a [Member] does. Group and Topics are required; the zero value of
// everything else works.
type Config struct {
	// Group is the id of the consumer group, UTF-8 of 32,767 bytes at most, Topics what the member subscribes
	// to; with kgo.ConsumeRegex in Client they are patterns.
	Group  string
	Topics []string

	// HooksConfig holds the assignors and hooks. Without Protocols the member
	// offers assign.CooperativeSticky, which members of other clients speak too.
	HooksConfig

	// GroupProtocol is the protocol between members and coordinator. The
	// default is [ClassicProtocol]. [ConsumerProtocol] leaves no place for what
	// concerns a leader, and New refuses it: of HooksConfig all but OnEvent and
	// Logger (Protocols, Traits, Classes, Weights, OnPlan, Lead, TakeoverDelay,
	// Announce, Hold, ReplanOnLoad, ReplanInterval and PlanTimeout), and the OnStall
	// of [StallRelease].
	GroupProtocol GroupProtocol

	// Concurrency bounds how many handlers run at the same time. The default
	// is one for each partition that the member has. A handler that was abandoned,
	// see DrainTimeout, does not count, nor does one whose context ended half of
	// DrainTimeout ago because its partition was lost.
	Concurrency int

	// MaxBatch bounds how many records a handler is called with. The default
	// is what one fetch brought of the partition.
	MaxBatch int

	// BufferBytes bounds what records take that wait for their handlers: keys,
	// values, headers, and 200 bytes for each record. The default is 64 MiB. Each
	// partition may hold an even share, beyond which it is not fetched until its
	// handler has caught up, plus what one fetch brings
	// (kgo.FetchMaxPartitionBytes, 1 MiB as sent: compressed). What kgo itself
	// holds ready comes on top: one fetch of each broker.
	BufferBytes int64

	// CommitInterval is the least time between two commits while all goes well;
	// the default is a second. Partitions that are given up, and the end of Run,
	// are committed at once.
	CommitInterval time.Duration

	// DrainTimeout is how long handlers may go on when their partition has to be
	// given up or the member closes. Then their contexts end, and they have half
	// of it again to return; after that the partition is given up regardless, with
	// an EventAbandoned. What is left of twice DrainTimeout is for the commit. The
	// default is a quarter of the rebalance timeout (kgo.RebalanceTimeout, a minute),
	// and it may be a third of it at most: a member that takes longer is put out.
	DrainTimeout time.Duration

	// Attempts is how often a handler is called with the same records before
	// OnFailure decides; the default is 5.
	Attempts int

	// Backoff gives the pause after failed attempt n, counted from 1 and again from 1
	// after each decision. Of a last attempt it is asked where OnFailure chose [Retry].
	// It is called on the goroutine of the partition's handler. The default doubles
	// from 100 ms to 10 s, with up to a fifth more or less, and stands in for one that
	// panics.
	Backoff func(attempt int) time.Duration

	// OnFailure decides what becomes of records that the handler failed on
	// Attempts times. It is called on the goroutine of the partition's handler,
	// whose next records wait. The default is [StopMember]; so is a panic in it.
	OnFailure func(ctx context.Context, failure Failure) Decision

	// DeadLetterTopic is where [DeadLetter] sends records. Required for that
	// decision, and without effect otherwise. It must not be one of Topics, nor match
	// one that is a pattern, unless kgo.ConsumeExcludeTopics is among the options of
	// Client: the member would handle its dead letters, and fail on them again.
	DeadLetterTopic string

	// StallTimeout is how long a partition whose records wait may go without
	// progress: its handler, or OnFailure, makes some by returning and a handler by
	// [Progress] too. A pause of Backoff does not count, nor does the time in which the
	// coordinator does not acknowledge the member. The default is no bound.
	StallTimeout time.Duration

	// OnStall is what happens then, beside an EventStalled, where a handler runs. All
	// but [StallReport], the default, require StallTimeout.
	OnStall StallAction

	// OnRecreated is what happens when a topic was deleted and created again.
	OnRecreated RecreatedAction

	// Client are further options for the kgo client: seed brokers, TLS,
	// instance id, rack, timeouts. The member sets the group, topics, balancers,
	// callbacks and commits itself, and refuses options for these. Where there is no
	// kgo.FetchMaxWait it is 500 ms, as in Kafka's Java client.
	Client []kgo.Opt
}

// fetchMaxWait bounds how long a partition that was paused, or was just assigned, may have
// to wait for its first records: kgo has one fetch at a time under way to each broker, and where that is of
// partitions without new records it returns only then. kgo's own default is 5 s.
const fetchMaxWait = 500 * time.Millisecond

const (
	defaultBufferBytes    = 64 << 20
	defaultCommitInterval = time.Second
	defaultAttempts       = 5
)

// check returns all that is wrong with the config, and nothing about HooksConfig.
func (cfg *Config) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if cfg.Group == "" {
		wrong("the member's config has no group; set Config.Group")
	}
	if err := checkGroupID(cfg.Group); err != nil {
		wrong("the member's config has a group id that cannot work: %w", err)
	}
	if len(cfg.Topics) == 0 {
		wrong("the member's config has no topic; set Config.Topics")
	}
	if slices.Contains(cfg.Topics, "") {
		wrong("the member's config has a topic without a name; leave it out of Config.Topics")
	}
	for _, number := range []struct {
		name  string
		value int64
	}{
		{"Concurrency", int64(cfg.Concurrency)}, {"MaxBatch", int64(cfg.MaxBatch)},
		{"BufferBytes", cfg.BufferBytes}, {"Attempts", int64(cfg.Attempts)},
	} {
		if number.value < 0 {
			wrong("the member's %s is %d; give 0 for the default, or more", number.name, number.value)
		}
	}
	for _, number := range []struct {
		name  string
		value time.Duration
	}{
		{"CommitInterval", cfg.CommitInterval}, {"DrainTimeout", cfg.DrainTimeout}, {"StallTimeout", cfg.StallTimeout},
	} {
		if number.value < 0 {
			wrong("the member's %s is %s; give 0 for the default, or more", number.name, number.value)
		}
	}
	if cfg.OnStall < StallReport || cfg.OnStall > StallLeave {
		wrong("the member's OnStall is %d, which is no StallAction; use one of the constants", cfg.OnStall)
	}
	if cfg.OnStall > StallReport && cfg.OnStall <= StallLeave && cfg.StallTimeout == 0 {
		wrong("the member's OnStall is set without StallTimeout, and nothing counts as stalled; set Config.StallTimeout")
	}
	if from, consumes := cfg.consumesDeadLetters(); consumes {
		wrong("the member's DeadLetterTopic %q is consumed by the member itself, as %q of Config.Topics; give another topic", cfg.DeadLetterTopic, from)
	}
	if cfg.OnRecreated < RecreatedResubscribe || cfg.OnRecreated > RecreatedStop {
		wrong("the member's OnRecreated is %d, which is no RecreatedAction; use one of the constants", cfg.OnRecreated)
	}
	if err := cfg.checkGroupProtocol(); err != nil {
		errs = append(errs, err)
	}
	if err := checkOptions(cfg.Client); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// consumesDeadLetters tells by which of its Topics the member consumes its DeadLetterTopic.
// Whether kgo.ConsumeExcludeTopics excludes it is not looked into.
func (cfg *Config) consumesDeadLetters() (by string, consumes bool) {
	if cfg.DeadLetterTopic == "" {
		return "", false
	}
	var patterns, excludes bool
	for _, opt := range cfg.Client {
		switch optionName(opt) {
		case "ConsumeRegex":
			patterns = true
		case "ConsumeExcludeTopics":
			excludes = true
		}
	}
	if patterns && excludes {
		return "", false
	}
	for _, topic := range cfg.Topics {
		if topic == cfg.DeadLetterTopic {
			return topic, true
		}
		if pattern, err := regexp.Compile(topic); patterns && err == nil && pattern.MatchString(cfg.DeadLetterTopic) {
			return topic, true
		}
	}
	return "", false
}

// withDefaults returns the config with everything optional filled in, but for
// DrainTimeout, which depends on the client.
func (cfg Config) withDefaults() Config {
	if len(cfg.Protocols) == 0 && cfg.GroupProtocol == ClassicProtocol {
		cfg.Protocols = []Protocol{{Assignor: assign.CooperativeSticky()}}
	}
	if cfg.BufferBytes == 0 {
		cfg.BufferBytes = defaultBufferBytes
	}
	if cfg.CommitInterval == 0 {
		cfg.CommitInterval = defaultCommitInterval
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = defaultAttempts
	}
	if cfg.Backoff == nil {
		cfg.Backoff = backoff
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// drainTimeout returns the configured one or its default.
func (cfg *Config) drainTimeout(rebalance time.Duration) (time.Duration, error) {
	if cfg.DrainTimeout > rebalance/3 {
		return 0, fmt.Errorf("the member's DrainTimeout of %s is more than a third of the client's rebalance timeout of %s, which has to leave time for twice of it, or the member is put out of the group; lower DrainTimeout or raise kgo.RebalanceTimeout", cfg.DrainTimeout, rebalance)
	}
	if cfg.DrainTimeout == 0 {
		return rebalance / 4, nil
	}
	return cfg.DrainTimeout, nil
}

// backoff is the default of Config.Backoff.
func backoff(attempt int) time.Duration {
	pause := 10 * time.Second
	if attempt < 8 { // 100 ms × 2⁷ is more
		pause = min(pause, 100*time.Millisecond<<max(attempt-1, 0))
	}
	return time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
}
