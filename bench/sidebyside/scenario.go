package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/groupkit/groupkit/assign"
)

// A scenario is a group that every peer plans.
type scenario struct {
	Name       string
	Members    int
	Partitions int
	Topics     int
	Mixed      bool    // each member subscribes to 1 to 20 topics at random; otherwise to all
	Weights    weights // nil: all partitions weigh the same
	weighed    string  // the name of Weights
}

// weights returns the weight of one partition after the other.
type weights func(r *rand.Rand) func() float64

// zipf: a few partitions have nearly all, as with keys by popularity.
func zipf(r *rand.Rand) func() float64 {
	z := rand.NewZipf(r, 1.2, 1, 1_000_000)
	return func() float64 { return float64(z.Uint64() + 1) }
}

// lagLike: most partitions have next to no lag, some are far behind.
func lagLike(r *rand.Rand) func() float64 {
	return func() float64 {
		if r.IntN(10) < 7 {
			return float64(r.IntN(10))
		}
		return math.Round(math.Exp(6 + 2*r.NormFloat64()))
	}
}

// uniform: any weight between 1 and 1000 is as likely.
func uniform(r *rand.Rand) func() float64 {
	return func() float64 { return float64(r.IntN(1000) + 1) }
}

func (s scenario) String() string {
	text := fmt.Sprintf("%s × %s", thousands(s.Members), thousands(s.Partitions))
	switch {
	case s.Mixed:
		text += ", mixed subscriptions"
	case s.weighed != "":
		text += ", weights " + s.weighed
	}
	return text
}

// scenarios are ordered so that the ones of most interest are measured first.
func scenarios(quick bool) []scenario {
	list := []scenario{
		{Name: "small", Members: 100, Partitions: 10_000, Topics: 100},
		{Name: "large", Members: 1000, Partitions: 100_000, Topics: 200},
		{Name: "zipf", Members: 1000, Partitions: 100_000, Topics: 200, Weights: zipf, weighed: "Zipf"},
		{Name: "lag", Members: 1000, Partitions: 100_000, Topics: 200, Weights: lagLike, weighed: "lag-like"},
		{Name: "uniform", Members: 1000, Partitions: 100_000, Topics: 200, Weights: uniform, weighed: "uniform"},
		{Name: "mixed-members", Members: 2000, Partitions: 10_000, Topics: 200, Mixed: true},
		{Name: "mixed-partitions", Members: 500, Partitions: 100_000, Topics: 200, Mixed: true},
	}
	if quick {
		for i := range list {
			list[i].Members /= 10
			list[i].Partitions /= 10
			list[i].Topics /= 5
		}
	}
	return list
}

// group returns the scenario's group as it is before anyone owns anything; always the
// same. Partitions have three replicas in three racks, with leaders spread over them,
// as members are.
func (s scenario) group() assign.Group {
	r := rand.New(rand.NewPCG(uint64(s.Members), uint64(s.Partitions)))
	racks := [][]string{{"a", "b", "c"}, {"b", "c", "a"}, {"c", "a", "b"}}
	var g assign.Group
	var weight func() float64
	if s.Weights != nil {
		weight = s.Weights(r)
	}
	everything := make([]string, s.Topics)
	for t := range s.Topics {
		topic := assign.Topic{Name: fmt.Sprintf("topic-%03d", t), Partitions: int32(s.Partitions / s.Topics)}
		everything[t] = topic.Name
		for range topic.Partitions {
			topic.Racks = append(topic.Racks, racks[r.IntN(len(racks))])
			if weight != nil {
				topic.Weights = append(topic.Weights, weight())
			}
		}
		g.Topics = append(g.Topics, topic)
	}
	for m := range s.Members {
		g.Members = append(g.Members, s.member(memberID(m), m, everything, r))
	}
	return g
}

func memberID(n int) string { return fmt.Sprintf("member-%04d", n) }

// member returns the n-th member. Where subscriptions are mixed, one of its topics goes
// by its number, so that every topic has a subscriber.
func (s scenario) member(id string, n int, everything []string, r *rand.Rand) assign.Member {
	m := assign.Member{ID: id, Rack: string(rune('a' + n%3)), Topics: everything}
	if s.Mixed {
		chosen := map[int]bool{n % len(everything): true}
		for range r.IntN(min(20, len(everything))) {
			chosen[r.IntN(len(everything))] = true
		}
		m.Topics = nil
		for t, name := range everything {
			if chosen[t] {
				m.Topics = append(m.Topics, name)
			}
		}
	}
	return m
}

// owning returns g as it is once its members run the assignment.
func owning(g assign.Group, a assign.Assignment, generation int32) assign.Group {
	members := make([]assign.Member, len(g.Members))
	for i, m := range g.Members {
		m.Owned, m.Generation = a[m.ID], generation
		members[i] = m
	}
	return assign.Group{Members: members, Topics: g.Topics}
}

// without returns g after its n-th member left, which it returns too.
func without(g assign.Group, n int) (assign.Group, assign.Member) {
	members := make([]assign.Member, 0, len(g.Members))
	members = append(append(members, g.Members[:n]...), g.Members[n+1:]...)
	return assign.Group{Members: members, Topics: g.Topics}, g.Members[n]
}

// joined returns g after a member like m, with another id and owning nothing, joined.
func joined(g assign.Group, m assign.Member, id string) assign.Group {
	m.ID, m.Owned, m.Generation = id, nil, 0
	members := make([]assign.Member, 0, len(g.Members)+1)
	return assign.Group{Members: append(append(members, g.Members...), m), Topics: g.Topics}
}
