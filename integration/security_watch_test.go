package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// What a watch tells, in the order in which it comes about: what was there, what changes,
// and what stands still. A group is told under its own name.
const (
	toldController = "controller"
	toldPartitions = "partitions"
	toldElection   = "election"
	toldRebalance  = "rebalance"
	toldGeneration = "generation and leader, from the log"
	toldStall      = "stall"
)

var (
	toldOfGroups = append(slices.Clone(securedGroups), toldRebalance, toldGeneration, toldStall)
	toldAtFirst  = append(slices.Clone(securedGroups), toldController, toldPartitions)
	toldOfChange = []string{toldElection, toldRebalance, toldGeneration}
	toldInAll    = slices.Concat(toldAtFirst, toldOfChange, []string{toldStall})
)

// lost are what a watch does not tell for who lacks a right, and what it cannot look at,
// each with the ACL that it names.
var lost = map[string]struct {
	told  []string
	sight map[string]string
}{
	"clusterDescribe":      {[]string{toldController}, map[string]string{"controller": "DESCRIBE on the cluster"}},
	"topic":                {[]string{toldPartitions, toldElection, toldStall, "workers-848", "sharers", "streamers"}, topicHidden()},
	"topic" + ofGroupsOnly: {[]string{toldController, toldPartitions, toldElection, toldStall, "workers-848", "sharers", "streamers"}, topicHidden()},
	"offsetsTopic":         {[]string{toldGeneration}, map[string]string{"log": "READ on the topic __consumer_offsets"}},
	"offsetsRead":          {[]string{toldGeneration}, map[string]string{"log": "READ on the topic __consumer_offsets"}},
	"group":                {toldOfGroups, groupsHidden()},
	noRights: {
		append([]string{toldController, toldPartitions, toldElection}, toldOfGroups...),
		with(groupsHidden(), "controller", "DESCRIBE on the cluster", "topic orders", `DESCRIBE on the topic "orders"`),
	},
}

// ofGroupsOnly ends the name of a watch of a user that does not watch elections.
const ofGroupsOnly = ", of groups only"

// watchers are one for each user, and one that sees a topic by its groups alone.
func watchers() []string { return append(users(), "topic"+ofGroupsOnly) }

func topicHidden() map[string]string {
	return map[string]string{
		"topic orders":      `DESCRIBE on the topic "orders"`,
		"group workers-848": `DESCRIBE on all topics of the group "workers-848"`,
		"group sharers":     `DESCRIBE on all topics of the group "sharers"`,
		"group streamers":   `DESCRIBE on all topics of the group "streamers"`,
	}
}

func groupsHidden() map[string]string {
	hidden := map[string]string{}
	for _, group := range securedGroups {
		hidden["group "+group] = fmt.Sprintf("DESCRIBE on the group %q", group)
	}
	return hidden
}

func with(all map[string]string, pairs ...string) map[string]string {
	for pair := range slices.Chunk(pairs, 2) {
		all[pair[0]] = pair[1]
	}
	return all
}

// watches are one for each of the watchers, all at the same time.
type watches map[string]*securedWatch

// securedWatch is what the watch of one user told so far.
type securedWatch struct {
	mu    sync.Mutex
	told  map[string]bool
	sight map[string]string // what may not be looked at, by part
}

// startWatches waits until each told what was there.
func startWatches(t *testing.T, c *cluster.Cluster) watches {
	t.Helper()
	all := watches{}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	t.Cleanup(func() { cancel(); watching.Wait() })
	for _, user := range watchers() {
		name, groupsOnly := strings.CutSuffix(user, ofGroupsOnly)
		in := as(t, c, name)
		w := &securedWatch{told: map[string]bool{}, sight: map[string]string{}}
		all[user] = w
		watching.Go(func() {
			what := inspect.Watched{GroupNames: securedGroups, StallAfter: time.Second}
			if !groupsOnly {
				what.Elections, what.Topics = true, []string{"orders"}
			}
			for event, err := range in.Watch(ctx, what) {
				if err != nil {
					t.Error(err)
					return
				}
				w.take(event)
			}
		})
	}
	all.tell(t, toldAtFirst)
	return all
}

