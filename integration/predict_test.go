package integration

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/integration/cluster"
)

// everyVariable has TestPredictionsComeTrue go through all brokers and all pairs, as
// `make predict` does.
const everyVariable = "GROUPKIT_PREDICT_EVERY"

// sequence is what happens to one cluster, and the rules that have to decide something.
type sequence struct {
	name    string
	scripts []string
	rules   []predict.Rule
	options []cluster.Option
	noELR   bool
}

func sequences() []sequence {
	all := []sequence{{
		name:    "each rule",
		scripts: []string{"stop 2; return 2; crash 3; crash 4; return 3; unclean; return 4; preferred; crash 1,5; crash 2"},
		rules:   predict.Rules(),
	}}
	if os.Getenv(everyVariable) == "" {
		return all
	}
	withQuorum := slices.DeleteFunc(predict.Rules(), func(r predict.Rule) bool { return r == predict.RuleNoQuorum })
	single := sequence{name: "every broker", rules: slices.DeleteFunc(slices.Clone(withQuorum), func(r predict.Rule) bool { return r == predict.RuleUnclean })}
	for broker := 1; broker <= labNodes; broker++ {
		single.scripts = append(single.scripts, fmt.Sprintf("crash %[1]d; return %[1]d; preferred; stop %[1]d; return %[1]d; preferred", broker))
	}
	// A broker that stops hands over before its controller goes, and with it the majority.
	single.scripts = append(single.scripts, "stop 1; stop 2; stop 3")
	all = append(all, single, sequence{
		name:    "without ELR",
		scripts: []string{"crash 3; stop 4; return 3; unclean; return 4; preferred"},
		rules:   []predict.Rule{predict.RuleInSync, predict.RulePreferred, predict.RuleUnclean, predict.RuleNoLeader},
		options: []cluster.Option{cluster.WithVersion("3.9.2")},
		noELR:   true,
	})
	for a := 1; a < labNodes; a++ {
		for b := a + 1; b <= labNodes; b++ {
			all = append(all, sequence{
				name: fmt.Sprintf("pair of %d and %d", a, b), rules: withQuorum,
				scripts: []string{
					fmt.Sprintf("crash %d,%d; return %d; unclean; return %d; preferred", a, b, a, b),
					fmt.Sprintf("stop %d,%d; return %d; return %d", b, a, b, a),
					fmt.Sprintf("crash %d; stop %d; return %d; return %d; preferred", a, b, a, b),
					fmt.Sprintf("crash %d; crash %d; return %d,%d; preferred", a, b, a, b),
				},
			})
		}
	}
	return all
}

// TestPredictionsComeTrue predicts, does it to a cluster of five nodes, and compares
// every partition and every coordinator, step after step.
func TestPredictionsComeTrue(t *testing.T) {
	for _, sequence := range sequences() {
		t.Run(sequence.name, func(t *testing.T) {
			lab := newElectionLab(t, sequence.options...)
			lab.elr = !sequence.noELR
			for _, script := range sequence.scripts {
				lab.play(script)
			}
			lab.report(sequence.rules)
		})
	}
}

// play does step after step: "crash 1,2; return 1; preferred". Before each, it predicts
// from what the cluster tells; it also predicts the end from the beginning, as far as
// the steps leave no doubt.
func (l *electionLab) play(script string) {
	l.t.Helper()
	start := l.state()
	var all []predict.Step
	doubt := false
	for line := range strings.SplitSeq(script, ";") {
		step, nodes, do := l.parse(strings.TrimSpace(line))
		all = append(all, step)
		asked := time.Now()
		before := l.state()
		read := time.Now()
		outcome, err := predict.Run(before, step)
		if err != nil {
			l.t.Fatal(err)
		}
		l.commandAgrees(strings.TrimSpace(line), outcome)
		began := time.Now()
		do()
		took := l.await(strings.TrimSpace(line), before, outcome, len(nodes) > 1)
		l.count(outcome)
		doubt = doubt || len(nodes) > 1
		l.candidates = outcome.Controller.Candidates
		quorum := outcome.Controller.Quorum
		l.t.Logf("%-12s %3d leaders and %3d coordinators change, %3d partitions offline, %3d below min ISR; quorum %d of %d; as predicted after %.1f s (%.1f s in all); read in %.1f s, by groupctl in %.1f s",
			strings.TrimSpace(line), len(outcome.Partitions), len(outcome.Coordinators), len(outcome.Offline), len(outcome.UnderMinISR),
			len(quorum.Up), len(quorum.Voters), took.Seconds(), time.Since(began).Seconds(), read.Sub(asked).Seconds(), began.Sub(read).Seconds())
	}
	if !doubt {
		outcome, err := predict.Run(start, all...)
		if err != nil {
			l.t.Fatal(err)
		}
		l.await("the whole of: "+script, start, outcome, false)
	}
}

