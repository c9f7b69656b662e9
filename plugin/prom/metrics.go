// Package prom tells Prometheus how a group member is: leadership, rounds, plans, the lease
// and how far handlers are behind. It is a module of its own, so that only those who
// import it depend on Prometheus.
//
//	metrics := prom.New("orders")
//	config.OnEvent = metrics.Observe
//	m, err := member.New(config)
//	…
//	metrics.Watch(m)
//	prometheus.MustRegister(metrics)
//
// What the client itself does, bytes, connections and errors by broker, is told by kprom of
// franz-go, which goes into member.Config.Client beside it, and into the same registry: it
// makes one of its own unless it is told.
//
//	clientMetrics := kprom.NewMetrics("kafka", kprom.Registerer(prometheus.DefaultRegisterer))
//	config.Client = append(config.Client, kgo.WithHooks(clientMetrics))
//
// All metrics of this package have the label "group".
//
//	groupkit_leader                      gauge      1 while a term of this member is on, else 0
//	groupkit_term                        gauge      generation in which that term began, else 0
//	groupkit_terms_total                 counter    terms that began
//	groupkit_generation                  gauge      generation (member epoch) of the last assignment
//	groupkit_state                       gauge      1 for the state that the label "state" names
//	groupkit_health                      gauge      1 for the health that the label "health" names
//	groupkit_partitions_owned            gauge
//	groupkit_rebalances_total            counter    by "cause": of rounds this member led the
//	                                                kinds of member.Cause, of others "follower"
//	groupkit_plan_duration_seconds       histogram  from the members' metadata to the plan
//	groupkit_plan_moves_total            counter    partitions that plans moved
//	groupkit_fallbacks_total             counter    failures of assignors and hooks for which something safe stood in
//	groupkit_lease_remaining_seconds     gauge      0 where handlers may not run
//	groupkit_handler_lag                 gauge      by "topic" and "partition": offsets behind the end
//	groupkit_handler_queued_records      gauge      by "topic" and "partition": fetched, not handled
//	groupkit_handler_seconds             gauge      by "topic" and "partition": age of the call under way
//	groupkit_events_total                counter    by "kind": events of every kind
package prom

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/groupkit/groupkit/member"
)

// Metrics are the metrics of one member. It is a prometheus.Collector: register it once.
// All methods may be called from any goroutine.
type Metrics struct {
	rebalances *prometheus.CounterVec
	events     *prometheus.CounterVec
	terms      prometheus.Counter
	fallbacks  prometheus.Counter
	moves      prometheus.Counter
	plans      prometheus.Histogram

	leader, term, generation, owned, leaseLeft, state, health, lag, queued, calls *prometheus.Desc

	mu         sync.Mutex
	member     *member.Member // nil before Watch
	current    member.State
	began      int32 // the generation in which the term that is on began
	assigned   int32
	partitions int
}

// New returns the metrics of a member of the group. The group is the label of all, so
// that several members can be registered in one registry as long as their groups differ.
func New(group string) *Metrics {
	constant := prometheus.Labels{"group": group}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "groupkit", Name: name, Help: help, ConstLabels: constant}
	}
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("groupkit_"+name, help, labels, constant)
	}
	return &Metrics{
		rebalances: prometheus.NewCounterVec(counter("rebalances_total", "Rounds that gave this member an assignment, by their causes."), []string{"cause"}),
		events:     prometheus.NewCounterVec(counter("events_total", "Events of the member, by kind."), []string{"kind"}),
		terms:      prometheus.NewCounter(counter("terms_total", "Terms of this member as leader that began.")),
		fallbacks:  prometheus.NewCounter(counter("fallbacks_total", "Times that an assignor or hook failed and something safe stood in for what it would have returned.")),
		moves:      prometheus.NewCounter(counter("plan_moves_total", "Partitions that the plans of this member moved.")),
		plans: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "groupkit", Name: "plan_duration_seconds", Help: "How long this member planned as leader.", ConstLabels: constant,
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9), // to 33 s, about the longest plan that a session allows
		}),
		leader:     gauge("leader", "Whether a term of this member as leader is on."),
		term:       gauge("term", "The generation in which the term that is on began, 0 while none is."),
		generation: gauge("generation", "The generation of the group at the last assignment."),
		owned:      gauge("partitions_owned", "Partitions that this member has."),
		leaseLeft:  gauge("lease_remaining_seconds", "For how long the coordinator's last acknowledgement lets handlers go on."),
		state:      gauge("state", "Where the member stands in its group.", "state"),
		health:     gauge("health", "How the member is.", "health"),
		lag:        gauge("handler_lag", "Offsets between what was handled and the end of the partition.", "topic", "partition"),
		queued:     gauge("handler_queued_records", "Records that were fetched and not handled.", "topic", "partition"),
		calls:      gauge("handler_seconds", "For how long the call of the handler that is under way has run, 0 where none is.", "topic", "partition"),
		current:    member.StateJoining,
	}
}

