package assign_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// promises is what an assignor promises of its plans beyond being valid.
type promises struct {
	assign.Assignor
	deterministic bool // the same group in any order gives the same bytes
	idempotent    bool // planning from its own result moves nothing
	rounds        int  // in which a cooperative group settles that plans anew in each
}

func everyAssignor() []promises {
	keep := assign.New("keep", func(g assign.Group) (assign.Plan, error) { return assign.Keep(g), nil })
	return []promises{
		{assign.Range(), true, true, 2},
		{assign.RoundRobin(), true, true, 2},
		{assign.Sticky(), true, true, 2},
		{assign.CooperativeSticky(), true, true, 2},
		{assign.Balanced{}, true, true, 6},
		{assign.Balanced{Tolerance: assign.Exact}, true, true, 10},
		{assign.Balanced{Tolerance: 0.5}, true, true, 6},
		{assign.Rendezvous{}, true, true, 2},
		{assign.Rendezvous{Bound: 1}, true, true, 2},
		{assign.Failover{}, true, true, 2},
		{assign.Failover{StayPut: true}, true, true, 2},
		{keep, true, true, 2},
		{assign.LimitMoves(assign.Range(), 2), true, false, 2},
		{assign.Balanced{IgnoreTopics: true, IgnoreRacks: true}, true, true, 6},
		{assign.Balanced{FollowerFetching: true, CoPartition: [][]string{{"t00", "t01"}, {"t02", "t03"}}}, true, true, 10},
		{assign.Balanced{Pins: []assign.Pin{
			{Topic: "t00", Partitions: []int32{0, 3, 7, 70}, Label: "tier=gold"}, {Topic: "t01", Instance: "i14"}, {Topic: "t00", Label: "tier=silver"},
		}}, true, true, 10},
		{assign.Balanced{MaxMoves: 2, CoPartition: [][]string{{"t00", "t04"}}}, true, false, 10},
	}
}

func TestAssignorsKeepTheirPromises(t *testing.T) {
	r := newRand(t)
	assignors := everyAssignor()
	for range cases(6000) {
		g := randomGroup(r)
		if err := g.Check(); err != nil {
			t.Fatalf("the random group is none: %v", err)
		}
		for _, a := range assignors {
			if err := checkPromises(r, a, g); err != nil {
				t.Fatalf("%s %+v: %v\n%s", a.Name(), a.Assignor, err, inJSON(g))
			}
			if !chance(r, 3) {
				continue // rounds take long to play
			}
			if err := checkSettling(a, g, false, 2); err != nil {
				t.Fatalf("%s %+v, one target: %v\n%s", a.Name(), a.Assignor, err, inJSON(g))
			}
			if !a.idempotent {
				continue // each round goes a part of the way
			}
			if err := checkSettling(a, g, true, a.rounds); err != nil {
				t.Fatalf("%s %+v, a target each round: %v\n%s", a.Name(), a.Assignor, err, inJSON(g))
			}
		}
	}
}

func checkPromises(r *rand.Rand, a promises, g assign.Group) error {
	before := g.Clone()
	plan, err := a.Assign(g)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(g, before) {
		return fmt.Errorf("the group was modified, it was\n%s", inJSON(before))
	}
	if err := assign.Validate(g, plan); err != nil {
		return err
	}
	if len(plan.Withheld) > 0 {
		return fmt.Errorf("withheld: %v", plan.Withheld)
	}
	if err := checkForm(g, plan.Assignment); err != nil {
		return err
	}
	if a.deterministic {
		again, err := a.Assign(shuffled(r, g))
		if err != nil {
			return err
		}
		if one, other := inJSON(plan), inJSON(again); one != other {
			return fmt.Errorf("two plans for the same group:\n%s\n%s", one, other)
		}
	}
	if a.idempotent {
		settled := owning(g, plan)
		again, err := a.Assign(settled)
		if err != nil {
			return err
		}
		if moves := assign.Diff(plan.Assignment, again.Assignment); len(moves) > 0 {
			return fmt.Errorf("planning from its own result %s moves %+v", inJSON(plan), moves)
		}
	}
	return nil
}

// checkForm tells whether a has the order that Assignment promises.
func checkForm(g assign.Group, a assign.Assignment) error {
	if len(a) != len(g.Members) {
		return fmt.Errorf("%d entries for %d members", len(a), len(g.Members))
	}
	for _, m := range g.Members {
		if a[m.ID] == nil {
			return fmt.Errorf("no entry for %s", m.ID)
		}
	}
	sorted := a.Clone()
	sorted.Sort()
	if one, other := inJSON(a), inJSON(sorted); one != other {
		return fmt.Errorf("out of order: %s", one)
	}
	return nil
}

func inJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// checkSettling plays the rounds of a cooperative group: members get what Withhold
// leaves of the target, give up what they are not given, and join again as long as
// something was withheld. With again the target is computed anew in each round, else
// that of the first round stands. It fails after the given number of rounds.
func checkSettling(a assign.Assignor, g assign.Group, again bool, rounds int) error {
	target, err := a.Assign(g)
	for range rounds {
		if err != nil {
			return err
		}
		sent := assign.Withhold(g, target)
		if err := assign.Validate(g, sent); err != nil {
			return err
		}
		if err := checkHandover(g, sent); err != nil {
			return err
		}
		if len(sent.Withheld) == 0 {
			if !sent.Assignment.Equal(target.Assignment) {
				return fmt.Errorf("settled on\n%s instead of\n%s", inJSON(sent), inJSON(target))
			}
			return nil
		}
		if g = owning(g, sent); again {
			target, err = a.Assign(g)
		}
	}
	return fmt.Errorf("partitions are withheld after %d rounds", rounds)
}

// checkHandover tells whether a member gets a partition while another one holds it.
func checkHandover(g assign.Group, sent assign.Plan) error {
	holders := make(map[string]map[string]bool) // partition → members
	for _, m := range g.Members {
		for _, tp := range m.Owned {
			for _, p := range tp.Partitions {
				name := fmt.Sprintf("%s[%d]", tp.Topic, p)
				if holders[name] == nil {
					holders[name] = make(map[string]bool)
				}
				holders[name][m.ID] = true
			}
		}
	}
	given := make(map[string]string)
	for id, list := range sent.Assignment {
		for _, tp := range list {
			for _, p := range tp.Partitions {
				name := fmt.Sprintf("%s[%d]", tp.Topic, p)
				if other, twice := given[name]; twice {
					return fmt.Errorf("%s goes to %s and %s", name, other, id)
				}
				given[name] = id
				if len(holders[name]) > 0 && !holders[name][id] {
					return fmt.Errorf("%s goes to %s while %v have it", name, id, holders[name])
				}
			}
		}
	}
	return nil
}
