package demo

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// perform plays the demo in this process, after change had its way with it.
func perform(t *testing.T, ctx context.Context, change func(*play)) (seen bool, told string) {
	t.Helper()
	s, err := inProcess()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var out bytes.Buffer
	p := newPlay(s, Options{Out: &out})
	if change != nil {
		change(p)
	}
	seen, err = p.run(ctx)
	if err != nil {
		t.Error(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return seen, out.String()
}

func TestEveryStepIsSeen(t *testing.T) {
	t.Parallel()
	began := time.Now()
	seen, told := perform(t, t.Context(), nil)
	if !seen {
		t.Error("a step was not seen")
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	if n := strings.Count(told, "\n  SEEN  "); n != 9 {
		t.Errorf("evidence of %d steps, want 9", n)
	}
	for line := range strings.Lines(told) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("too wide for a terminal: %q", line)
		}
	}
	if strings.Contains(told, "\x1b") {
		t.Error("plain output has escape codes")
	}
}

func TestAStepThatIsNotSeenEndsThePlay(t *testing.T) {
	t.Parallel()
	seen, told := perform(t, t.Context(), func(p *play) { p.billing.hook = keepProposed })
	if seen {
		t.Error("the hook changed nothing, and all steps were seen")
	}
	for _, want := range []string{
		"MISSING  the hook changed nothing of what heaviest-first proposed",
		"MISSING  4. plan proposed, and changed by the hook",
		"not run  5. ",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

func TestAStepHasADeadline(t *testing.T) {
	t.Parallel()
	seen, told := perform(t, t.Context(), func(p *play) {
		p.stage.patience = 100 * time.Millisecond
		p.steps = p.steps[2:]
		p.stage.seeds = []string{"127.0.0.1:1"} // for members; nothing listens there
	})
	if seen || !strings.Contains(told, "MISSING  ann has not been assigned anything") {
		t.Errorf("seen: %v", seen)
	}
}

func TestInterruption(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan time.Time, 1)
	seen, told := perform(t, ctx, func(p *play) {
		last := &p.steps[6]
		takeover := last.perform
		last.perform = func(ctx context.Context) (string, error) {
			time.AfterFunc(300*time.Millisecond, func() { cancelled <- time.Now(); cancel() })
			return takeover(ctx)
		}
	})
	if took := time.Since(<-cancelled); took > 20*time.Second {
		t.Errorf("it went on for %s", took)
	}
	if seen || !strings.Contains(told, "interrupted before it was seen") || !strings.HasSuffix(told, "\n  Interrupted in step 7.\n") {
		t.Errorf("seen: %v", seen)
	}
}

// A real cluster is told from the one in this process by being named: kfake stands in
// for it, to see that nothing is left behind.
func TestNothingIsLeftOnANamedCluster(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := onBrokers(ctx, fake.ListenAddrs())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.session = 2 * time.Second
	var out bytes.Buffer
	p := newPlay(s, Options{Out: &out})
	// A leader is killed and its group not yet rid of it when the play ends.
	takeover := p.steps[6]
	takeover.perform = func(context.Context) (string, error) {
		p.billing.kill(p.billing.cast("ann")[0])
		return "", errInterrupted
	}
	// kfake does not have the offsets topic of the coordinator's step.
	p.steps = []step{p.steps[0], p.steps[2], p.steps[3], takeover}
	if seen, err := p.run(ctx); err != nil || seen {
		t.Errorf("seen %v, error %v\n%s", seen, err, out.String())
	}
	topics, err := s.admin.ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := s.admin.ListGroups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if topics.Has(s.topic) || len(groups) > 0 {
		t.Errorf("left behind: topics %v, groups %v\n%s", topics.Names(), groups.Groups(), out.String())
	}
}

// A topic that nobody confirmed is removed, or named so that it can be.
func TestATopicThatMayHaveBeenCreated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hanging []kmsg.Key
		says    string
	}{
		"created, and removed":         {nil, "cannot create the topic groupctl-demo-"},
		"neither answered nor removed": {[]kmsg.Key{kmsg.CreateTopics, kmsg.DeleteTopics}, "remove it by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, err := kfake.NewCluster(kfake.NumBrokers(3))
			if err != nil {
				t.Fatal(err)
			}
			defer fake.Close()
			for _, key := range test.hanging {
				fake.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
					fake.KeepControl()
					return nil, nil, true
				})
			}
			if len(test.hanging) == 0 {
				// The topic comes to be, and the answer does not.
				fake.ControlKey(int16(kmsg.CreateTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
					go func() { _ = fake.CreateTopic(req.(*kmsg.CreateTopicsRequest).Topics[0].Topic, 1, nil) }()
					fake.KeepControl()
					return nil, nil, true
				})
			}
			began := time.Now()
			_, err = Run(t.Context(), Options{Brokers: fake.ListenAddrs(), Reach: time.Second, Out: new(bytes.Buffer)})
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			topics, err := kadm.NewClient(client).ListTopics(t.Context())
			if err != nil || len(topics) > 0 {
				t.Errorf("%v, topics %v", err, topics.Names())
			}
		})
	}
}

func TestATopicThatIsRefused(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.ClusterAuthorizationFailed, Count: -1})
	_, err = Run(t.Context(), Options{Brokers: fake.ListenAddrs(), Reach: 5 * time.Second, Out: new(bytes.Buffer)})
	if !errors.Is(err, kerr.ClusterAuthorizationFailed) || strings.Count(err.Error(), "CLUSTER_AUTHORIZATION_FAILED") != 1 {
		t.Errorf("%v", err)
	}
}

func TestColourGoesRoundWords(t *testing.T) {
	var out bytes.Buffer
	v := &voice{out: &out, colour: true, began: time.Now()}
	v.seen("it")
	v.event("ann", "joins")
	if want := "  \x1b[1;32mSEEN\x1b[0m  it\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %q", out.String())
	}
	if want := "\x1b[36mann\x1b[0m  joins\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got %q", out.String())
	}
}