// Observe takes note of an event; it is for member.HooksConfig.OnEvent. With Hooks on a
// client of your own it is all there is, and the metrics of handlers, health and lease
// are left out.
func (m *Metrics) Observe(e member.Event) {
	m.events.WithLabelValues(string(e.Kind)).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = e.State
	switch e.Kind {
	case member.EventPlanned:
		m.plans.Observe(e.Took.Seconds())
		if e.Stats != nil {
			m.moves.Add(float64(e.Stats.MovedPartitions))
		}
		for _, cause := range kinds(e.Causes) {
			m.rebalances.WithLabelValues(cause).Inc()
		}
	case member.EventAssigned:
		m.assigned, m.partitions = e.Generation, 0
		for _, tp := range e.Assigned {
			m.partitions += len(tp.Partitions)
		}
		if !e.Leader {
			m.rebalances.WithLabelValues("follower").Inc()
		}
	case member.EventRevoked:
		for _, tp := range e.Assigned {
			m.partitions = max(0, m.partitions-len(tp.Partitions))
		}
	case member.EventLost, member.EventClosed:
		m.partitions = 0
	case member.EventLeading:
		m.terms.Inc()
		m.began = e.Generation
	case member.EventFallback:
		m.fallbacks.Inc()
	}
}

// kinds lists each kind of the causes once.
func kinds(causes []member.Cause) []string {
	if len(causes) == 0 {
		return []string{string(member.CauseUnknown)}
	}
	var found []string
	seen := make(map[member.CauseKind]bool, len(causes))
	for _, cause := range causes {
		if !seen[cause.Kind] {
			seen[cause.Kind] = true
			found = append(found, string(cause.Kind))
		}
	}
	return found
}

// Watch adds the metrics that are read from the member when Prometheus asks.
func (m *Metrics) Watch(watched *member.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.member = watched
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.counters() {
		c.Describe(to)
	}
	for _, d := range []*prometheus.Desc{m.leader, m.term, m.generation, m.owned, m.leaseLeft, m.state, m.health, m.lag, m.queued, m.calls} {
		to <- d
	}
}

func (m *Metrics) counters() []prometheus.Collector {
	return []prometheus.Collector{m.rebalances, m.events, m.terms, m.fallbacks, m.moves, m.plans}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.counters() {
		c.Collect(to)
	}
	tell := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	m.mu.Lock()
	watched, state, began, assigned, partitions := m.member, m.current, m.began, m.assigned, m.partitions
	m.mu.Unlock()
	leading := state == member.StateLeading
	if watched != nil {
		state = watched.State()
		leading = watched.Leading() // which looks at the clock
	}
	if !leading {
		began = 0
	}
	tell(m.leader, number(leading))
	tell(m.term, float64(began))
	tell(m.generation, float64(assigned))
	for _, s := range []member.State{member.StateJoining, member.StateSyncing, member.StateFollowing, member.StateLeading, member.StateResigning, member.StateLeaderless, member.StateFenced, member.StateClosed} {
		tell(m.state, number(s == state), string(s))
	}
	if watched == nil {
		tell(m.owned, float64(partitions))
		return
	}
	health := watched.Health()
	tell(m.owned, float64(health.Owned))
	tell(m.leaseLeft, health.Lease.Seconds())
	for _, s := range []member.HealthState{member.HealthJoining, member.HealthIdle, member.HealthWorking, member.HealthStalled, member.HealthFenced, member.HealthClosed} {
		tell(m.health, number(s == health.State), string(s))
	}
	for _, p := range watched.Partitions() {
		n := strconv.Itoa(int(p.Partition))
		tell(m.lag, float64(p.Lag), p.Topic, n)
		tell(m.queued, float64(p.Queued), p.Topic, n)
		running := 0.0
		if !p.Since.IsZero() {
			running = time.Since(p.Since).Seconds()
		}
		tell(m.calls, running, p.Topic, n)
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
