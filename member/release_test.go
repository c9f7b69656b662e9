package member

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// keeps is an assignor whose plan holds the lists of the group, as it may.
type keeps struct{}

func (keeps) Name() string { return "keeps" }

func (keeps) Assign(g assign.Group) (assign.Plan, error) {
	plan := assign.Plan{Assignment: assign.Assignment{}}
	for _, m := range g.Members {
		plan.Assignment[m.ID] = m.Owned
	}
	return plan, nil
}

// A partition that a member has to let go is withheld until it has, whatever lists the
// plan was made of.
func TestARefusedPartitionIsWithheldThoughThePlanHoldsTheGroupsLists(t *testing.T) {
	owns := func(partitions ...int32) []assign.TopicPartitions {
		return []assign.TopicPartitions{{Topic: "t", Partitions: partitions}}
	}
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"t"}, Owned: owns(0, 1), Refused: owns(0)},
			{ID: "b", Topics: []string{"t"}, Owned: owns(2, 3)},
		},
		Topics: []assign.Topic{{Name: "t", Partitions: 4}},
	}
	plan, err := refusing{keeps{}}.Assign(g)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g.Members[0].Owned, owns(0, 1)) || !reflect.DeepEqual(g.Members[1].Owned, owns(2, 3)) {
		t.Errorf("the group was changed: %v", g.Members)
	}
	if sent := assign.Withhold(g, plan); len(sent.Withheld) == 0 || sent.Withheld[0].Partition != 0 {
		t.Errorf("of %v these are withheld: %v", plan.Assignment, sent.Withheld)
	}
}

// A released partition goes to another member within the constraints of the assignor, and
// the plan tells where it cannot. An OnPlan that plans anew finds the same in the problem.
func TestAReleasedPartitionMovesWithinTheConstraints(t *testing.T) {
	topics := func(names ...string) (list []assign.TopicPartitions) {
		for _, name := range names {
			list = append(list, assign.TopicPartitions{Topic: name, Partitions: []int32{0, 1}})
		}
		return list
	}
	group := func(names ...string) assign.Group {
		var g assign.Group
		for _, id := range []string{"a", "b", "c"} {
			g.Members = append(g.Members, assign.Member{ID: id, Instance: id, Topics: names, Generation: 1})
		}
		for _, name := range names {
			g.Topics = append(g.Topics, assign.Topic{Name: name, Partitions: 4})
		}
		g.Members[0].Owned = topics(names...)
		Traits{Labels: map[string]string{refusedLabel: `{"t":[0]}`}}.Apply(&g.Members[0])
		return g
	}
	custom := func(g assign.Group) (assign.Plan, error) {
		plan := assign.NewPlan(g)
		for _, topic := range g.Topics {
			for n := range topic.Partitions {
				plan.Give(g.Members[n%2].ID, topic.Name, n)
			}
		}
		return plan, nil
	}
	for name, c := range map[string]struct {
		assignor assign.Assignor
		topics   []string
		change   func(members []assign.Member)
		to       map[string]string // topic → who gets partition 0
		most     map[string]int    // member → the most that it may get
		unmet    string
	}{
		"nothing else":      {assignor: assign.Balanced{}, to: map[string]string{"t": "b"}},
		"it knows of none":  {assignor: assign.New("custom", custom), to: map[string]string{"t": "c"}},
		"a ceiling":         {assignor: assign.Balanced{}, change: func(m []assign.Member) { m[1].MaxPartitions = 1 }, most: map[string]int{"b": 1}},
		"a ceiling, custom": {assignor: assign.New("custom", custom), change: func(m []assign.Member) { m[2].MaxPartitions, m[1].MaxPartitions = 1, 2 }, to: map[string]string{"t": "c"}, most: map[string]int{"c": 1}},
		"nobody has room, custom": {
			assignor: assign.New("custom", custom), change: func(m []assign.Member) { m[1].MaxPartitions, m[2].Topics = 2, nil },
			to: map[string]string{"t": "a"}, unmet: "[{t 0 refused no other member that subscribes has room for it and does not refuse it}]",
		},
		"co-partitioned topics": {
			assignor: assign.Balanced{CoPartition: [][]string{{"t", "u"}}}, topics: []string{"t", "u"},
			to: map[string]string{"t": "b", "u": "b"},
		},
		"a pin to others":   {assignor: assign.Balanced{Pins: []assign.Pin{{Topic: "t", Partitions: []int32{0}, Instance: "c"}}}, to: map[string]string{"t": "c"}},
		"a pin to it alone": {assignor: assign.Balanced{Pins: []assign.Pin{{Topic: "t", Partitions: []int32{0}, Instance: "a"}}}, to: map[string]string{"t": "a"}, unmet: "[{t 0 refused no member that may have it does not refuse it}]"},
		"all refuse it": {
			assignor: assign.Balanced{}, change: func(m []assign.Member) { m[1].Refused, m[2].Refused = m[0].Refused, m[0].Refused },
			unmet: "[{t 0 refused no member that may have it does not refuse it}]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.topics == nil {
				c.topics = []string{"t"}
			}
			g := group(c.topics...)
			if c.change != nil {
				c.change(g.Members)
			}
			for _, assignor := range []assign.Assignor{refusing{c.assignor}, c.assignor} {
				plan, err := assignor.Assign(g)
				if err == nil {
					err = assign.Validate(g, plan)
				}
				if err != nil {
					t.Fatal(err)
				}
				for topic, want := range c.to {
					if got, _ := plan.Owner(topic, 0); got != want {
						t.Errorf("%s[0] goes to %s, want %s: %v", topic, got, want, plan.Assignment)
					}
				}
				for id, most := range c.most {
					if n := plan.Assignment.Count(id); n > most {
						t.Errorf("%s gets %d partitions, want at most %d: %v", id, n, most, plan.Assignment)
					}
				}
				if got := fmt.Sprint(plan.Unmet); got != c.unmet && got != "[]"+c.unmet {
					t.Errorf("unmet is %s, want %s", got, c.unmet)
				}
				if _, own := c.assignor.(assign.Balanced); !own {
					break // another assignor by itself knows of no request
				}
			}
		})
	}
}