// commandAgrees asks groupctl for the same prediction, where it is about brokers that
// go down. (For those that come back, only the test knows whether they stopped cleanly.)
func (l *electionLab) commandAgrees(line string, o predict.Outcome) {
	l.t.Helper()
	verb, nodes, _ := strings.Cut(line, " ")
	args := []string{"impact", "--brokers-down", nodes}
	switch verb {
	case "crash":
	case "stop":
		args = append(args, "--clean")
	default:
		return
	}
	// A node that is slow to fetch is taken for down meanwhile.
	printsTheSame := func(args []string, ask func() (predict.Outcome, error)) {
		l.t.Helper()
		eventually(l.t, fmt.Sprintf("groupctl %v prints what was predicted", args), func() (bool, string) {
			printed, err := ask()
			printed.After, printed.Elections, printed.Idle = o.After, o.Elections, o.Idle // which are not printed
			return err == nil && reflect.DeepEqual(printed, o), fmt.Sprintf("%v: %+v, predicted %+v", err, printed, o)
		})
	}
	printsTheSame(args, func() (predict.Outcome, error) {
		var printed predict.Outcome
		_, err := l.ctl.ask(l.t, 0, &printed, args...)
		return printed, err
	})
	if len(strings.Split(nodes, ",")) > 1 {
		return
	}
	// One node that goes and comes back is a rolling restart of one round.
	args = append(args, "--rolling")
	printsTheSame(args, func() (predict.Outcome, error) {
		var rolling predict.Rolling
		if _, err := l.ctl.ask(l.t, 0, &rolling, args...); err != nil {
			return predict.Outcome{}, err
		}
		if len(rolling.Rounds) != 1 {
			l.t.Fatalf("groupctl %v prints %d rounds", args, len(rolling.Rounds))
		}
		return rolling.Rounds[0].Outcome, nil
	})
}

// parse reads one step of a script: what the model is told, and what is done.
func (l *electionLab) parse(line string) (predict.Step, []int32, func()) {
	l.t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	var nodes []int32
	for word := range strings.SplitSeq(rest, ",") {
		if id, err := strconv.Atoi(word); err == nil {
			nodes = append(nodes, int32(id))
		}
	}
	switch verb {
	case "crash":
		return predict.Crash(nodes...), nodes, func() { l.each(nodes, l.c.Kill); l.note(nodes, false) }
	case "stop":
		return predict.Stop(nodes...), nodes, func() { l.each(nodes, l.c.Stop); l.note(nodes, true) }
	case "return":
		return predict.Return(nodes...), nodes, func() {
			l.each(nodes, l.c.Restart)
			for _, id := range nodes {
				delete(l.down, id)
			}
		}
	case "preferred":
		return predict.ElectPreferred(), nil, l.electPreferred
	case "unclean":
		return predict.ElectUnclean(), nil, l.electUnclean
	}
	l.t.Fatalf("no such step: %s", line)
	return predict.Step{}, nil, nil
}

