package member

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// A Round is what the leader knows when it decides.
type Round struct {
	Group      string // the group's id
	Generation int32  // the generation that the plan is for
	Leader     string // this member's id
	Protocol   string // the protocol that the coordinator chose

	// Cooperative says that partitions that move are withheld until their
	// owners gave them up.
	Cooperative bool

	// Problem holds the members and topics, with everything known of them. It
	// must not be changed.
	Problem assign.Group

	// Held are the ids of members in Problem that are gone, and whose place is
	// held; see Hold. What a plan gives to them is given to nobody.
	Held []string

	// Causes tell why the round happened, as far as that can be told.
	Causes []Cause

	// Isolated are the ids of members whose metadata cannot be read; they are
	// not in Problem and cannot be given anything.
	Isolated []string

	// Proposed is the assignor's target, and Stats what it costs. OnPlan may
	// change Proposed in place and return it.
	Proposed assign.Plan
	Stats    assign.Stats

	// Previous is the last plan of this term that the group adopted, and
	// PreviousMembers who it was for; nil in the first round.
	Previous        assign.Assignment
	PreviousMembers []assign.Member
}

// isolated is a member whose metadata cannot be read.
type isolated struct {
	id, instance string
	err          error
}

// round is one round that this member leads, from its election to the answer to
// SyncGroup. It implements kgo.GroupMemberBalancerOrError and
// kgo.GroupMemberBalancerInfo.
type round struct {
	hooks    *Hooks
	protocol Protocol
	group    assign.Group
	isolated []isolated
	held     map[string]held // by member id; they are in group too
	forced   []string        // why this member brought the round about
	anew     bool            // the plan before is not just completed
	// unrevoked: the protocol is eager, and members may hold what they own all the same;
	// see changing.go.
	unrevoked bool
	review    *assign.Review // of plans for group; nil until one is asked for, and after the round
	before    *round         // the last adopted round of this leader, until this one is planned
	causes    []Cause
	info      kgo.BalanceInfo
	size      recordSize

	// Written in BalanceOrError, read in synced; both run on the goroutine
	// that manages the group.
	planned             bool
	target              assign.Plan // where partitions should end up
	forThisRound        bool        // the target keeps what is owned, for want of a plan
	sent                assign.Plan
	sentBytes           intoSync  // the same, by member id
	sentUserData        int       // bytes of user data at the end of each
	sentAt              time.Time // before SyncGroup is sent
	withheldForIsolated bool
}

// SetBalanceInfo implements kgo.GroupMemberBalancerInfo.
func (r *round) SetBalanceInfo(info kgo.BalanceInfo) {
	r.info = info
	r.emit(Event{Kind: EventElected})
	for _, m := range r.isolated {
		r.emit(Event{Kind: EventIsolated, Subject: m.id, Err: m.err})
	}
}

// Balance implements kgo.GroupMemberBalancer; kgo calls BalanceOrError instead.
func (r *round) Balance(partitions map[string]int32) kgo.IntoSyncAssignment {
	into, _ := r.BalanceOrError(partitions)
	return into
}

// BalanceOrError implements kgo.GroupMemberBalancerOrError. It returns no error: an
// error would cost this member all its partitions and leave the group without a plan.
func (r *round) BalanceOrError(partitions map[string]int32) (kgo.IntoSyncAssignment, error) {
	began := time.Now()
	r.describeTopics(partitions)
	r.causes = r.findCauses(r.before)
	r.unrevoked = r.unrevoked || r.missed(r.before)
	if r.completes(r.before) {
		r.target = r.before.target
		r.group.Topics = r.before.group.Topics // with the weights that it was made for
		r.sent = r.target                      // nobody owns what it has for another
		r.sent.Assignment = maps.Clone(r.target.Assignment)
	} else {
		r.target = r.decide()
		r.sent = r.target
		if r.protocol.cooperative() || r.unrevoked {
			r.sent = r.reviewOfPresent().WithholdValid(r.target)
		}
	}
	r.before = nil // or all rounds would be kept
	if r.protocol.cooperative() || r.unrevoked {
		r.withholdForIsolated()
	}
	event := Event{Kind: EventPlanned, Reason: causesInWords(r.causes), Causes: slices.Clone(r.causes)}
	if r.hooks.listened(slog.LevelInfo) {
		stats, ok := r.reviewed().MeasureValid() // the target, which is placed as what is sent
		if !ok {
			stats = r.reviewed().Measure(r.sent)
		}
		event.Stats = &stats
	}
	r.review = nil // or it would be kept as long as the round
	r.withholdHeld()
	r.planned = true
	if event.Stats != nil {
		event.Stats.Withheld = len(r.sent.Withheld)
	}
	if r.hooks.cfg.OnEvent != nil {
		plan := r.sent.Clone() // what the user does with the event is the user's
		event.Plan = &plan
	}
	event.Took = time.Since(began)
	r.emit(event)

	members := make([]string, 0, len(r.group.Members)+len(r.isolated))
	for i := range r.group.Members {
		if id := r.group.Members[i].ID; !r.isHeld(id) {
			members = append(members, id)
		}
	}
	for _, m := range r.isolated {
		members = append(members, m.id)
	}
	r.sentAt = time.Now()
	var userData []byte
	if r.hooks.announces() {
		userData = announcement{Leader: r.info.LeaderID, Reason: causesInWords(r.causes)}.encode()
	}
	r.sentBytes, r.sentUserData = encodeAssignment(members, r.sent.Assignment, userData), len(userData)
	r.size.gets(r.sentBytes)
	return r.sentBytes, nil
}

