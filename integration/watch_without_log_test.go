package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// TestWatchAndExplainWithoutTheLog takes READ on __consumer_offsets away, and has a
// rebalance told and a group explained nevertheless.
func TestWatchAndExplainWithoutTheLog(t *testing.T) {
	c := cluster.Start(t, cluster.WithNodes(1),
		cluster.WithProperty("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
		cluster.WithProperty("allow.everyone.if.no.acl.found", "true"))
	watchAndExplainCreateNothing(t, c)
	admin, topic := kadm.NewClient(newClient(t, c)), newTopic(t, c, 4)
	for _, acl := range []*kadm.ACLBuilder{
		kadm.NewACLs().Topics("__consumer_offsets").Allow("User:ANONYMOUS").AllowHosts("*").Operations(kadm.OpDescribe).ResourcePatternType(kadm.ACLPatternLiteral),
		kadm.NewACLs().Topics("__consumer_offsets").Deny("User:ANONYMOUS").DenyHosts("*").Operations(kadm.OpRead).ResourcePatternType(kadm.ACLPatternLiteral),
	} {
		created, err := admin.CreateACLs(t.Context(), acl)
		if err != nil || len(created) == 0 || created[0].Err != nil {
			t.Fatalf("%v: %+v", err, created)
		}
	}
	group := unique(t, "group")
	startReader(t, c, group, topic)
	w := startWatch(t, c, inspect.Watched{GroupNames: []string{group}})
	w.await(t, "the log may not be read", func(e watch.Event) bool {
		return e.Sight != nil && e.Sight.Part == "log" && e.Sight.Code == string(inspect.CodeNotAuthorized)
	})
	w.await(t, "the group has a member", func(e watch.Event) bool {
		has := func(g watch.Group) bool { return g.Group == group && len(g.Members) == 1 }
		return e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Groups, has) || e.Generation != nil && e.Generation.Members == 1 ||
			e.Group != nil && e.Group.Members != nil && *e.Group.Members == 1
	})
	startReader(t, c, group, topic, kgo.ClientID("second"))
	e := w.await(t, "a member joined", func(e watch.Event) bool {
		return e.Generation != nil && slices.ContainsFunc(e.Generation.Joined, func(m watch.MemberRef) bool { return m.ClientID == "second" })
	})
	if e.Generation.Source != watch.SourcePoll || e.Generation.To != nil || e.Generation.ToLeader != nil {
		t.Errorf("generation and leader are known without the log: %+v", e.Generation)
	}
	answer, err := inspect.New(newClient(t, c)).Explain(t.Context(), group, inspect.Explaining{For: 3 * time.Second})
	if err != nil || len(answer.Data.Verdicts) != 1 || len(answer.Data.Unknown) == 0 {
		t.Errorf("%v: %+v", err, answer)
	}
	if len(answer.Warnings) == 0 || answer.Warnings[0].Code != inspect.CodeNotAuthorized {
		t.Errorf("nothing says that the log may not be read: %+v", answer)
	}
	membersTellWhatTheLogHides(t, c)
}

// membersTellWhatTheLogHides has a member leave again and again before anybody looks: where
// the log may not be read, the logs of the members tell of it.
func membersTellWhatTheLogHides(t *testing.T, c *cluster.Cluster) {
	g := newTrouble(t, c)
	steady(g, "a")
	for range 3 {
		flapper := g.start("flapper")
		g.awaitMembers(2)
		flapper.once.Do(flapper.leave)
		g.awaitMembers(1)
	}
	args := []string{"group", "explain", g.group, "--for", "1s"}
	for _, path := range g.files() {
		args = append(args, "--events", path)
	}
	var found explain.Diagnosis
	answer := buildGroupctl(t, c).run(t, 0, &found, args...)
	if len(found.Verdicts) == 0 {
		t.Fatalf("%+v", found)
	}
	v := found.Verdicts[0]
	if v.Cause != explain.LeavesRepeatedly || v.Sure != explain.Certain || !strings.Contains(v.Says, `The client "flapper" leaves the group and comes back`) || len(v.Evidence) == 0 || len(g.files()) != 4 {
		t.Errorf("%+v", found)
	}
	if len(answer.Warnings) == 0 || answer.Warnings[0].Code != inspect.CodeNotAuthorized {
		t.Errorf("nothing says that the log may not be read: %+v", answer)
	}
}

// watchAndExplainCreateNothing asks for a group where there is no __consumer_offsets, and
// where it cannot be seen that there is none.
func watchAndExplainCreateNothing(t *testing.T, c *cluster.Cluster) {
	deleteOffsetsTopic(t, c)
	in, admin := inspect.New(newClient(t, c)), kadm.NewClient(newClient(t, c))
	hidden := kadm.NewACLs().Topics("__consumer_offsets").Deny("User:ANONYMOUS").DenyHosts("*").Operations(kadm.OpDescribe).ResourcePatternType(kadm.ACLPatternLiteral)
	explained := func(code inspect.Code) {
		answer, err := in.Explain(t.Context(), "nobody", inspect.Explaining{For: time.Second})
		if err != nil || len(answer.Errors) != 1 || answer.Errors[0].Code != code {
			t.Errorf("want %s: %v: %+v", code, err, answer)
		}
	}
	startWatch(t, c, inspect.Watched{GroupNames: []string{"nobody"}}).await(t, "the group is absent", func(e watch.Event) bool {
		return e.Snapshot != nil && slices.Contains(e.Snapshot.Absent, "nobody")
	})
	explained(inspect.CodeGroupNotFound)
	ctl := buildGroupctl(t, c)
	dumped := func(exit int) inspect.Code {
		a := ctl.run(t, exit, nil, "offsets", "dump", "nobody")
		if len(a.Errors) != 1 {
			t.Fatalf("%+v", a)
		}
		return a.Errors[0].Code
	}
	if code := dumped(3); code != inspect.CodeOffsetsTopicAbsent {
		t.Errorf("without the topic: %s", code)
	}
	if created, err := admin.CreateACLs(t.Context(), hidden); err != nil || created[0].Err != nil {
		t.Fatalf("%v: %+v", err, created)
	}
	startWatch(t, c, inspect.Watched{Elections: true, GroupNames: []string{"nobody"}}).await(t, "nobody can tell whether the group exists", func(e watch.Event) bool {
		return e.Sight != nil && e.Sight.Part == "group nobody" && e.Sight.Lost
	})
	explained(inspect.CodeNotAuthorized)
	if code := dumped(1); code != inspect.CodeNotAuthorized {
		t.Errorf("a topic that is hidden: %s", code)
	}
	if deleted, err := admin.DeleteACLs(t.Context(), hidden); err != nil || len(deleted) != 1 || deleted[0].Err != nil {
		t.Fatalf("%v: %+v", err, deleted)
	}
	eventually(t, "the topic would be seen again", func() (bool, string) {
		answer, err := in.Coordinators(t.Context(), "nobody")
		if err != nil || len(answer.Errors) != 1 {
			return false, fmt.Sprintf("%v: %+v", err, answer)
		}
		return answer.Errors[0].Code != inspect.CodeNotAuthorized, answer.Errors[0].Message
	})
	if answer, err := in.Coordinators(t.Context(), "nobody"); err != nil || len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeOffsetsTopicAbsent {
		t.Errorf("__consumer_offsets was created: %v: %+v", err, answer)
	}
}