// each does something to several nodes at once.
func (l *electionLab) each(nodes []int32, do func(context.Context, int32) error) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	errs := make([]error, len(nodes))
	var working sync.WaitGroup
	for i, id := range nodes {
		working.Go(func() { errs[i] = do(ctx, id) })
	}
	working.Wait()
	for _, err := range errs {
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *electionLab) note(nodes []int32, clean bool) {
	for _, id := range nodes {
		l.down[id] = clean
	}
}

// state reads the cluster as Predict does, and adds what only the test knows: who
// stopped cleanly.
func (l *electionLab) state() predict.Cluster {
	l.t.Helper()
	var c predict.Cluster
	began, waitedFor := time.Now(), ""
	defer func() {
		if took := time.Since(began); took > 3*time.Second {
			l.t.Logf("all was told after %.1f s; last missing: %s", took.Seconds(), waitedFor)
		}
	}()
	eventually(l.t, "all on which elections depend is told", func() (_ bool, missing string) {
		defer func() {
			if missing != "" {
				waitedFor = missing
			}
		}()
		ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
		defer cancel()
		answer, err := l.in.ElectionState(ctx)
		if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 {
			return false, fmt.Sprint(err, answer.Err(), answer.Warnings)
		}
		c = answer.Data
		for i, b := range c.Brokers {
			clean, down := l.down[b.ID]
			if down != b.Down {
				return false, fmt.Sprintf("broker %d is down: %v", b.ID, b.Down)
			}
			c.Brokers[i].Clean = clean
		}
		for _, v := range c.Voters {
			if _, down := l.down[v.ID]; down != v.Down {
				return false, fmt.Sprintf("voter %d is down: %v", v.ID, v.Down)
			}
		}
		if c.Controller == nil || len(c.Voters) != labNodes || len(c.Groups) != labGroups || len(c.Partitions) != 250 || c.ELR != l.elr {
			return false, fmt.Sprintf("controller %s, %d voters, %d groups, %d partitions, ELR %v", show(c.Controller), len(c.Voters), len(c.Groups), len(c.Partitions), c.ELR)
		}
		if l.candidates != nil && !slices.Contains(l.candidates, *c.Controller) {
			return false, fmt.Sprintf("the controller is %d, predicted one of %v", *c.Controller, l.candidates)
		}
		return true, ""
	})
	return c
}

// await waits until every broker that is up tells of all partitions and coordinators as
// predicted. Where several nodes went or came at once, their order is left open: a leader
// may be one of the alternatives, and ELR and last known leader are not compared.
func (l *electionLab) await(what string, before predict.Cluster, o predict.Outcome, atOnce bool) time.Duration {
	l.t.Helper()
	began := time.Now()
	wanted := map[predict.TopicPartition]predict.Partition{}
	for _, p := range o.After.Partitions {
		wanted[predict.TopicPartition{Topic: p.Topic, Partition: p.Partition}] = p
	}
	alternatives := map[predict.TopicPartition][]int32{}
	for _, change := range o.Partitions {
		alternatives[change.TopicPartition] = change.Alternatives
	}
	coordinators := coordinatorsOf(before, o)
	lost := !*o.Controller.Quorum.Kept
	if lost {
		// What does not happen takes time to be seen: longer than a session of 5 s, and
		// an election among those who are left, which takes 3 s to begin.
		select {
		case <-time.After(9 * time.Second):
		case <-l.t.Context().Done():
		}
	}
	eventually(l.t, what+" ends as predicted", func() (bool, string) {
		ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
		defer cancel()
		for id, in := range l.of {
			if _, down := l.down[id]; down {
				continue
			}
			answer, err := in.Partitions(ctx, l.topics...)
			if err != nil || answer.Err() != nil {
				return false, fmt.Sprint(err, answer.Err())
			}
			if differ := differences(answer.Data, wanted, alternatives, atOnce); len(differ) > 0 {
				return false, fmt.Sprintf("node %d tells of %d partitions otherwise:\n%s", id, len(differ), strings.Join(differ[:min(len(differ), 12)], "\n"))
			}
		}
		if lost {
			return true, "" // nobody coordinates those whose broker is down
		}
		return l.coordinatorsAre(ctx, coordinators)
	})
	l.compared += len(wanted)
	if !lost {
		l.located += labGroups
	}
	l.steps++
	return time.Since(began)
}