func (w *securedWatch) take(e watch.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.Snapshot != nil:
		if e.Snapshot.Controller != nil {
			w.told[toldController] = true
		}
		if len(e.Snapshot.Partitions) == 2 {
			w.told[toldPartitions] = true
		}
		for _, g := range e.Snapshot.Groups {
			w.told[g.Group] = true
		}
	case e.Leader != nil && e.Leader.Topic == "orders" && e.Leader.To != nil:
		w.told[toldElection] = true
	case e.Generation != nil && e.Generation.Group == "stuck":
		w.told[toldRebalance] = true
		if e.Generation.Source == watch.SourceLog && e.Generation.To != nil && e.Generation.ToLeader != nil {
			w.told[toldGeneration] = true
		}
	case e.Lag != nil && e.Lag.Group == "stuck" && e.Lag.Stalled:
		w.told[toldStall] = true
	case e.Sight != nil && e.Sight.Lost && e.Sight.Code == string(inspect.CodeNotAuthorized):
		w.sight[e.Sight.Part] = e.Sight.Message
	}
}

// tell waits until each watch told those of some that its user may see.
func (all watches) tell(t *testing.T, what []string) {
	t.Helper()
	for _, user := range watchers() {
		w := all[user]
		eventually(t, fmt.Sprintf("the watch of the user %s tells %q but %q", user, what, lost[user].told), func() (bool, string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			missing := slices.ContainsFunc(what, func(one string) bool { return !w.told[one] && !slices.Contains(lost[user].told, one) })
			return !missing, fmt.Sprint(w.told, w.sight)
		})
	}
}

// tellWhatChanges has a group rebalance, and waits for that and for the election of
// electionsTakeTheirRight. The member stays as long as t.
func (all watches) tellWhatChanges(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	startStuck(t, c)
	all.tell(t, toldOfChange)
}

// tellWhatStandsStill looks at the whole in the end.
func (all watches) tellWhatStandsStill(t *testing.T) {
	all.tell(t, toldInAll)
	for _, user := range watchers() {
		w := all[user]
		eventually(t, "the watch of the user "+user+" names what it takes", func() (bool, string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for part, acl := range lost[user].sight {
				if !strings.Contains(w.sight[part], acl) {
					return false, fmt.Sprintf("%s: %q, want %q", part, w.sight[part], acl)
				}
			}
			return true, ""
		})
		w.mu.Lock()
		for _, told := range lost[user].told {
			if w.told[told] {
				t.Errorf("the watch of the user %s tells the %s", user, told)
			}
		}
		for _, part := range slices.Sorted(maps.Keys(w.sight)) {
			t.Logf("user %s, %s: %s", user, part, w.sight[part])
			if lost[user].sight[part] == "" {
				t.Errorf("the watch of the user %s cannot look at %s: %s", user, part, w.sight[part])
			}
		}
		w.mu.Unlock()
	}
}

// electionsTakeTheirRight has an election refused, and then held.
func electionsTakeTheirRight(t *testing.T, c *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	first := predict.TopicPartition{Topic: "orders", Partition: 0}
	answer, err := act.New(as(t, c, "alter").client).Elect(ctx, act.Preferred(), first)
	if p, ok := err.(inspect.Problem); !ok || p.Code != inspect.CodeNotAuthorized || !strings.Contains(p.Message, "ALTER on the cluster") {
		t.Errorf("without ALTER: %v, %+v", err, answer)
	} else {
		t.Log(err)
	}
	if len(answer.Data) != 1 || answer.Data[0].Done || answer.Data[0].Result != act.ResultUnknown || answer.Data[0].Predicted == nil {
		t.Errorf("without ALTER: %+v", answer.Data)
	}
	answer, err = act.New(as(t, c, "full").client).Elect(ctx, act.Preferred(), first)
	if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 || len(answer.Data) != 1 || !answer.Data[0].Done || *answer.Data[0].From == *answer.Data[0].To {
		t.Errorf("with all rights: %v, %+v", err, answer)
	}
}
