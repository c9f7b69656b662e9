package prom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
	"github.com/groupkit/groupkit/plugin/prom"
)

// TestMetricsAreScraped runs a member, scrapes it over HTTP as Prometheus does, and
// reads what is said of it while it leads, falls behind and closes.
func TestMetricsAreScraped(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	registry := prometheus.NewRegistry()
	metrics, client := prom.New("g"), kprom.NewMetrics("kafka", kprom.Registerer(registry))
	registry.MustRegister(metrics)
	fail := errors.New("no")
	m, err := member.New(member.Config{
		Group: "g", Topics: []string{"t"},
		HooksConfig: member.HooksConfig{
			OnEvent:   metrics.Observe,
			Protocols: []member.Protocol{{Assignor: assign.New("failing", func(assign.Group) (assign.Plan, error) { return assign.Plan{}, fail })}},
		},
		Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.WithHooks(client), kgo.HeartbeatInterval(50 * time.Millisecond)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	metrics.Watch(m)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	defer server.Close()

	release := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- m.Run(context.Background(), func(context.Context, []*kgo.Record) error { <-release; return nil })
	}()
	for range 5 {
		if err := m.Client().ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	says(t, server.URL,
		`groupkit_leader{group="g"} 1`, `groupkit_term{group="g"} 1`, `groupkit_terms_total{group="g"} 1`, `groupkit_generation{group="g"} 1`,
		`groupkit_partitions_owned{group="g"} 2`, `groupkit_rebalances_total{cause="first",group="g"} 1`, `groupkit_fallbacks_total{group="g"} 1`,
		`groupkit_plan_duration_seconds_count{group="g"} 1`, `groupkit_plan_moves_total{group="g"} \d+`,
		`groupkit_lease_remaining_seconds{group="g"} (3\d|40)\.\d+`, // 45 s less a tenth
		`groupkit_state{group="g",state="leading"} 1`, `groupkit_state{group="g",state="joining"} 0`,
		`groupkit_health{group="g",health="working"} 1`, `groupkit_health{group="g",health="idle"} 0`,
		`groupkit_handler_lag{group="g",partition="[01]",topic="t"} [1-5]`, `groupkit_handler_queued_records{group="g",partition="[01]",topic="t"} [1-5]`,
		`groupkit_handler_seconds{group="g",partition="[01]",topic="t"} [\d.e-]*[1-9]`,
		`groupkit_events_total{group="g",kind="planned"} 1`, `groupkit_events_total{group="g",kind="fallback"} 1`,
		// kprom's, of the same client.
		`kafka_connects_total{node_id="0"} [1-9]\d*`, `kafka_write_bytes_total{node_id="0"} [1-9].*`, `kafka_read_bytes_total{node_id="0"} [1-9].*`,
		`kafka_produce_bytes_total{node_id="0",topic="t"} [1-9].*`, `kafka_fetch_bytes_total{node_id="0",topic="t"} [1-9].*`,
		`kafka_buffered_fetch_records_total \d+`,
	)
	close(release)
	says(t, server.URL, `groupkit_handler_lag{group="g",partition="0",topic="t"} 0`, `groupkit_handler_lag{group="g",partition="1",topic="t"} 0`, `groupkit_health{group="g",health="idle"} 1`)
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	says(t, server.URL, `groupkit_leader{group="g"} 0`, `groupkit_term{group="g"} 0`, `groupkit_partitions_owned{group="g"} 0`, `groupkit_lease_remaining_seconds{group="g"} 0`,
		`groupkit_state{group="g",state="closed"} 1`, `groupkit_health{group="g",health="closed"} 1`)
}

// says waits until a scrape has a line for each of the patterns.
func says(t *testing.T, url string, patterns ...string) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s (%v)", resp.Status, body, err)
		}
		var missing []string
		for _, p := range patterns {
			if !regexp.MustCompile(`(?m)^` + p + `$`).Match(body) {
				missing = append(missing, p)
			}
		}
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("missing:\n%s\nin:\n%s", strings.Join(missing, "\n"), body)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestAGroupThatTheBrokerHostsHasNoLeader tells the metrics what the hooks of a leader tell
// when a member that speaks KIP-848 joins its group and leaves again, as
// TestLeadershipEndsWhileTheBrokerHostsTheGroup has it happen on brokers.
func TestAGroupThatTheBrokerHostsHasNoLeader(t *testing.T) {
	metrics := prom.New("g")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	state := func(now member.State) (lines []string) {
		for _, s := range []member.State{member.StateLeading, member.StateResigning, member.StateFollowing, member.StateLeaderless} {
			value := 0
			if s == now {
				value = 1
			}
			lines = append(lines, fmt.Sprintf(`groupkit_state{group="g",state=%q} %d`, s, value))
		}
		return lines
	}

	metrics.Observe(member.Event{Kind: member.EventLeading, Generation: 3, From: member.StateFollowing, State: member.StateLeading})
	says(t, server.URL, append(state(member.StateLeading), `groupkit_leader{group="g"} 1`, `groupkit_term{group="g"} 3`)...)

	metrics.Observe(member.Event{Kind: member.EventResigned, Err: member.ErrLeaderless, From: member.StateLeading, State: member.StateResigning})
	says(t, server.URL, append(state(member.StateResigning), `groupkit_leader{group="g"} 0`, `groupkit_term{group="g"} 0`)...)
	metrics.Observe(member.Event{Kind: member.EventLeaderless, Err: member.ErrLeaderless, State: member.StateResigning})
	metrics.Observe(member.Event{Kind: member.EventLeadReturned, Err: member.ErrLeaderless, From: member.StateResigning, State: member.StateLeaderless})
	says(t, server.URL, append(state(member.StateLeaderless), `groupkit_leader{group="g"} 0`, `groupkit_term{group="g"} 0`,
		`groupkit_events_total{group="g",kind="leaderless"} 1`, `groupkit_terms_total{group="g"} 1`)...)

	metrics.Observe(member.Event{Kind: member.EventLed, From: member.StateLeaderless, State: member.StateFollowing})
	says(t, server.URL, append(state(member.StateFollowing), `groupkit_leader{group="g"} 0`)...)
}

// TestHooksAlone has metrics without a Member to watch.
func TestHooksAlone(t *testing.T) {
	metrics := prom.New("g")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics)
	metrics.Observe(member.Event{Kind: member.EventAssigned, Generation: 7, State: member.StateFollowing, Assigned: []assign.TopicPartitions{{Topic: "t", Partitions: []int32{1, 2}}}})
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	says(t, server.URL, `groupkit_partitions_owned{group="g"} 2`, `groupkit_generation{group="g"} 7`, `groupkit_rebalances_total{cause="follower",group="g"} 1`, `groupkit_state{group="g",state="following"} 1`)
}
