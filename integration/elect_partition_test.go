package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/integration/cluster"
)

// electPreferred holds the preferred election of all partitions: the preview, what was
// seen afterwards and the controller's answers are the same, row by row.
func (l *electionLab) electPreferred() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	actor := act.New(l.client)
	preview, err := actor.Preview(ctx, act.Preferred())
	if err != nil {
		l.t.Fatal(err)
	}
	answer, err := actor.Elect(ctx, act.Preferred())
	if err != nil || len(answer.Warnings) > 0 {
		l.t.Fatal(err, answer.Warnings)
	}
	l.elected(preview.Data, answer.Data)
	if (preview.Err() == nil) != (answer.Err() == nil) {
		l.t.Errorf("previewed %v, answered %v", preview.Err(), answer.Err())
	}
}

// electUnclean holds the unclean election with groupctl: nothing happens without
// --execute, nor without the word that it takes.
func (l *electionLab) electUnclean() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	if _, err := act.New(l.client).Elect(ctx, act.Unclean("")); !errors.Is(err, act.ErrConsent) {
		l.t.Errorf("without consent: %v", err)
	}
	l.ctl.run(l.t, 2, nil, "elect", "unclean", "--execute")
	code := 0
	preview, err := act.New(l.client).Preview(ctx, act.Unclean(""))
	if err != nil {
		l.t.Fatal(err)
	}
	if preview.Err() != nil {
		code = 5 // some have no replica that is up
	}
	var before, after []act.Election
	l.ctl.run(l.t, code, &before, "elect", "unclean")
	l.ctl.run(l.t, code, &after, "elect", "unclean", "--execute", "--records-may-be-lost")
	if len(before) == 0 {
		l.t.Error("no partition needed the election")
	}
	l.elected(before, after)
}

func (l *electionLab) elected(before, after []act.Election) {
	l.t.Helper()
	if len(before) != len(after) {
		l.t.Fatalf("%d partitions were shown, and %d elected", len(before), len(after))
	}
	for i, row := range after {
		shown := before[i]
		if !row.Done || row.TopicPartition != shown.TopicPartition || row.Result != shown.Result || show(row.Predicted) != show(shown.Predicted) || show(row.To) != show(shown.Predicted) {
			l.t.Errorf("%+v was shown, and done %+v", shown, row)
		}
	}
}

// partitionsAreGivenBack puts another replica first, which moves no leader, and then holds
// the election for one partition, and for all of the topic. What one broker tells, another
// may not know yet.
func partitionsAreGivenBack(t *testing.T, c *cluster.Cluster) {
	topic := newPlacedTopic(t, c, [][]int32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}})
	client := newClient(t, c)
	in := inspect.New(client)
	var moves kadm.AlterPartitionAssignmentsReq
	for partition, replicas := range [][]int32{{2, 1, 3}, {3, 2, 1}, {3, 2, 1}} {
		moves.Assign(topic, int32(partition), replicas)
	}
	if _, err := kadm.NewClient(client).AlterPartitionAssignments(t.Context(), moves); err != nil {
		t.Fatal(err)
	}
	leadersOfAll(t, c, topic, func(rows []inspect.Partition) bool {
		return len(rows) == 3 && rows[0].NotPreferred() && rows[1].NotPreferred() && !rows[2].NotPreferred() &&
			!slices.ContainsFunc(rows, func(p inspect.Partition) bool { return len(p.ISR) < 3 })
	})

	ctl := buildGroupctl(t, c)
	var rows []act.Election
	shown := func(partitions int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d partitions need the election", partitions), func() (bool, string) {
			_, err := ctl.ask(t, 0, &rows, "elect", "preferred", topic)
			return err == nil && len(rows) == partitions, fmt.Sprintf("%v, %+v", err, rows)
		})
	}
	shown(2)
	if rows[0].Done || *rows[0].From != 1 || *rows[0].Predicted != 2 || rows[0].Reason != predict.RulePreferred {
		t.Fatalf("%+v", rows)
	}
	ctl.run(t, 0, &rows, "elect", "preferred", topic+":2,1", "--execute")
	if len(rows) != 2 || rows[0].Result != predict.ElectionNotNeeded || *rows[1].To != 3 || !rows[1].Done {
		t.Fatalf("%+v", rows)
	}
	leadersOfAll(t, c, topic, func(rows []inspect.Partition) bool {
		return rows[0].Leader != nil && rows[1].Leader != nil && *rows[1].Leader == 3
	})
	if p := partitionOf(t, in, topic, 0); *p.Leader != 1 {
		t.Errorf("a partition was elected that was not named: %+v", p)
	}
	shown(1)
	ctl.run(t, 0, &rows, "elect", "preferred", topic, "--execute")
	if len(rows) != 1 || *rows[0].To != 2 {
		t.Fatalf("%+v", rows)
	}
	shown(0)
	ctl.run(t, 3, nil, "elect", "preferred", topic+":7")
}
