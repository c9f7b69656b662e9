package integration

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// membersTellWhatKeepsThemOut holds members and elections to telling why they are not in
// their group, and to joining once they may.
func membersTellWhatKeepsThemOut(t *testing.T, c *cluster.Cluster) {
	login := func(user, password string) kgo.Opt {
		return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())
	}
	start := func(listener, group string, opts ...kgo.Opt) (*member.Member, chan member.Event) {
		events := make(chan member.Event, 1000)
		m, err := member.New(member.Config{
			Group: group, Topics: []string{"orders"},
			HooksConfig: member.HooksConfig{OnEvent: func(e member.Event) { events <- e }},
			Client:      append(opts, kgo.SeedBrokers(c.ListenerSeeds(listener)...), kgo.HeartbeatInterval(200*time.Millisecond)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return m, events
	}
	await := func(events chan member.Event, kind member.EventKind) member.Event {
		late := time.After(patience)
		for {
			select {
			case e := <-events:
				if e.Kind == kind {
					return e
				}
			case <-late:
				t.Fatalf("no event %q", kind)
			}
		}
	}
	unreachable := map[string]struct {
		listener string
		opts     []kgo.Opt
		says     string
	}{
		"wrong password":        {"LOGIN", []kgo.Opt{login("full", "wrong")}, "SASL_AUTHENTICATION_FAILED"},
		"no login":              {"LOGIN", nil, "no broker answers"},
		"no TLS":                {"BOTH", []kgo.Opt{login("full", secret)}, "no broker answers"},
		"unknown authority":     {"BOTH", []kgo.Opt{login("full", secret), kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12})}, "certificate signed by unknown authority"},
		"TLS without need":      {"LOGIN", []kgo.Opt{login("full", secret), kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12})}, "no broker answers"},
		"topic not to describe": {"LOGIN", []kgo.Opt{login("topic", secret)}, `topic "orders" cannot be consumed: TOPIC_AUTHORIZATION_FAILED`},
	}
	for name, test := range unreachable {
		t.Run(name, func(t *testing.T) {
			m, events := start(test.listener, "kept-out", test.opts...)
			e := await(events, member.EventWaiting)
			if !strings.Contains(e.Err.Error(), test.says) {
				t.Errorf("it waits for %v; want it to say %q", e.Err, test.says)
			}
			if h := m.Health(); h.State != member.HealthJoining || h.Err == nil || h.Ready() {
				t.Errorf("health is %v", h)
			}
		})
	}

	// READ on the group is asked for by JoinGroup and commits, READ on the topic by Fetch.
	m, events := start("LOGIN", "team", login("full", secret))
	if e := await(events, member.EventLost); !errors.Is(e.Err, kerr.GroupAuthorizationFailed) {
		t.Errorf("without READ on the group: %v", e.Err)
	}
	if h := m.Health(); h.State != member.HealthJoining || !errors.Is(h.Err, kerr.GroupAuthorizationFailed) {
		t.Errorf("without READ on the group its health is %v", h)
	}
	election, err := member.Elect("vote", member.ElectionConfig{Client: []kgo.Opt{kgo.SeedBrokers(c.ListenerSeeds("LOGIN")...), login("full", secret)}})
	if err != nil {
		t.Fatal(err)
	}
	defer election.Close(context.Background())
	eventually(t, "an election says that it may not READ its group", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := election.WaitLeader(ctx)
		return errors.Is(err, kerr.GroupAuthorizationFailed), fmt.Sprint(err)
	})

	go m.Run(t.Context(), func(context.Context, []*kgo.Record) error { return nil })
	allow := func(acls *kadm.ACLBuilder) {
		results, err := kadm.NewClient(newClient(t, c)).CreateACLs(t.Context(), acls.ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpRead).Allow("User:full").AllowHosts())
		if err != nil || len(results) == 0 || results[0].Err != nil {
			t.Fatal(err, results)
		}
	}
	allow(kadm.NewACLs().Groups("team", "vote"))
	if e := await(events, member.EventFetchFailed); !errors.Is(e.Err, kerr.TopicAuthorizationFailed) || e.Topic != "orders" {
		t.Errorf("without READ on the topic: %+v", e)
	}
	if _, err := election.WaitLeader(t.Context()); err != nil {
		t.Error(err)
	}
	allow(kadm.NewACLs().Topics("orders"))
	eventually(t, "records are handled", func() (bool, string) {
		produceValues(t, c, "orders", "value", 2)
		position := int64(-1)
		for _, p := range m.Partitions() {
			position = max(position, p.Position)
		}
		return position >= 0, fmt.Sprint(m.Health())
	})
}
