package member_test

import (
	"context"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// Every mistake is told at once, each in one sentence that says what to do.
func TestMistakesInTheConfigAreToldInSentences(t *testing.T) {
	balanced := []member.Protocol{{Assignor: assign.Balanced{}}}
	for name, c := range map[string]struct {
		cfg  member.Config
		says []string
	}{
		"nothing":         {member.Config{}, []string{"has no group", "has no topic"}},
		"long group":      {member.Config{Group: strings.Repeat("g", 1<<15), Topics: []string{"t"}}, []string{"group id that cannot work: it takes 32768 bytes, and Kafka's protocol has room for 32767"}},
		"group not UTF-8": {member.Config{Group: "g\xff", Topics: []string{"t"}}, []string{"group id that cannot work: it is not UTF-8"}},
		"negative": {member.Config{Group: "g", Topics: []string{"t"}, Concurrency: -1, MaxBatch: -2, BufferBytes: -3, Attempts: -4,
			CommitInterval: -time.Second, DrainTimeout: -time.Minute, StallTimeout: -1, OnStall: 9, OnRecreated: -1, GroupProtocol: 7},
			[]string{"Concurrency is -1", "MaxBatch is -2", "BufferBytes is -3", "Attempts is -4", "CommitInterval is -1s", "DrainTimeout is -1m0s", "StallTimeout is -1ns", "OnStall is 9", "OnRecreated is -1", "GroupProtocol is 7"}},
		"slow drains": {member.Config{Group: "g", Topics: []string{"t"}, DrainTimeout: 31 * time.Second},
			[]string{"DrainTimeout of 31s is more than a third of the client's rebalance timeout of 1m0s"}},
		"stalls that nothing finds": {member.Config{Group: "g", Topics: []string{"t"}, OnStall: member.StallLeave},
			[]string{"OnStall is set without StallTimeout"}},
		"its own dead letters": {member.Config{Group: "g", Topics: []string{"t", "dead"}, DeadLetterTopic: "dead"},
			[]string{`DeadLetterTopic "dead" is consumed by the member itself, as "dead" of Config.Topics`}},
		"its own dead letters by a pattern": {member.Config{Group: "g", Topics: []string{"orders"}, DeadLetterTopic: "orders-dead", Client: []kgo.Opt{kgo.ConsumeRegex()}},
			[]string{`DeadLetterTopic "orders-dead" is consumed by the member itself, as "orders" of Config.Topics`}},
		"leading in KIP-848": {member.Config{Group: "g", Topics: []string{"t"}, GroupProtocol: member.ConsumerProtocol, StallTimeout: time.Minute, OnStall: member.StallRelease, HooksConfig: member.HooksConfig{
			Protocols: balanced, Traits: member.Traits{Capacity: 1}, PlanTimeout: 1, Announce: true,
			Lead: func(context.Context, member.Term) error { return nil },
		}}, []string{"both ConsumerProtocol and Protocols", "both ConsumerProtocol and Traits", "both ConsumerProtocol and Lead", "both ConsumerProtocol and PlanTimeout", "both ConsumerProtocol and Announce", "both ConsumerProtocol and StallRelease"}},
		"names": {member.Config{Group: "g", Topics: []string{""}, HooksConfig: member.HooksConfig{Protocols: []member.Protocol{
			{}, {Assignor: assign.New("", nil)}, {Assignor: assign.Range()}, {Assignor: assign.Balanced{}, Name: "range"},
			{Assignor: assign.CooperativeSticky(), Eager: true},
		}}}, []string{"topic without a name", "protocol 0 of the member's config has no assignor", "protocol 1 of the member's config has no name", `protocol "range" is in the member's config twice`, `"cooperative-sticky" of the member's config is eager`}},
		"numbers": {member.Config{Group: "g", Topics: []string{"t"}, HooksConfig: member.HooksConfig{
			Protocols: balanced, PlanTimeout: -1, Traits: member.Traits{Capacity: math.NaN()},
		}}, []string{"capacity is NaN", "PlanTimeout is -1ns"}},
		"too many labels": {member.Config{Group: "g", Topics: []string{"t"}, HooksConfig: member.HooksConfig{
			Protocols: balanced, Traits: member.Traits{Labels: map[string]string{"a": strings.Repeat("x", 20_000)}},
		}}, []string{"traits take 20"}},
		"slow plans": {member.Config{Group: "g", Topics: []string{"t"}, HooksConfig: member.HooksConfig{
			Protocols: balanced, PlanTimeout: 45 * time.Second,
		}}, []string{"PlanTimeout of 45s is not below the client's session timeout of 45s"}},
		"KIP-848": {member.Config{Group: "g", Topics: []string{"t"}, HooksConfig: member.HooksConfig{Protocols: balanced},
			Client: []kgo.Opt{kgo.ServerSideBalancer()}}, []string{"has kgo.ServerSideBalancer, which is the member's own; set Config.GroupProtocol"}},
		"client": {member.Config{Group: "g", Topics: []string{"t"}, Client: []kgo.Opt{kgo.HeartbeatInterval(time.Hour)}},
			[]string{`the client of group "g" cannot be made: heartbeat interval 1h0m0s is erroneously larger`}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := member.New(c.cfg)
			if err == nil {
				shut(t, m)
				t.Fatal("no error")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.says) {
				t.Errorf("%d sentences, want %d: %v", len(lines), len(c.says), err)
			}
			for i, says := range c.says {
				if i < len(lines) && !strings.Contains(lines[i], says) {
					t.Errorf("got %q, want it to say %q", lines[i], says)
				}
			}
			for _, line := range lines {
				if strings.HasPrefix(line, "the client of") {
					line = line[strings.Index(line, ": ")+2:]
				}
				if !regexp.MustCompile(`^(the|protocol|heartbeat)\b.*[^.]$`).MatchString(line) {
					t.Errorf("%q is no sentence of the house", line)
				}
			}
		})
	}
}

