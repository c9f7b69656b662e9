package zk

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/groupkit/groupkit/inspect"
)

// The nodes of Kafka that are read, below the chroot.
const (
	controllerPath = "/controller"
	epochPath      = "/controller_epoch"
	brokersPath    = "/brokers/ids"
	migrationPath  = "/migration"
	clusterIDPath  = "/cluster/id"
)

// migrationSilence is much longer than a KRaft controller that writes to ZooKeeper is
// quiet for, and than clocks differ by.
const migrationSilence = 30 * time.Second

// node is the content of a node of ZooKeeper, when it was made and last written; nil
// content stands for a node that is not there.
type node struct {
	content          []byte
	created, written time.Time
}

// nodes are all that the answer is made of.
type nodes struct {
	controller, epoch, migration, clusterID node
	// brokers are the names of the nodes in /brokers/ids; nil if that is not there.
	brokers []string
}

// answerFrom reads what the nodes hold. Each is read by itself, so that one that cannot be
// read costs no other.
func answerFrom(n nodes, observedAt time.Time) inspect.Answer[inspect.Controller] {
	mode, source := inspect.ModeZooKeeper, controllerPath
	zk := &inspect.ZooKeeper{}
	answer := inspect.Answer[inspect.Controller]{
		ObservedAt: observedAt, Warnings: []inspect.Problem{}, Errors: []inspect.Problem{},
		Data: inspect.Controller{ZooKeeper: zk},
	}
	missing := func(code inspect.Code, path, message string) {
		answer.Errors = append(answer.Errors, inspect.Problem{Code: code, Target: path, Message: message})
	}
	unreadable := func(path string, err error) {
		missing(inspect.CodeRequestFailed, path, fmt.Sprintf("what ZooKeeper holds in %s cannot be read: %v", path, err))
	}

	if n.clusterID.content != nil {
		var id struct{ ID *string }
		if err := json.Unmarshal(n.clusterID.content, &id); err != nil {
			unreadable(clusterIDPath, err)
		}
		answer.ClusterID = id.ID
	}
	if n.controller.content == nil && n.epoch.content == nil && n.brokers == nil {
		missing(inspect.CodeUnsupported, controllerPath, "ZooKeeper holds nothing of Kafka there; check the chroot, the path after the last server, as in zookeeper.connect")
		return answer
	}
	answer.Data.Mode, answer.Data.Source = &mode, &source
	if n.epoch.content != nil {
		epoch, err := strconv.ParseInt(strings.TrimSpace(string(n.epoch.content)), 10, 32)
		if err != nil {
			unreadable(epochPath, err)
		} else {
			answer.Data.Epoch = known(int32(epoch))
		}
	}
	if n.brokers != nil {
		zk.Brokers = []int32{}
	}
	for _, name := range n.brokers {
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			unreadable(brokersPath, err)
			continue
		}
		zk.Brokers = append(zk.Brokers, int32(id))
	}
	slices.Sort(zk.Brokers)
	if n.controller.content == nil {
		missing(inspect.CodeNoLeader, controllerPath, "no broker is the controller at present: /controller is free, until one of the brokers takes it")
	} else if err := readController(n.controller, &answer.Data); err != nil {
		unreadable(controllerPath, err)
	}
	if n.migration.content != nil {
		migration, err := readMigration(n.migration)
		if err != nil {
			unreadable(migrationPath, err)
		} else {
			migration.Stage = stageOf(answer.Data, migration, observedAt)
			zk.Migration = migration
		}
	}
	answer.Warnings = append(answer.Warnings, migrationWarning(answer.Data)...)
	return answer
}

func readController(n node, c *inspect.Controller) error {
	var holder struct {
		BrokerID             *int32 `json:"brokerid"`
		KRaftControllerEpoch *int32 `json:"kraftControllerEpoch"`
	}
	if err := json.Unmarshal(n.content, &holder); err != nil {
		return err
	}
	if holder.BrokerID == nil || *holder.BrokerID < 0 {
		return fmt.Errorf("it names no broker")
	}
	c.Node = holder.BrokerID
	c.ZooKeeper.Since = timeOf(n.created)
	if holder.KRaftControllerEpoch != nil && *holder.KRaftControllerEpoch >= 0 {
		mode := inspect.ModeKRaft
		c.Mode, c.ZooKeeper.KRaftEpoch = &mode, holder.KRaftControllerEpoch
	}
	return nil
}

