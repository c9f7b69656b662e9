package predict

import "slices"

// NoLeader stands for the leader of a partition that has none.
const NoLeader int32 = -1

// Cluster is the metadata on which elections depend. [Run] only reads it.
type Cluster struct {
	// Brokers are all that are registered, up or not. A replica on a broker that is
	// not listed here counts as down for ever.
	Brokers []Broker
	// Voters are the nodes that vote for the controller. Nil if not known; then
	// their majority is taken for granted.
	Voters []Voter
	// Observers are controllers that do not vote (KIP-853). They decide nothing: steps
	// may name them, and nothing follows.
	Observers []int32
	// Controller is the node that is the active controller, nil if not known.
	Controller *int32
	// ELR is whether eligible leader replicas are on (the feature
	// eligible.leader.replicas.version of KIP-966 at 1 or more).
	ELR bool
	// Partitions in any order; the outcome keeps it.
	Partitions []Partition
	// Groups in any order; the outcome keeps it.
	Groups []Group
}

// Broker is one broker as the controller knows it.
type Broker struct {
	ID   int32
	Rack string // empty if it has none
	// Fenced is whether the controller took it out of service.
	Fenced bool
	// Down is whether it does not run. A broker that is down and not fenced is one
	// whose end no controller has noticed.
	Down bool
	// Stale is whether it runs again, but went down while there was no controller to
	// notice, so that the metadata shows it as it was. It does not serve.
	Stale bool
	// Clean is whether it stopped cleanly when it last went down. It matters when
	// the broker returns. Metadata does not tell; false is the careful guess.
	Clean bool
}

// Voter is one of the controllers.
type Voter struct {
	ID   int32
	Down bool
}

// Partition is the state of one partition in the metadata.
type Partition struct {
	Topic     string
	Partition int32
	// Replicas in the order in which elections try them.
	Replicas []int32
	// Leader is a broker or [NoLeader].
	Leader int32
	// ISR are the replicas in sync.
	ISR []int32
	// ELR are the replicas that are as good as those in sync although they left
	// the ISR, once that is empty.
	ELR []int32
	// LastKnownELR is what the metadata has under that name: with the brokers of
	// 4.x at most the leader before the partition lost its leader.
	LastKnownELR []int32
	// MinISR is min.insync.replicas as configured for the topic. Leaders never ask for
	// more than there are replicas, and the controller, where it decides who is
	// eligible, for no more than partition 0 of the topic has. Less than 1 counts as 1.
	MinISR int
	// Unclean is unclean.leader.election.enable as configured for the topic.
	Unclean bool
	// FailedReplicas are replicas whose disk failed although their broker is up.
	FailedReplicas []int32
}

// Group is a group and the partition of __consumer_offsets that it belongs to.
type Group struct {
	Name      string
	Partition int32
}

// OffsetsTopic is the topic whose partitions' leaders coordinate the groups.
const OffsetsTopic = "__consumer_offsets"

// InRack returns the brokers of a rack, in the order of Brokers.
func (c Cluster) InRack(rack string) []int32 {
	var ids []int32
	for _, b := range c.Brokers {
		if b.Rack == rack {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

func (c Cluster) racks() []string {
	var racks []string
	for _, b := range c.Brokers {
		if b.Rack != "" && !slices.Contains(racks, b.Rack) {
			racks = append(racks, b.Rack)
		}
	}
	slices.Sort(racks)
	return racks
}
