package zk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect"
)

// What Kafka 3.9.2 writes, in the stages of a migration to KRaft.
const (
	heldByBroker = `{"version":2,"brokerid":1,"timestamp":"1763978000123","kraftControllerEpoch":-1}`
	heldByKRaft  = `{"version":2,"brokerid":3000,"timestamp":"1763978100456","kraftControllerEpoch":7}`
	begun        = `{"version":0,"kraft_metadata_offset":-1,"kraft_controller_id":-1,"kraft_metadata_epoch":-1,"kraft_controller_epoch":-1}`
	copying      = `{"version":0,"kraft_metadata_offset":-1,"kraft_controller_id":3000,"kraft_metadata_epoch":-1,"kraft_controller_epoch":7}`
	copied       = `{"version":0,"kraft_metadata_offset":812,"kraft_controller_id":3000,"kraft_metadata_epoch":7,"kraft_controller_epoch":7}`
	beforeKIP866 = `{"version":1,"brokerid":2,"timestamp":"1600000000000"}`
	clusterID    = `{"version":"1","id":"Sfr7YvlkRHSHrmSrwq9mug"}`
)

var made = time.UnixMilli(1763978000200)

func recorded(controller, epoch, migration string) nodes {
	node := func(content string) node {
		if content == "" {
			return node{}
		}
		return node{content: []byte(content), created: made, written: made}
	}
	return nodes{controller: node(controller), epoch: node(epoch), migration: node(migration), clusterID: node(clusterID), brokers: []string{"10", "2", "1"}}
}