// Traits are told also where the partitions that the member refuses do not fit beside them.
func TestTraitsAreToldWhereWhatIsRefusedDoesNotFit(t *testing.T) {
	hooks, err := NewHooks(HooksConfig{Protocols: []Protocol{{Assignor: assign.Balanced{}}}})
	if err != nil {
		t.Fatal(err)
	}
	m := &Member{hooks: hooks, refused: make(map[topicPartition]bool), cfg: Config{}.withDefaults()}
	for n := range int32(200) {
		m.refused[topicPartition{strings.Repeat("x", 40) + fmt.Sprint(n), n}] = true
	}
	told := func() Traits { return ParseTraits(hooks.encodedTraits()) }
	if err := m.SetTraits(Traits{Draining: true, Labels: map[string]string{"big": strings.Repeat("y", 15_800)}}); err != nil {
		t.Errorf("SetTraits: %v", err)
	}
	if got := told(); !got.Draining || len(got.Labels) != 1 {
		t.Errorf("told: draining %v, %d labels", got.Draining, len(got.Labels))
	}
	if err := m.SetTraits(Traits{Capacity: 2}); err != nil {
		t.Errorf("SetTraits: %v", err)
	}
	var asMember assign.Member
	if told().Apply(&asMember); asMember.Capacity != 2 || len(asMember.Refused) != 200 {
		t.Errorf("told: capacity %v, %d topics refused", asMember.Capacity, len(asMember.Refused))
	}
	if err := m.SetTraits(Traits{Labels: map[string]string{"big": strings.Repeat("y", 17_000)}}); err == nil {
		t.Error("traits that are too large were accepted")
	}
	if got := told(); got.Capacity != 2 {
		t.Errorf("they took the place of those before: capacity %v", got.Capacity)
	}
}