// timeOf leaves out the times that JSON does not have.
func timeOf(at time.Time) *time.Time {
	if at = at.UTC(); at.Year() < 1970 || at.Year() > 9999 {
		return nil
	}
	return &at
}

func readMigration(n node) (*inspect.Migration, error) {
	var m struct {
		ID       int32 `json:"kraft_controller_id"`
		Epoch    int32 `json:"kraft_controller_epoch"`
		Offset   int64 `json:"kraft_metadata_offset"`
		LogEpoch int32 `json:"kraft_metadata_epoch"`
	}
	m.ID, m.Epoch, m.Offset, m.LogEpoch = -1, -1, -1, -1
	if err := json.Unmarshal(n.content, &m); err != nil {
		return nil, err
	}
	return &inspect.Migration{Controller: known(m.ID), ControllerEpoch: known(m.Epoch), MetadataOffset: known(m.Offset), MetadataEpoch: known(m.LogEpoch), Written: timeOf(n.written)}, nil
}

// stageOf tells how far a migration is.
func stageOf(c inspect.Controller, m *inspect.Migration, at time.Time) string {
	switch {
	case c.ZooKeeper.KRaftEpoch == nil && m.MetadataOffset != nil && c.Node != nil:
		return inspect.MigrationUndone
	case c.ZooKeeper.KRaftEpoch == nil:
		return inspect.MigrationBegun
	case m.Written != nil && at.Sub(*m.Written) > migrationSilence:
		return inspect.MigrationSilent
	case m.MetadataOffset == nil:
		return inspect.MigrationCopies
	}
	return inspect.MigrationWritesBoth
}

// migrationWarning says which of the two holds where KRaft has been.
func migrationWarning(c inspect.Controller) []inspect.Problem {
	if c.ZooKeeper.Migration == nil && c.ZooKeeper.KRaftEpoch == nil {
		return nil
	}
	p := inspect.Problem{Code: inspect.CodeMigrating, Target: controllerPath}
	m := c.ZooKeeper.Migration
	claimed := c.ZooKeeper.KRaftEpoch != nil
	switch {
	case claimed && m != nil && m.Stage == inspect.MigrationSilent:
		p.Message = fmt.Sprintf("KRaft holds: node %d, a KRaft controller, claimed %s, and has not written to ZooKeeper since %s. The migration is over, and the brokers tell who is the controller, or the KRaft controllers are down", *c.Node, controllerPath, m.Written.Format(time.RFC3339))
	case claimed && m != nil && m.Stage == inspect.MigrationWritesBoth:
		p.Message = fmt.Sprintf("KRaft holds: node %d, a KRaft controller, has claimed %s, and writes to ZooKeeper what it decides; brokers that are not listed run with KRaft, or are down", *c.Node, controllerPath)
	case claimed:
		p.Message = fmt.Sprintf("KRaft holds: node %d, a KRaft controller, has claimed %s, and copies what ZooKeeper holds", *c.Node, controllerPath)
	case c.Node != nil && m.Stage == inspect.MigrationUndone:
		p.Message = fmt.Sprintf("ZooKeeper holds: broker %d has %s, which a KRaft controller had before; the migration was undone", *c.Node, controllerPath)
	case c.Node != nil:
		p.Message = fmt.Sprintf("ZooKeeper holds: broker %d has %s, and KRaft controllers wait for all brokers to be ready for the migration", *c.Node, controllerPath)
	default:
		p.Message = fmt.Sprintf("neither holds at present: %s is free, and KRaft controllers began to migrate the cluster", controllerPath)
	}
	return []inspect.Problem{p}
}

// known returns nil for the negative numbers by which Kafka says "none".
func known[T int32 | int64](n T) *T {
	if n < 0 {
		return nil
	}
	return &n
}
