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

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/integration/cluster"
)

// seen is what a view told.
type seen struct {
	holds    string
	problems []inspect.Problem
}

// looker is who looks: one user.
type looker struct {
	*inspect.Inspector
	client *kgo.Client
}

// views are all of them, each with what it holds in short.
var views = map[string]func(context.Context, looker) (seen, error){
	"controller": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.Controller(ctx)
		holds := "nothing"
		if a.Data.Node != nil {
			holds = fmt.Sprintf("a controller of %d voters", len(a.Data.Voters))
		}
		return seen{holds, slices.Concat(a.Errors, a.Warnings)}, err
	},
	"partitions": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.Partitions(ctx, "orders")
		return seen{partitionsHold(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"all partitions": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.Partitions(ctx)
		return seen{partitionsHold(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"brokers": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.Brokers(ctx)
		led := 0
		for _, b := range a.Data {
			led += *b.Leads
		}
		return seen{fmt.Sprintf("%d brokers, some lead: %v", len(a.Data), led > 0), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"coordinators": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.Coordinators(ctx, "workers")
		return seen{coordinatorHolds(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"transactions": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.TransactionCoordinators(ctx, "writer")
		return seen{coordinatorHolds(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"shares": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.ShareCoordinators(ctx, inspect.ShareKey("jobs", [16]byte{1}, 0))
		return seen{coordinatorHolds(a.Data), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"classic group":  groupView("workers"),
	"consumer group": groupView("workers-848"),
	"share group":    groupView("sharers"),
	"streams group":  groupView("streamers"),
	"all groups": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true})
		all, described, led, behind := 0, 0, 0, 0
		for _, g := range a.Data {
			if !slices.Contains(securedGroups, g.Group) {
				continue
			}
			all++
			if len(g.Members) > 0 {
				described++
			}
			if g.Leader != nil {
				led++
			}
			if g.Lag != nil && len(g.Lag.Partitions) == 2 && g.Lag.Unknown+g.Lag.Uncommitted == 0 {
				behind++
			}
		}
		return seen{fmt.Sprintf("%d groups, members: %d, leader: %d, lag: %d", all, described, led, behind), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"explained":         explanation("workers"),
	"explained streams": explanation("streamers"),
	"impact": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.Predict(ctx, predict.Crash(1, 2, 3))
		quorum := "unknown"
		if kept := a.Data.Controller.Quorum.Kept; kept != nil {
			quorum = fmt.Sprint(*kept)
		}
		partitions, groups := 0, 0
		for _, p := range a.Data.Partitions {
			if p.Topic == "orders" && p.To == nil {
				partitions++
			}
		}
		for _, g := range a.Data.Coordinators {
			if slices.Contains(securedGroups, g.Group) && g.To == nil {
				groups++
			}
		}
		return seen{fmt.Sprintf("partitions: %d, coordinators: %d, quorum: %s", partitions, groups, quorum), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"elections": func(ctx context.Context, in looker) (seen, error) {
		a, err := act.New(in.client).Preview(ctx, act.Preferred(), predict.TopicPartition{Topic: "orders"}, predict.TopicPartition{Topic: "orders", Partition: 1})
		return seen{fmt.Sprintf("partitions: %d", len(a.Data)), slices.Concat(a.Errors, a.Warnings)}, err
	},
	"history": func(ctx context.Context, in looker) (seen, error) {
		a, err := in.OffsetsLog(ctx, "workers", inspect.LogRange{})
		return seen{fmt.Sprintf("records: %v", a.Data != nil && a.Data.Records > 0), slices.Concat(a.Errors, a.Warnings)}, err
	},
}

// securedGroups are the groups that are looked at.
var securedGroups = []string{"workers", "workers-848", "sharers", "streamers", "stuck"}

func explanation(group string) func(context.Context, looker) (seen, error) {
	return func(ctx context.Context, in looker) (seen, error) {
		a, err := in.Explain(ctx, group, inspect.Explaining{For: time.Second})
		return seen{fmt.Sprintf("state: %q, from: %v", a.Data.State, a.Data.Sources), slices.Concat(a.Errors, a.Warnings)}, err
	}
}

func groupView(group string) func(context.Context, looker) (seen, error) {
	return func(ctx context.Context, in looker) (seen, error) {
		a, err := in.DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true}, group)
		holds := "nothing"
		if len(a.Data) == 1 {
			g := a.Data[0]
			lag := "none"
			if g.Lag != nil {
				known := 0
				for _, p := range g.Lag.Partitions {
					if p.Committed != nil && p.Lag != nil {
						known++
					}
				}
				lag = fmt.Sprintf("%d, uncommitted %d, unknown %d", known, g.Lag.Uncommitted, g.Lag.Unknown)
			}
			holds = fmt.Sprintf("members: %d, leader: %v, since: %v, lag: %s", len(g.Members), g.Leader != nil, g.Since != nil, lag)
		}
		return seen{holds, slices.Concat(a.Errors, a.Warnings)}, err
	}
}

func partitionsHold(rows []inspect.Partition) string {
	led, known := 0, 0
	for _, p := range rows {
		if p.Leader != nil && len(p.ISR) == 3 {
			led++
		}
		if p.UnderMinISR != nil {
			known++
		}
	}
	return fmt.Sprintf("%d partitions, %d led, %d with min ISR", len(rows), led, known)
}

func coordinatorHolds(rows []inspect.Coordinator) string {
	r := rows[0]
	return fmt.Sprintf("partition: %v, leader: %v, coordinator: %v", r.Partition != nil, r.Leader != nil, r.Coordinator != nil)
}

const (
	wholePartitions  = "2 partitions, 2 led, 2 with min ISR"
	wholeBrokerRun   = "members: 1, leader: false, since: true, lag: 2, uncommitted 0, unknown 0"
	noDescription    = "members: 0, leader: false, since: true, lag: none"
	noLog            = "members: 1, leader: false, since: false, lag: 2, uncommitted 0, unknown 0"
	wholeGroups      = "5 groups, members: 5, leader: 2, lag: 5"
	wholeExplanation = `state: "Stable", from: [log poll]`
	wholeImpact      = "partitions: 2, coordinators: 5, quorum: false"
	noCoordinator    = "partition: false, leader: false, coordinator: false"
	wholeCoordinator = "partition: true, leader: true, coordinator: true"
)

// whole is what each view holds for somebody with all rights.
var whole = map[string]string{
	"controller":        "a controller of 3 voters",
	"partitions":        wholePartitions,
	"all partitions":    wholePartitions,
	"brokers":           "3 brokers, some lead: true",
	"coordinators":      wholeCoordinator,
	"transactions":      wholeCoordinator,
	"shares":            wholeCoordinator,
	"classic group":     "members: 1, leader: true, since: true, lag: 2, uncommitted 0, unknown 0",
	"consumer group":    wholeBrokerRun,
	"share group":       wholeBrokerRun,
	"streams group":     wholeBrokerRun,
	"all groups":        wholeGroups,
	"explained":         wholeExplanation,
	"explained streams": wholeExplanation,
	"impact":            wholeImpact,
	"elections":         "partitions: 2",
	"history":           "records: true",
}

// stillHolds is what a view still holds for who lacks a right, and the ACL that it names;
// none where brokers silently leave out what may not be seen.
var stillHolds = map[string]map[string]struct{ holds, acl string }{
	"clusterDescribe": {
		"controller": {"nothing", "DESCRIBE on the cluster"},
		"impact":     {"partitions: 2, coordinators: 5, quorum: unknown", "DESCRIBE on the cluster"},
		"elections":  {"partitions: 2", "DESCRIBE on the cluster"},
	},
	"topic": {
		"partitions":        {"0 partitions, 0 led, 0 with min ISR", `DESCRIBE on the topic "orders"`},
		"all partitions":    {"0 partitions, 0 led, 0 with min ISR", ""},
		"classic group":     {"members: 1, leader: true, since: true, lag: 0, uncommitted 0, unknown 2", `DESCRIBE on the topic "orders"`},
		"consumer group":    {noDescription, `DESCRIBE on all topics of the group "workers-848"`},
		"share group":       {noDescription, `DESCRIBE on all topics of the group "sharers"`},
		"streams group":     {noDescription, `DESCRIBE on all topics of the group "streamers"`},
		"all groups":        {"5 groups, members: 2, leader: 2, lag: 0", `DESCRIBE on the topic "orders"`},
		"explained":         {wholeExplanation, `DESCRIBE on the topics "orders"`},
		"explained streams": {`state: "", from: [log]`, `DESCRIBE on all topics of the group "streamers"`},
		"impact":            {"partitions: 0, coordinators: 5, quorum: false", ""},
		"elections":         {"partitions: 0", `DESCRIBE on the topic "orders"`},
	},
	"configs": {
		"partitions":     {"2 partitions, 2 led, 0 with min ISR", "DESCRIBE_CONFIGS"},
		"all partitions": {"2 partitions, 2 led, 0 with min ISR", "DESCRIBE_CONFIGS"},
		"impact":         {wholeImpact, "DESCRIBE_CONFIGS"},
		"elections":      {"partitions: 2", "DESCRIBE_CONFIGS"},
	},
	"offsetsTopic": {
		"coordinators":      {noCoordinator, "DESCRIBE on the topic __consumer_offsets"},
		"classic group":     {noLog, "__consumer_offsets"},
		"consumer group":    {noLog, "__consumer_offsets"},
		"share group":       {noLog, "__consumer_offsets"},
		"history":           {"records: false", "__consumer_offsets"},
		"streams group":     {noLog, "__consumer_offsets"},
		"all groups":        {"5 groups, members: 5, leader: 0, lag: 5", "__consumer_offsets"},
		"explained":         {`state: "Stable", from: [poll]`, "__consumer_offsets"},
		"explained streams": {`state: "Stable", from: [poll]`, "__consumer_offsets"},
		"impact":            {"partitions: 2, coordinators: 0, quorum: false", "DESCRIBE on the topic __consumer_offsets"},
	},
	"offsetsRead": {
		"classic group":     {noLog, "READ on the topic __consumer_offsets"},
		"consumer group":    {noLog, "READ on the topic __consumer_offsets"},
		"share group":       {noLog, "READ on the topic __consumer_offsets"},
		"history":           {"records: false", "READ on the topic __consumer_offsets"},
		"streams group":     {noLog, "READ on the topic __consumer_offsets"},
		"all groups":        {"5 groups, members: 5, leader: 0, lag: 5", "READ on the topic __consumer_offsets"},
		"explained":         {`state: "Stable", from: [poll]`, "READ on the topic __consumer_offsets"},
		"explained streams": {`state: "Stable", from: [poll]`, "READ on the topic __consumer_offsets"},
	},
	"group": {
		"coordinators":      {"partition: true, leader: true, coordinator: false", `DESCRIBE on the group "workers"`},
		"classic group":     {"members: 0, leader: false, since: true, lag: none", `DESCRIBE on the group "workers"`},
		"consumer group":    {noDescription, `DESCRIBE on the group "workers-848"`},
		"share group":       {noDescription, `DESCRIBE on the group "sharers"`},
		"streams group":     {noDescription, `DESCRIBE on the group "streamers"`},
		"all groups":        {"5 groups, members: 0, leader: 0, lag: 0", `DESCRIBE on the group "stuck"`},
		"explained":         {`state: "", from: [log]`, `DESCRIBE on the group "workers"`},
		"explained streams": {`state: "", from: [log]`, `DESCRIBE on the group "streamers"`},
	},
	"transaction": {"transactions": {"partition: true, leader: true, coordinator: false", `DESCRIBE on the transactional id "writer"`}},
	"txnTopic":    {"transactions": {noCoordinator, "DESCRIBE on the topic __transaction_state"}},
	"clusterAction": {
		"shares": {"partition: true, leader: true, coordinator: false", "CLUSTER_ACTION on the cluster"},
	},
	"shareTopic": {"shares": {noCoordinator, "DESCRIBE on the topic __share_group_state"}},
	noRights: {
		"controller":        {"nothing", "DESCRIBE on the cluster"},
		"partitions":        {"0 partitions, 0 led, 0 with min ISR", `DESCRIBE on the topic "orders"`},
		"all partitions":    {"0 partitions, 0 led, 0 with min ISR", ""},
		"brokers":           {"3 brokers, some lead: false", ""},
		"coordinators":      {noCoordinator, "DESCRIBE on the topic __consumer_offsets"},
		"transactions":      {noCoordinator, "DESCRIBE on the topic __transaction_state"},
		"shares":            {noCoordinator, "DESCRIBE on the topic __share_group_state"},
		"classic group":     {"nothing", `DESCRIBE on the group "workers"`},
		"consumer group":    {"nothing", `DESCRIBE on the group "workers-848"`},
		"share group":       {"nothing", `DESCRIBE on the group "sharers"`},
		"streams group":     {"nothing", `DESCRIBE on the group "streamers"`},
		"all groups":        {"0 groups, members: 0, leader: 0, lag: 0", ""},
		"explained":         {`state: "", from: []`, `DESCRIBE on the group "workers"`},
		"explained streams": {`state: "", from: []`, `DESCRIBE on the group "streamers"`},
		"impact":            {"partitions: 0, coordinators: 0, quorum: unknown", "DESCRIBE on the cluster"},
		"elections":         {"partitions: 0", `DESCRIBE on the topic "orders"`},
		"history":           {"records: false", "__consumer_offsets"},
	},
}

// as is a user at the listener for SASL.
func as(t *testing.T, c *cluster.Cluster, user string) looker {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenerSeeds("LOGIN")...), kgo.SASL(plain.Auth{User: user, Pass: secret}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return looker{inspect.New(client), client}
}

func (l looker) look(t *testing.T, view string) seen {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	told, err := views[view](ctx, l)
	if err != nil {
		told.problems = append(told.problems, inspect.Problem{Message: "FAILED " + err.Error()})
	}
	return told
}

// allIsTold waits until the ACLs and users have come to all brokers, one after the other.
func allIsTold(t *testing.T, c *cluster.Cluster) {
	full := as(t, c, "full")
	for _, view := range slices.Sorted(maps.Keys(views)) {
		eventually(t, "with all rights, "+view+" are whole", func() (bool, string) {
			told := full.look(t, view)
			return told.holds == whole[view] && len(told.problems) == 0, fmt.Sprintf("%+v", told)
		})
	}
}

func rightsAreNamed(t *testing.T, c *cluster.Cluster) {
	full := as(t, c, "full")
	eventually(t, "no group rebalances", func() (bool, string) {
		told := full.look(t, "all groups")
		return told.holds == wholeGroups && len(told.problems) == 0, fmt.Sprintf("%+v", told)
	})
	var looking sync.WaitGroup
	slots := make(chan struct{}, 3)
	for _, user := range users() {
		in := as(t, c, user)
		looking.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for _, view := range slices.Sorted(maps.Keys(views)) {
				rightIsNamed(t, user, view, func() seen { return in.look(t, view) })
			}
		})
	}
	looking.Wait()
}

// rightIsNamed looks again where a broker took too long to answer.
func rightIsNamed(t *testing.T, user, view string, look func() seen) {
	want, lacks := stillHolds[user][view]
	if !lacks {
		want.holds = whole[view]
	}
	told := look()
	for range 5 {
		if !slices.ContainsFunc(told.problems, func(p inspect.Problem) bool { return p.Code == inspect.CodeTimeout }) {
			break
		}
		told = look()
	}
	if told.holds != want.holds {
		t.Errorf("user %s, %s hold %q, want %q; %+v", user, view, told.holds, want.holds, told.problems)
	}
	named := slices.ContainsFunc(told.problems, func(p inspect.Problem) bool {
		return p.Code == inspect.CodeNotAuthorized && strings.Contains(p.Message, want.acl)
	})
	if want.acl != "" && !named || want.acl == "" && len(told.problems) > 0 {
		t.Errorf("user %s, %s name %+v, want %q", user, view, told.problems, want.acl)
	}
	for _, p := range told.problems {
		t.Logf("user %s, %s: %s", user, view, p.Message)
	}
}
