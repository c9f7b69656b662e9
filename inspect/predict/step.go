package predict

import "slices"

// Step is one thing that happens to the cluster. After each, the cluster comes to
// rest before the next. Make one with [Crash], [Stop], [Return], [ElectPreferred] or
// [ElectUnclean].
type Step struct {
	kind       stepKind
	nodes      []int32
	racks      []string
	partitions []TopicPartition
	all        bool
}

type stepKind int

const (
	crash stepKind = iota
	stop
	comeBack
	electPreferred
	electUnclean
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// AllPartitions, as the number of a partition, stands for all partitions of its topic.
const AllPartitions int32 = -1

// Crash ends nodes at once and without notice: SIGKILL, a machine or a network that
// is lost. It takes until the end of the broker's session (9 s by default) before
// anything is elected. A node that is broker and voter is lost as both. Nodes that
// are down already stay so.
func Crash(nodes ...int32) Step { return Step{kind: crash, nodes: nodes} }

// Stop stops nodes cleanly, as SIGTERM does: brokers hand over what they lead before
// they end, and voters leave after that. Without a majority of the controllers a broker
// waits for one, for up to five minutes, which most supervisors do not grant: then it is
// taken to be killed.
func Stop(nodes ...int32) Step { return Step{kind: stop, nodes: nodes} }

// CrashRacks is [Crash] for all brokers of the racks, such as an availability zone
// that is lost.
func CrashRacks(racks ...string) Step { return Step{kind: crash, racks: racks} }

// StopRacks is [Stop] for all brokers of the racks, at once.
func StopRacks(racks ...string) Step { return Step{kind: stop, racks: racks} }

// Both is two steps of the same kind at once, such as nodes and racks that crash. It
// panics if the kinds differ.
func Both(a, b Step) Step {
	if a.kind != b.kind {
		panic("predict: steps of two kinds do not happen at once")
	}
	a.nodes = append(slices.Clone(a.nodes), b.nodes...)
	a.racks = append(slices.Clone(a.racks), b.racks...)
	a.partitions = append(slices.Clone(a.partitions), b.partitions...)
	a.all = a.all || b.all
	return a
}

// Return brings nodes back that are down, and lets them catch up.
func Return(nodes ...int32) Step { return Step{kind: comeBack, nodes: nodes} }

// ReturnRacks is [Return] for all brokers of the racks, at once.
func ReturnRacks(racks ...string) Step { return Step{kind: comeBack, racks: racks} }

// ElectPreferred asks the controller to make the first replica of each partition its
// leader, where it is in sync and alive. Without partitions it asks for all, as the
// controller does by itself from time to time (auto.leader.rebalance.enable).
func ElectPreferred(partitions ...TopicPartition) Step {
	return Step{kind: electPreferred, partitions: partitions, all: len(partitions) == 0}
}

// ElectUnclean asks the controller to give a leader to each of the partitions that
// have none, in sync or not. Records that only others have are lost. Without
// partitions it asks for all.
//
// [AllPartitions] may stand for the partitions of a topic. Those asked for by it, or by
// naming none, are left out of the outcome's Elections where no election is needed.
func ElectUnclean(partitions ...TopicPartition) Step {
	return Step{kind: electUnclean, partitions: partitions, all: len(partitions) == 0}
}
