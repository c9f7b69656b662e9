package integration

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/integration/cluster"
)

// TestPredictionsWithAnACLMissing denies one operation after the other: the prediction
// holds the rest and names the ACL.
func TestPredictionsWithAnACLMissing(t *testing.T) {
	// Nodes that may do nothing yet do not elect a controller, so it is one node.
	c := cluster.Start(t, cluster.WithNodes(1),
		cluster.WithProperty("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
		cluster.WithProperty("allow.everyone.if.no.acl.found", "true"))
	client := newClient(t, c)
	admin := kadm.NewClient(client)
	topic := newPlacedTopic(t, c, [][]int32{{1}})

	everybody := func() *kadm.ACLBuilder { return kadm.NewACLs().ResourcePatternType(kadm.ACLPatternLiteral) }
	create := func(acl *kadm.ACLBuilder) {
		t.Helper()
		results, err := admin.CreateACLs(t.Context(), acl)
		if err == nil {
			for _, result := range results {
				err = errors.Join(err, result.Err)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// The broker speaks to the controller as the same user, and needs more than is denied below.
	create(everybody().Allow("User:ANONYMOUS").AllowHosts("*").Clusters().Operations(kadm.OpAll))
	create(everybody().Allow("User:ANONYMOUS").AllowHosts("*").Topics(topic).Operations(kadm.OpAll))

	// moved is whether the prediction says what happens to the topic's one partition.
	moved := func(o predict.Outcome) bool {
		return slices.ContainsFunc(o.Partitions, func(p predict.Change) bool {
			return p.Topic == topic && *p.From == 1 && p.To == nil && p.Reason == predict.RuleNoLeader
		})
	}
	tells := func(problems []inspect.Problem, what string) bool {
		return slices.ContainsFunc(problems, func(p inspect.Problem) bool {
			return p.Code == inspect.CodeNotAuthorized && strings.Contains(p.Message, what)
		})
	}
	predicted := func(what string, wanted func(inspect.Answer[predict.Outcome]) bool) {
		t.Helper()
		eventually(t, what, func() (bool, string) {
			answer, err := inspect.New(client).Predict(t.Context(), predict.Stop(1))
			if err != nil {
				return false, err.Error()
			}
			seen := ""
			for _, p := range append(answer.Errors, answer.Warnings...) {
				seen += p.Message + "\n"
			}
			return wanted(answer), seen
		})
	}
	predicted("nothing is missing", func(a inspect.Answer[predict.Outcome]) bool {
		return len(a.Errors)+len(a.Warnings) == 0 && moved(a.Data) && a.Data.Controller.Quorum.Kept != nil
	})
	create(everybody().Deny("User:ANONYMOUS").DenyHosts("*").Topics(topic).Operations(kadm.OpDescribeConfigs))
	predicted("the configuration of the topic is missing", func(a inspect.Answer[predict.Outcome]) bool {
		return len(a.Errors) == 0 && len(a.Warnings) == 1 && tells(a.Warnings, "DESCRIBE_CONFIGS") && moved(a.Data)
	})
	create(everybody().Deny("User:ANONYMOUS").DenyHosts("*").Clusters().Operations(kadm.OpDescribe))
	predicted("the quorum is missing", func(a inspect.Answer[predict.Outcome]) bool {
		return len(a.Errors) == 1 && tells(a.Errors, "DESCRIBE on the cluster") && tells(a.Warnings, "DESCRIBE on the cluster") && moved(a.Data) && a.Data.Controller.Quorum.Kept == nil
	})
}
