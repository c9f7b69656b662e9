package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// zooKeeperPredictions hold predictions to what brokers with ZooKeeper then do.
type zooKeeperPredictions struct {
	in     *inspect.Inspector
	state  predict.Cluster // before anything happened
	groups []string
	// Topics of one, two and three replicas; of the lossy ones unclean election is allowed.
	safe, lossy []string
}

// predictWithZooKeeper creates partitions with replicas in all orders, led by their first.
func predictWithZooKeeper(t *testing.T, c *cluster.Cluster, client *kgo.Client) *zooKeeperPredictions {
	t.Helper()
	// With ZooKeeper all partitions of a topic have as many replicas.
	orders := [][][]int32{
		{{1}, {2}, {3}},
		{{1, 2}, {2, 1}, {1, 3}, {3, 1}, {2, 3}, {3, 2}},
		{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}},
	}
	admin := kadm.NewClient(client)
	p := &zooKeeperPredictions{in: inspect.New(client)}
	for _, placed := range orders {
		p.safe, p.lossy = append(p.safe, newPlacedTopic(t, c, placed)), append(p.lossy, newPlacedTopic(t, c, placed))
	}
	eventually(t, "the brokers know the topics", func() (bool, string) {
		altered, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "unclean.leader.election.enable", Value: new("true")}}, p.lossy...)
		return err == nil && len(altered) == len(p.lossy) && !slices.ContainsFunc(altered, func(a kadm.AlterConfigsResponse) bool { return a.Err != nil }), fmt.Sprint(err, altered)
	})
	for range 20 {
		group := unique(t, "group")
		p.groups = append(p.groups, group)
		eventually(t, "the group is there", func() (bool, string) {
			committed, err := admin.CommitOffsets(t.Context(), group, offsetOf(p.safe[0]))
			return err == nil && committed.Error() == nil, fmt.Sprint(err)
		})
	}
	eventually(t, "all replicas are in sync, and the configuration is known", func() (bool, string) {
		var err error
		if p.state, err = p.read(t); err != nil {
			return false, err.Error()
		}
		for _, row := range p.state.Partitions {
			if slices.Contains(slices.Concat(p.safe, p.lossy), row.Topic) && (row.Leader != row.Replicas[0] || len(row.ISR) != len(row.Replicas) || row.Unclean != slices.Contains(p.lossy, row.Topic)) {
				return false, fmt.Sprintf("%+v", row)
			}
		}
		return len(p.state.Groups) >= len(p.groups), fmt.Sprintf("%d groups", len(p.state.Groups))
	})
	return p
}

func offsetOf(topic string) kadm.Offsets {
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 0, -1)
	return offsets
}

// read takes the state of the elections, of which nothing but the controller and eligible
// replicas, which there are none of, is missing.
func (p *zooKeeperPredictions) read(t *testing.T) (predict.Cluster, error) {
	answer, err := p.in.ElectionState(t.Context())
	if err == nil && (len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeUnsupported || len(answer.Warnings) != 1 || answer.Warnings[0].Code != inspect.CodeUnsupported ||
		answer.Data.Voters != nil || answer.Data.Controller != nil || answer.Data.ELR) {
		err = fmt.Errorf("errors %v, warnings %v, voters %v", answer.Errors, answer.Warnings, answer.Data.Voters)
	}
	return answer.Data, err
}