// differences are the partitions that are not as wanted.
func differences(rows []inspect.Partition, wanted map[predict.TopicPartition]predict.Partition, alternatives map[predict.TopicPartition][]int32, atOnce bool) []string {
	var differ []string
	if len(rows) != len(wanted) {
		differ = append(differ, fmt.Sprintf("%d partitions and not %d", len(rows), len(wanted)))
	}
	for _, p := range rows {
		tp := predict.TopicPartition{Topic: p.Topic, Partition: p.Partition}
		want := wanted[tp]
		leader := predict.NoLeader
		if p.Leader != nil {
			leader = *p.Leader
		}
		same := leader == want.Leader || slices.Contains(alternatives[tp], leader)
		if len(alternatives[tp]) == 0 {
			same = same && sameBrokers(p.ISR, want.ISR)
			if !atOnce {
				same = same && sameBrokers(p.ELR, want.ELR) && sameBrokers(p.LastKnownELR, want.LastKnownELR)
			}
		}
		if !same {
			differ = append(differ, fmt.Sprintf("%s-%d of %v: leader %d, ISR %v, ELR %v, last known %v; predicted leader %d or %v, ISR %v, ELR %v, last known %v",
				p.Topic, p.Partition, p.Replicas, leader, p.ISR, p.ELR, p.LastKnownELR, want.Leader, alternatives[tp], want.ISR, want.ELR, want.LastKnownELR))
		}
	}
	return differ
}

// coordinatorsOf is who coordinates each group by the outcome, the likeliest first;
// NoLeader for nobody.
func coordinatorsOf(before predict.Cluster, o predict.Outcome) map[string][]int32 {
	leads := map[int32]int32{}
	for _, p := range before.Partitions {
		if p.Topic == predict.OffsetsTopic {
			leads[p.Partition] = p.Leader
		}
	}
	coordinators := map[string][]int32{}
	for _, group := range before.Groups {
		coordinators[group.Name] = []int32{leads[group.Partition]}
	}
	for _, change := range o.Coordinators {
		to := predict.NoLeader
		if change.To != nil {
			to = *change.To
		}
		coordinators[change.Group] = append([]int32{to}, change.Alternatives...)
	}
	return coordinators
}

// coordinatorsAre compares what the brokers answer to FindCoordinator.
func (l *electionLab) coordinatorsAre(ctx context.Context, predicted map[string][]int32) (bool, string) {
	answer, err := l.in.Coordinators(ctx, l.groups...)
	if err != nil || len(answer.Data) != labGroups || len(predicted) != labGroups {
		return false, fmt.Sprint(err, answer.Err(), len(predicted))
	}
	for _, row := range answer.Data {
		coordinator := predict.NoLeader
		if row.Coordinator != nil {
			coordinator = *row.Coordinator
		}
		if !slices.Contains(predicted[row.Name], coordinator) {
			return false, fmt.Sprintf("group %s is coordinated by %s, predicted %v", row.Name, show(row.Coordinator), predicted[row.Name])
		}
	}
	return true, ""
}

func sameBrokers(a, b []int32) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (l *electionLab) count(o predict.Outcome) {
	for _, change := range o.Partitions {
		l.decided[change.Reason]++
	}
}

// report prints what the rules decided, and fails for one that decided nothing.
func (l *electionLab) report(needed []predict.Rule) {
	l.t.Helper()
	for _, rule := range predict.Rules() {
		l.t.Logf("%-18s decided %4d partitions", rule, l.decided[rule])
		if slices.Contains(needed, rule) && l.decided[rule] == 0 {
			l.t.Errorf("the rule %s decided nothing", rule)
		}
	}
	l.t.Logf("%d times all partitions were compared: %d partitions and %d coordinators, each as predicted", l.steps, l.compared, l.located)
}