// gave returns what a member got by r, and the bytes of it: a list of topics with their
// partitions has the same in an assignment and among what a subscription says is owned.
// r may be nil.
func (r *round) gave(id string) ([]byte, []assign.TopicPartitions) {
	if r == nil {
		return nil, nil
	}
	at, sent := slices.BinarySearchFunc(r.sentBytes, id, func(a kmsg.SyncGroupRequestGroupAssignment, id string) int {
		return cmp.Compare(a.MemberID, id)
	})
	if !sent {
		return nil, nil
	}
	all := r.sentBytes[at].MemberAssignment
	return all[2 : len(all)-4-r.sentUserData], r.sent.Assignment[id] // less version and user data
}

// adopted tells whether the group follows the plan of this round, given what this
// member was assigned by it.
func (r *round) adopted(own []assign.TopicPartitions) bool {
	if !r.planned {
		return false
	}
	const me = "this member"
	return assign.Assignment{me: own}.Equal(assign.Assignment{me: r.sent.Assignment[r.info.LeaderID]})
}

// couldRead tells whether a member took part in r and could be read then. A static
// member goes by its instance, for its id changes while it keeps its partitions.
func (r *round) couldRead(m isolated) bool {
	return slices.ContainsFunc(r.group.Members, func(was assign.Member) bool {
		return lasting(was.ID, was.Instance) == lasting(m.id, m.instance)
	})
}

// lasting returns what names a member for as long as it can keep partitions.
func lasting(id, instance string) string {
	if instance != "" {
		return "instance " + instance
	}
	return "member " + id
}

// intoSync implements kgo.IntoSyncAssignment.
type intoSync []kmsg.SyncGroupRequestGroupAssignment

// IntoSyncAssignment implements kgo.IntoSyncAssignment.
func (s intoSync) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment { return s }

func (r *round) emit(e Event) {
	e.Member, e.Generation, e.Protocol = r.info.LeaderID, r.info.Generation, r.protocol.name()
	r.hooks.emit(e)
}