// cameTrue waits until leader and ISR of every partition, and the coordinators, are as
// predicted for what happened, and returns the prediction.
func (p *zooKeeperPredictions) cameTrue(t *testing.T, from predict.Cluster, happened ...predict.Step) predict.Outcome {
	t.Helper()
	outcome, err := predict.Run(from, happened...)
	if err != nil {
		t.Fatal(err)
	}
	alternatives := map[predict.TopicPartition][]int32{}
	for _, change := range outcome.Partitions {
		alternatives[change.TopicPartition] = change.Alternatives
	}
	leaders := map[int32]int32{}
	decided := map[predict.Rule]int{}
	for _, change := range outcome.Partitions {
		decided[change.Reason]++
	}
	eventually(t, "the cluster is as predicted", func() (bool, string) {
		now, err := p.read(t)
		if err != nil {
			return false, err.Error() // a broker that is down may still be listed
		}
		seen := map[predict.TopicPartition]predict.Partition{}
		for _, row := range now.Partitions {
			seen[predict.TopicPartition{Topic: row.Topic, Partition: row.Partition}] = row
		}
		for _, want := range outcome.After.Partitions {
			tp := predict.TopicPartition{Topic: want.Topic, Partition: want.Partition}
			got, ok := seen[tp]
			if !ok || got.Leader != want.Leader || !sameReplicas(got.ISR, want.ISR) || len(alternatives[tp]) > 0 {
				return false, fmt.Sprintf("%v: %+v, predicted %+v or led by one of %v", tp, got, want, alternatives[tp])
			}
			if want.Topic == predict.OffsetsTopic {
				leaders[want.Partition] = want.Leader
			}
		}
		return true, ""
	})
	eventually(t, "the coordinators are as predicted", func() (bool, string) {
		rows, err := p.in.Coordinators(t.Context(), p.groups...)
		if err != nil || len(rows.Data) != len(p.groups) {
			return false, fmt.Sprint(err, rows.Errors)
		}
		for _, row := range rows.Data {
			if row.Coordinator == nil || *row.Coordinator != leaders[*row.Partition] {
				return false, fmt.Sprintf("%+v, predicted %d", row, leaders[*row.Partition])
			}
		}
		return true, ""
	})
	t.Logf("%d partitions and %d coordinators are as predicted; decided: %v", len(outcome.After.Partitions), len(p.groups), decided)
	return outcome
}