func TestWhoHolds(t *testing.T) {
	for name, test := range map[string]struct {
		controller, migration string
		after                 time.Duration // since the nodes were written
		mode                  string
		node                  int32 // -1: none
		stage                 string
		warns                 string
	}{
		"a broker":                           {heldByBroker, "", 0, "zookeeper", 1, "", ""},
		"a broker of an old version":         {beforeKIP866, "", 0, "zookeeper", 2, "", ""},
		"a broker, before KRaft has claimed": {heldByBroker, begun, time.Hour, "zookeeper", 1, "begun", "ZooKeeper holds: broker 1"},
		"KRaft, before it copies":            {heldByKRaft, begun, 0, "kraft", 3000, "copies", "KRaft holds: node 3000"},
		"KRaft, copying":                     {heldByKRaft, copying, 0, "kraft", 3000, "copies", "KRaft holds: node 3000"},
		"KRaft, writing to both":             {heldByKRaft, copied, time.Second, "kraft", 3000, "writes-both", "writes to ZooKeeper what it decides"},
		"KRaft, alone":                       {heldByKRaft, copied, time.Minute, "kraft", 3000, "silent", "has not written to ZooKeeper since 2025-11-24T09:53:20Z"},
		"KRaft, by a clock that is ahead":    {heldByKRaft, copied, -time.Hour, "kraft", 3000, "writes-both", "KRaft holds: node 3000"},
		"KRaft, and no node of a migration":  {heldByKRaft, "", 0, "kraft", 3000, "", "KRaft holds: node 3000"},
		"a broker, after it was undone":      {heldByBroker, copied, 0, "zookeeper", 1, "undone", "the migration was undone"},
		"nobody":                             {"", "", 0, "zookeeper", -1, "", ""},
		"nobody, while migrating":            {"", copied, 0, "zookeeper", -1, "begun", "neither holds"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := answerFrom(recorded(test.controller, "42", test.migration), made.Add(test.after))
			c := answer.Data
			if *c.Mode != test.mode || *c.Epoch != 42 || *c.Source != "/controller" || *answer.ClusterID != "Sfr7YvlkRHSHrmSrwq9mug" || !slices.Equal(c.ZooKeeper.Brokers, []int32{1, 2, 10}) {
				t.Errorf("%+v", c)
			}
			if test.node < 0 {
				if c.Node != nil || c.ZooKeeper.Since != nil || len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeNoLeader {
					t.Errorf("%+v %v", c, answer.Errors)
				}
			} else if *c.Node != test.node || !c.ZooKeeper.Since.Equal(made) || len(answer.Errors) > 0 {
				t.Errorf("%+v %v", c, answer.Errors)
			}
			if (test.warns == "") != (len(answer.Warnings) == 0) || test.warns != "" && (!strings.Contains(answer.Warnings[0].Message, test.warns) || answer.Warnings[0].Code != inspect.CodeMigrating) {
				t.Errorf("warnings %v", answer.Warnings)
			}
			if (test.mode == "kraft") != (c.ZooKeeper.KRaftEpoch != nil) || (test.migration != "") != (c.ZooKeeper.Migration != nil) {
				t.Errorf("%+v", c.ZooKeeper)
			}
			if m := c.ZooKeeper.Migration; m != nil && (m.Stage != test.stage || (m.Controller != nil) != (test.migration != begun) || (m.MetadataOffset != nil) != (test.migration == copied) || !m.Written.Equal(made)) {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestNodesThatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct {
		nodes   nodes
		targets []string
	}{
		"no JSON":        {recorded("1", "x", "[]"), []string{"/controller_epoch", "/controller", "/migration"}},
		"no broker":      {recorded(`{"brokerid":-1}`, "1", ""), []string{"/controller"}},
		"empty":          {nodes{controller: node{content: []byte{}}, brokers: []string{"1"}}, []string{"/controller"}},
		"other brokers":  {nodes{controller: recorded(heldByBroker, "", "").controller, brokers: []string{"seven", "7"}}, []string{"/brokers/ids"}},
		"nothing at all": {nodes{}, []string{"/controller"}},
	} {
		t.Run(name, func(t *testing.T) {
			answer := answerFrom(test.nodes, time.Now())
			var targets []string
			for _, p := range answer.Errors {
				targets = append(targets, p.Target)
			}
			if !slices.Equal(targets, test.targets) {
				t.Errorf("errors %v", answer.Errors)
			}
		})
	}
	if answer := answerFrom(nodes{}, time.Now()); answer.Data.Mode != nil || answer.Data.ZooKeeper.Brokers != nil || !strings.Contains(answer.Errors[0].Message, "chroot") {
		t.Errorf("%+v", answer)
	}
}

func FuzzNodes(f *testing.F) {
	f.Add([]byte(heldByKRaft), []byte("3"), []byte(copied), []byte(clusterID), "1")
	f.Fuzz(func(t *testing.T, controller, epoch, migration, cluster []byte, broker string) {
		n := nodes{controller: node{content: controller}, epoch: node{content: epoch}, migration: node{content: migration}, clusterID: node{content: cluster}, brokers: []string{broker}}
		answer := answerFrom(n, time.Now())
		if c := answer.Data; c.Node != nil && *c.Node < 0 || c.Epoch != nil && *c.Epoch < 0 {
			t.Errorf("%+v", c)
		}
		_ = changes(answer.Data, answer.Data, time.Now())
	})
}

func TestChanges(t *testing.T) {
	state := func(controller, epoch, migration string, brokers ...string) inspect.Controller {
		n := recorded(controller, epoch, migration)
		n.brokers = brokers
		return answerFrom(n, made).Data
	}
	one := state(heldByBroker, "5", "", "1", "2", "3")
	for name, test := range map[string]struct {
		after  inspect.Controller
		kinds  []Kind
		missed int
	}{
		"nothing":                           {one, nil, 0},
		"its session ended":                 {state("", "5", "", "2", "3"), []Kind{BrokersChanged, ControllerChanged}, 0},
		"another is elected":                {state(strings.Replace(heldByBroker, ":1,", ":2,", 1), "6", "", "1", "2", "3"), []Kind{ControllerChanged}, 0},
		"the same again":                    {state(heldByBroker, "6", "", "1", "2", "3"), []Kind{ControllerChanged}, 0},
		"others in between":                 {state(heldByBroker, "9", "", "1", "2", "3"), []Kind{ControllerChanged}, 3},
		"another, and gone":                 {state("", "6", "", "1", "2", "3"), []Kind{ControllerChanged}, 1},
		"a migration begins":                {state(heldByBroker, "5", begun, "1", "2", "3"), []Kind{MigrationChanged}, 0},
		"KRaft claims it":                   {state(heldByKRaft, "6", copied, "1", "2", "3"), []Kind{ControllerChanged, MigrationChanged}, 0},
		"a broker comes, while one is gone": {state(heldByBroker, "5", "", "1", "2", "4"), []Kind{BrokersChanged}, 0},
	} {
		events := changes(one, test.after, time.Now())
		var kinds []Kind
		for _, e := range events {
			kinds = append(kinds, e.Kind)
			if e.Kind == ControllerChanged && (*e.From != 1 || e.Missed != test.missed || !same(e.To, test.after.Node)) {
				t.Errorf("%s: %+v", name, e)
			}
			if e.Kind == BrokersChanged && len(e.Up)+len(e.Down) == 0 {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if !slices.Equal(kinds, test.kinds) {
			t.Errorf("%s: %v, want %v", name, kinds, test.kinds)
		}
	}
	silent := recorded(heldByKRaft, "6", copied)
	silent.brokers = []string{"1", "2", "3"}
	if events := changes(state(heldByKRaft, "6", copied, "1", "2", "3"), answerFrom(silent, made.Add(time.Hour)).Data, time.Now()); len(events) > 0 {
		t.Errorf("silence is told as %+v", events)
	}
	if events := changes(state(heldByKRaft, "6", copying, "1", "2", "3"), state(heldByKRaft, "6", copied, "1", "2", "3"), time.Now()); len(events) != 1 || events[0].Kind != MigrationChanged {
		t.Errorf("the end of the copying is told as %+v", events)
	}
	grown := state(heldByKRaft, "6", strings.Replace(copied, "812", "900", 1), "1", "2", "3")
	if events := changes(state(heldByKRaft, "6", copied, "1", "2", "3"), grown, time.Now()); len(events) > 0 {
		t.Errorf("an offset that grows is told as %+v", events)
	}
}