// describeTopics fills in the topics, and the racks of their replicas when a member
// told a rack. Topics and brokers come from the client's metadata, which may be as old
// as its MetadataMaxAge.
func (r *round) describeTopics(partitions map[string]int32) {
	var names []string
	racks := false
	known := make(map[string]bool)
	var last []string
	for i := range r.group.Members {
		m := &r.group.Members[i]
		racks = racks || m.Rack != ""
		if sameList(last, m.Topics) {
			continue // most often all subscribe to the same
		}
		last = m.Topics
		for _, name := range m.Topics {
			if !known[name] {
				known[name] = true
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		r.group.Topics = append(r.group.Topics, assign.Topic{Name: name, Partitions: partitions[name], Class: r.hooks.cfg.Classes[name]})
	}
	if !racks || r.info.Topics == nil || r.info.Brokers == nil {
		return
	}
	brokers, described := r.info.Brokers(), r.info.Topics()
	for i := range r.group.Topics {
		t := &r.group.Topics[i]
		t.Racks = make([][]string, t.Partitions)
		for _, p := range described[t.Name].Partitions {
			if p.Partition < 0 || p.Partition >= t.Partitions {
				continue
			}
			replicas := slices.Clone(p.Replicas)
			if at := slices.Index(replicas, p.Leader); at > 0 {
				replicas = slices.Insert(slices.Delete(replicas, at, at+1), 0, p.Leader)
			}
			for _, id := range replicas {
				rack := ""
				if b, ok := brokers[id]; ok && b.Rack != nil {
					rack = *b.Rack
				}
				t.Racks[p.Partition] = append(t.Racks[p.Partition], rack)
			}
		}
	}
}

// decide returns where partitions should end up: the assignor's plan, as OnPlan wants
// it, or what is owned where either fails.
func (r *round) decide() assign.Plan {
	h := r.hooks
	deadline := time.Now().Add(h.planTimeout())
	left := func() time.Duration { return time.Until(deadline) }

	if h.cfg.Weights != nil {
		topics := r.group.Clone().Topics // what lingers may go on reading them
		// Without weights there can be a plan, without time there is none.
		weights, err := guarded(&h.weightsGuard, left()/2, func(ctx context.Context) (map[string][]float64, error) {
			return h.cfg.Weights(ctx, topics)
		})
		var group assign.Group
		if err == nil {
			group, err = weigh(r.group, weights)
		}
		if err == nil {
			r.group = group
		} else {
			r.forThisRound = true
			r.fallback(fmt.Errorf("the round goes on without weights: %w", err))
		}
	}

	proposed := r.propose(left())
	if h.cfg.OnPlan == nil {
		return proposed
	}

	public := r.public(proposed)
	decided, err := guarded(&h.onPlanGuard, left(), func(ctx context.Context) (assign.Plan, error) {
		return h.cfg.OnPlan(ctx, public)
	})
	r.review = nil // what follows does not rely on OnPlan having left the group alone
	if err == nil {
		err = r.validate(decided)
	}
	switch {
	case errors.Is(err, ErrVeto):
		r.emit(Event{Kind: EventVetoed, Err: err})
	case err != nil:
		r.fallback(fmt.Errorf("members keep what they own, because OnPlan failed: %w", err))
	default:
		decided = decided.Clone() // what the user keeps of it is the user's
		decided.Assignment.Sort()
		return decided
	}
	r.forThisRound = true
	return r.keep()
}

// propose returns the plan of the assignor, or what is owned where that fails or places
// are held.
func (r *round) propose(limit time.Duration) assign.Plan {
	if len(r.held) > 0 {
		r.forThisRound = true
		return r.holding()
	}
	review, group := r.reviewed(), r.group
	plan, err := guarded(&r.hooks.assignGuard, limit, func(context.Context) (plan assign.Plan, err error) {
		if a, heeds := r.protocol.Assignor.(refusing); heeds {
			plan, err = a.plan(review, group)
		} else {
			plan, err = review.Assign(r.protocol.Assignor)
		}
		if r.hooks.cfg.OnPlan != nil {
			plan = plan.Clone() // OnPlan may change it, and it may hold lists of the group
		}
		return plan, err
	})
	if err == nil {
		err = withholdsNothing(plan)
	}
	if err == nil {
		return plan
	}
	r.review = nil // a call that lingers has it
	r.forThisRound = true
	r.fallback(fmt.Errorf("members keep what they own, because assignor %q failed: %w", r.protocol.Assignor.Name(), err))
	return r.keep()
}

// keep is the plan that changes least.
func (r *round) keep() assign.Plan {
	if len(r.held) > 0 {
		return r.holding()
	}
	return assign.Keep(r.group)
}

func (r *round) fallback(err error) { r.emit(Event{Kind: EventFallback, Err: err}) }

func (r *round) public(proposed assign.Plan) Round {
	ids := make([]string, len(r.isolated))
	for i, m := range r.isolated {
		ids[i] = m.id
	}
	stats, ok := r.reviewed().MeasureValid()
	if !ok {
		stats = r.reviewed().Measure(proposed)
	}
	var previous assign.Assignment
	var members []assign.Member
	if before := r.before; before != nil {
		previous, members = before.sent.Assignment.Clone(), before.present().Clone().Members
	}
	return Round{
		Group: r.info.Group, Generation: r.info.Generation, Leader: r.info.LeaderID,
		Protocol: r.protocol.name(), Cooperative: r.protocol.cooperative(),
		Problem: r.group, Isolated: ids,
		Held: slices.Sorted(maps.Keys(r.held)), Causes: slices.Clone(r.causes),
		Proposed: proposed, Stats: stats,
		Previous: previous, PreviousMembers: members,
	}
}

// withholdForIsolated keeps back, for this round, the partitions that nobody is known
// to own while an isolated member may own them. One that an adopted plan of this leader
// gave nothing owns nothing; nor does one that joined since, for it can only have got
// something from this leader.
func (r *round) withholdForIsolated() {
	h := r.hooks
	h.mu.Lock()
	before := h.adopted
	h.mu.Unlock()
	suspect := ""
	for _, m := range r.isolated {
		if before == nil || before.couldRead(m) {
			suspect = m.id
		}
	}
	if suspect == "" {
		return
	}
	claimed := r.group.Ownership().Owners()
	for _, id := range r.sent.Assignment.Members() {
		list := r.sent.Assignment[id]
		kept := make([]assign.TopicPartitions, 0, len(list))
		for _, tp := range list {
			sure := make([]int32, 0, len(tp.Partitions))
			for _, p := range tp.Partitions {
				if _, owned := claimed[tp.Topic][p]; owned {
					sure = append(sure, p)
					continue
				}
				r.withheldForIsolated = true
				r.sent.Withheld = append(r.sent.Withheld, assign.Withheld{
					Topic: tp.Topic, Partition: p, Member: id,
					Reason: fmt.Sprintf("%s cannot be read and may still hold it; the next round gives it out", suspect),
				})
			}
			if len(sure) > 0 {
				kept = append(kept, assign.TopicPartitions{Topic: tp.Topic, Partitions: sure})
			}
		}
		r.sent.Assignment[id] = kept
	}
}

func (h *Hooks) planTimeout() time.Duration {
	if h.cfg.PlanTimeout > 0 {
		return h.cfg.PlanTimeout
	}
	return h.sessionTimeout() / 3
}

func (h *Hooks) sessionTimeout() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.settings.session
}