func sameReplicas(a, b []int32) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// electionsWithZooKeeper holds a preferred election, has replicas go and come so that
// partitions lose their leader, and holds an unclean one.
func (p *zooKeeperPredictions) electionsWithZooKeeper(t *testing.T, c *cluster.Cluster, killed int32) {
	g := buildGroupctl(t, c)
	actor := act.New(newClient(t, c))
	back := p.cameTrue(t, p.state, predict.Crash(killed), predict.Return(killed)).After

	preview, err := actor.Preview(t.Context(), act.Preferred())
	if err != nil || preview.Err() != nil || len(preview.Warnings) != 2 || preview.Warnings[0].Code != inspect.CodeUnsupported || len(preview.Data) < 12 {
		t.Fatalf("%v: %+v", err, preview)
	}
	var shown []act.Election
	if a := g.run(t, 0, &shown, "elect", "preferred"); len(shown) != len(preview.Data) || len(a.Warnings) != 2 {
		t.Errorf("groupctl shows %d elections, %d are due: %+v", len(shown), len(preview.Data), a)
	}
	held, err := actor.Elect(t.Context(), act.Preferred())
	if err != nil || held.Err() != nil || len(held.Data) != len(preview.Data) {
		t.Fatalf("%v: %+v", err, held)
	}
	for i, e := range held.Data {
		if was := preview.Data[i]; !e.Done || e.Result != predict.ElectionDone || e.To == nil || *e.To != killed || *was.Predicted != killed || was.TopicPartition != e.TopicPartition {
			t.Errorf("%+v, predicted %+v", e, was)
		}
	}
	whole := p.cameTrue(t, back, predict.ElectPreferred()).After

	// The first stops and misses what the second has when that dies.
	ids := slices.DeleteFunc(c.NodeIDs(), func(id int32) bool { return id == killed })
	first, second := ids[0], ids[1]
	if err := errors.Join(c.Stop(t.Context(), first), c.Kill(t.Context(), second), c.Restart(t.Context(), first)); err != nil {
		t.Fatal(err)
	}
	broken := p.cameTrue(t, whole, predict.Stop(first), predict.Crash(second), predict.Return(first))
	if !slices.ContainsFunc(broken.Partitions, func(c predict.Change) bool { return c.Reason == predict.RuleUnclean }) || len(broken.Offline) == 0 {
		t.Errorf("no unclean election, or nothing is offline: %+v", broken)
	}

	// Where it is not allowed, partitions of the two wait for the second.
	var offline, dead string
	for _, row := range broken.After.Partitions {
		switch {
		case !slices.Contains(p.safe, row.Topic):
		case slices.Equal(row.Replicas, []int32{second, first}):
			offline = fmt.Sprintf("%s:%d", row.Topic, row.Partition)
		case slices.Equal(row.Replicas, []int32{second}):
			dead = fmt.Sprintf("%s:%d", row.Topic, row.Partition)
		}
	}
	var rows []act.Election
	if a := g.run(t, 5, &rows, "elect", "unclean", offline, dead); len(rows) != 2 || *rows[0].Predicted != first || rows[0].Result != predict.ElectionDone || rows[0].Reason != predict.RuleUnclean ||
		rows[1].Predicted != nil || rows[1].Result != predict.ElectionNobodyEligible || len(a.Errors) != 1 {
		t.Errorf("%+v, %+v", rows, a)
	}
	if out, err := g.try(t, "elect", "unclean", offline, "--execute"); exitOf(err) != 2 || !strings.Contains(out, "--records-may-be-lost") {
		t.Errorf("without consent: %v %s", err, out)
	}
	// The controller judges as predicted, and what it refuses stays.
	rows = nil
	g.run(t, 5, &rows, "elect", "unclean", offline, dead, "--execute", "--records-may-be-lost")
	if len(rows) != 2 || !rows[0].Done || *rows[0].To != first || rows[0].Result != predict.ElectionDone || !rows[1].Done || rows[1].To != nil || rows[1].Result != predict.ElectionNobodyEligible {
		t.Errorf("%+v", rows)
	}
	rows = nil
	g.run(t, 5, &rows, "elect", "preferred", offline, "--execute")
	if len(rows) != 1 || !rows[0].Done || *rows[0].To != first || rows[0].Result != predict.ElectionPreferredUnavailable {
		t.Errorf("%+v", rows)
	}
	p.cameTrue(t, broken.After, predict.ElectUnclean(topicPartition(t, offline)))
}

func topicPartition(t *testing.T, text string) predict.TopicPartition {
	t.Helper()
	at := strings.LastIndex(text, ":")
	tp := predict.TopicPartition{Topic: text[:at]}
	if _, err := fmt.Sscan(text[at+1:], &tp.Partition); err != nil {
		t.Fatal(err)
	}
	return tp
}