// Options that the member sets itself are refused by their names, all of them.
func TestOptionsThatTheMemberOwnsAreRefusedByName(t *testing.T) {
	callback := func(context.Context, *kgo.Client, map[string][]int32) {}
	owned := map[string]kgo.Opt{
		"ConsumerGroup":               kgo.ConsumerGroup("other"),
		"ShareGroup":                  kgo.ShareGroup("other"),
		"GroupProtocol":               kgo.GroupProtocol("other"),
		"ConsumeTopics":               kgo.ConsumeTopics("other"),
		"ConsumePartitions":           kgo.ConsumePartitions(nil),
		"Balancers":                   kgo.Balancers(kgo.RangeBalancer()),
		"ServerSideBalancer":          kgo.ServerSideBalancer(),
		"OnPartitionsAssigned":        kgo.OnPartitionsAssigned(callback),
		"OnPartitionsRevoked":         kgo.OnPartitionsRevoked(callback),
		"OnPartitionsLost":            kgo.OnPartitionsLost(callback),
		"OnPartitionsCallbackBlocked": kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) {}),
		"BlockRebalanceOnPoll":        kgo.BlockRebalanceOnPoll(),
		"DisableAutoCommit":           kgo.DisableAutoCommit(),
		"AutoCommitMarks":             kgo.AutoCommitMarks(),
		"AutoCommitInterval":          kgo.AutoCommitInterval(time.Second),
		"AutoCommitCallback":          kgo.AutoCommitCallback(nil),
		"GreedyAutoCommit":            kgo.GreedyAutoCommit(),
		"TransactionalID":             kgo.TransactionalID("other"),
	}
	cfg := member.Config{Group: "g", Topics: []string{"t"}}
	for _, opt := range owned {
		cfg.Client = append(cfg.Client, opt)
	}
	_, err := member.New(cfg)
	if err == nil {
		t.Fatal("no error")
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != len(owned) {
		t.Errorf("%d sentences for %d options: %v", len(lines), len(owned), err)
	}
	for name := range owned {
		if !strings.Contains(err.Error(), "has kgo."+name+", which is the member's own; ") {
			t.Errorf("kgo.%s is not named: %v", name, err)
		}
	}
	t.Run("by a function literal", func(t *testing.T) { // in which the runtime names what is inlined in another way
		_, err := member.New(member.Config{Group: "g", Topics: []string{"t"}, Client: []kgo.Opt{kgo.BlockRebalanceOnPoll()}})
		if err == nil || !strings.Contains(err.Error(), "has kgo.BlockRebalanceOnPoll") {
			t.Errorf("an option that is the member's is taken: %v", err)
		}
	})
	for _, opt := range []kgo.Opt{kgo.InstanceID("i"), kgo.Rack("r"), kgo.WithHooks(), kgo.ConsumeRegex(), kgo.SessionTimeout(time.Minute)} {
		if m, err := member.New(member.Config{Group: "g", Topics: []string{"t"}, Client: []kgo.Opt{opt}}); err != nil {
			t.Errorf("an option that is the user's is refused: %v", err)
		} else {
			shut(t, m)
		}
	}
}

func TestAttachRefusesClientsThatItCannotServe(t *testing.T) {
	cluster := fakeCluster(t, 1)
	newHooks := func() *member.Hooks {
		hooks, err := member.NewHooks(member.HooksConfig{Protocols: []member.Protocol{{Assignor: assign.Balanced{}}}})
		if err != nil {
			t.Fatal(err)
		}
		return hooks
	}
	seeds := kgo.SeedBrokers(cluster.ListenAddrs()...)
	group := []kgo.Opt{seeds, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t")}
	h, attached := newHooks(), newHooks()
	if err := h.Attach(nil); err == nil || !strings.Contains(err.Error(), "attached to no client") {
		t.Errorf("no client: got %v", err)
	}
	for name, c := range map[string]struct {
		hooks *member.Hooks
		opts  []kgo.Opt
		says  string
	}{
		"no Opts":         {h, group, "was not made with these hooks"},
		"others' Opts":    {h, append(newHooks().Opts(), group...), "was not made with these hooks"},
		"other balancers": {h, append(append(h.Opts(), group...), kgo.Balancers(kgo.RangeBalancer())), "was not made with these hooks"},
		"KIP-848":         {h, append(append(h.Opts(), group...), kgo.ServerSideBalancer()), "asks for KIP-848, in which brokers assign partitions and no member leads; leave out kgo.ServerSideBalancer"},
		"no group":        {h, append(h.Opts(), seeds), "is in no consumer group"},
		"long group":      {h, append(h.Opts(), seeds, kgo.ConsumerGroup(strings.Repeat("g", 1<<15)), kgo.ConsumeTopics("t")), "group id cannot work: it takes 32768 bytes"},
		"group not UTF-8": {h, append(h.Opts(), seeds, kgo.ConsumerGroup("g\xff"), kgo.ConsumeTopics("t")), "group id cannot work: it is not UTF-8"},
		"a second client": {attached, append(attached.Opts(), group...), "are attached to another client"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a second client" {
				first, err := kgo.NewClient(c.opts...)
				if err != nil {
					t.Fatal(err)
				}
				defer first.Close()
				if err := c.hooks.Attach(first); err != nil {
					t.Fatal(err)
				}
				defer c.hooks.Close()
			}
			client, err := kgo.NewClient(c.opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := c.hooks.Attach(client); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}