func exitOf(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

// commandsWithZooKeeper runs groupctl's commands: what brokers with ZooKeeper do not tell
// is an error that says so, and all else is there.
func commandsWithZooKeeper(t *testing.T, c *cluster.Cluster) {
	g := buildGroupctl(t, c)
	topic, group := newTopic(t, c, 2), unique(t, "group")
	produceValues(t, c, topic, "value", 10)
	startReader(t, c, group, topic)
	settled(t, c, group, topic, 1, 2)

	eventually(t, "the group is listed with its lag", func() (bool, string) {
		var listed []inspect.Group
		a := g.run(t, 0, &listed, "group", "list", "--lag")
		return slices.ContainsFunc(listed, func(l inspect.Group) bool {
			return l.Group == group && l.Type != nil && *l.Type == "classic" && l.State != nil && *l.State == "Stable" && l.Lag != nil && l.Lag.Records == 0
		}), string(a.Data)
	})
	eventually(t, "the log has a generation", func() (bool, string) {
		var history inspect.OffsetsHistory
		a := g.run(t, 0, &history, "offsets", "dump", group)
		return len(a.Warnings) == 0 && slices.ContainsFunc(history.Entries, func(e inspect.LogEntry) bool { return e.Kind == inspect.LogGeneration }), string(a.Data)
	})
	for _, command := range [][]string{{"group", "describe", group}, {"group", "explain", group}, {"group", "coordinator", group}, {"cluster", "brokers"}} {
		if a := g.run(t, 0, nil, command...); len(a.Errors)+len(a.Warnings) > 0 {
			t.Errorf("%q: %v %v", command, a.Errors, a.Warnings)
		}
	}

	if a := g.run(t, 5, nil, "group", "coordinator", "--transactional-id", "writer"); len(a.Errors) != 1 || !strings.Contains(a.Errors[0].Message, "__transaction_state") {
		t.Errorf("%+v", a)
	}
	// While the topic is made some brokers know of it and some do not.
	eventually(t, "all brokers know the coordinator of a transactional id", func() (bool, string) {
		out, err := g.try(t, "group", "coordinator", "--transactional-id", "--create-internal-topic", "writer")
		if err != nil {
			return false, out
		}
		for _, id := range c.NodeIDs() {
			of := inspect.New(newClient(t, c, kgo.SeedBrokers(c.Address(id))))
			found, err := of.TransactionCoordinators(t.Context(), "writer")
			if err != nil || found.Err() != nil || len(found.Data) != 1 || found.Data[0].Agrees == nil || !*found.Data[0].Agrees {
				return false, fmt.Sprintf("%v: %+v", err, found)
			}
		}
		return true, ""
	})
	if a := g.run(t, 5, nil, "group", "coordinator", "--share", group+":"+topic+":0"); len(a.Errors) == 0 || a.Errors[0].Code != inspect.CodeUnsupported {
		t.Errorf("share groups before Kafka 4: %+v", a)
	}

	var impact struct {
		Partitions []predict.Change
		Offline    []predict.OfflinePartition
		Controller predict.Controller
	}
	a := g.run(t, 5, &impact, "impact", "--brokers-down", "1")
	q := impact.Controller.Quorum
	if len(a.Errors) != 1 || a.Errors[0].Code != inspect.CodeUnsupported || !strings.Contains(a.Errors[0].Message, "ZooKeeper") || len(a.Warnings) != 1 || a.Warnings[0].Code != inspect.CodeUnsupported ||
		impact.Controller.From != nil || impact.Controller.Candidates != nil || q.Voters != nil || q.Majority != nil || q.Kept != nil || len(impact.Partitions) == 0 {
		t.Errorf("%+v, %+v, %+v", a.Errors, a.Warnings, impact.Controller)
	}
	g.watchSaysThatNobodyTells(t)
}

// watchSaysThatNobodyTells runs watch elections until it has said that the controller is
// not seen.
func (g groupctl) watchSaysThatNobodyTells(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watching := exec.CommandContext(ctx, g.path, "-b", strings.Join(g.c.Seeds(), ","), "-o", "jsonl", "watch", "elections")
	out, err := watching.StdoutPipe()
	if err == nil {
		err = watching.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	var printed bytes.Buffer
	brokers, partitions, unseen := false, false, false
	for !brokers || !partitions || !unseen {
		var e watch.Event
		if err := lines.Decode(&e); err != nil {
			t.Fatalf("%v after %s", err, &printed)
		}
		fmt.Fprintf(&printed, "%s %+v\n", e.Kind, e.Sight)
		if e.Snapshot != nil {
			brokers, partitions = brokers || len(e.Snapshot.Brokers) == 3, partitions || len(e.Snapshot.Partitions) > 0
		}
		unseen = unseen || e.Sight != nil && e.Sight.Part == "controller" && e.Sight.Lost && e.Sight.Code == string(inspect.CodeUnsupported)
		if e.Controller != nil {
			t.Errorf("a controller nobody told of: %+v", e.Controller)
		}
	}
	if err := watching.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	for lines.Decode(new(json.RawMessage)) == nil {
	}
	if err := watching.Wait(); err != nil {
		t.Errorf("groupctl was interrupted, and ends with %v", err)
	}
}
