package inspect

import "time"

// Group is one group as its coordinator describes it. The fields mean the same
// for each type of group; where a type has no such thing, they are nil.
type Group struct {
	Group string `json:"group"`
	// Type is "classic", "consumer" (KIP-848), "share" (KIP-932) or "streams"
	// (KIP-1071), nil if the broker did not tell. Brokers before 3.8 do not
	// tell types and have classic groups only.
	Type *string `json:"type"`
	// State is the coordinator's word, such as "Stable", "Empty",
	// "PreparingRebalance" or "Reconciling".
	State *string `json:"state"`
	// ProtocolType is what the members of a classic group agreed to be, such
	// as "consumer" or "connect". A group that only ever had offsets committed
	// to it has none.
	ProtocolType *string `json:"protocolType"`
	// Assignor is the assignor in use: for a classic group the protocol that
	// the members agreed on, for the other types the broker's.
	Assignor *string `json:"assignor"`
	// Generation counts the rebalances. For the types whose rebalances the
	// broker runs it is the group epoch, which is that count under its newer
	// name: a classic group that is converted to a consumer group goes on
	// counting from its generation, and offset commits carry either in one
	// field. For a classic group it is that of the last rebalance that was
	// completed.
	Generation *int32 `json:"generation"`
	// Epoch is the group epoch of a consumer, share or streams group: it goes up
	// when members, their subscriptions or topics change. Nil for a classic group.
	Epoch *int32 `json:"epoch"`
	// TargetEpoch is the group epoch that the members' targets were made for.
	// While it is behind Epoch, the broker has yet to make them. Nil for a
	// classic group.
	TargetEpoch *int32 `json:"targetEpoch"`
	// Since is when Generation began: for a classic group when it came into the
	// state that it was in when its coordinator last wrote its record, which for
	// a stable group is the end of the last rebalance (a static member that comes
	// back to its place does not move it); for the other types when the epoch was
	// raised. It is the coordinator's clock. Nil if not known.
	Since *time.Time `json:"since"`
	// HeldUpBy are the members that keep a consumer or streams group from having
	// its target, by ID: those that have not come to the target's epoch. Empty
	// if nobody does, nil for the other types.
	HeldUpBy []HoldUp `json:"heldUpBy"`
	// Lag is how far the group is behind; nil unless asked for
	// ([GroupDetails]), and where neither its members nor its commits could
	// be read.
	Lag *GroupLag `json:"lag"`
	// Leader is the ID of the member that leads a classic group, nil for an
	// empty group: by Kafka's protocol, the one that decides in each rebalance what all
	// get. The other types have no leader among their members. In an election of package
	// member it only counts the votes, and Elected tells who leads the election.
	Leader *string `json:"leader"`
	// Elected is whom an election of package member elected, from what its coordinator
	// says. Nil for all other groups; for an election without members; and, with a
	// warning, where that is not known, as during a rebalance.
	Elected *Elected `json:"elected"`
	// Coordinator is the broker that answered for the group.
	Coordinator *int32 `json:"coordinator"`
	// OffsetsPartition is the partition of __consumer_offsets that holds the
	// group.
	OffsetsPartition *int32 `json:"offsetsPartition"`
	// Members are sorted by ID; nil if not known.
	Members []Member `json:"members"`
}

// Member is one member of a group.
type Member struct {
	ID string `json:"id"`
	// Instance is the static member's group.instance.id, nil for a dynamic
	// member.
	Instance *string `json:"instance"`
	ClientID string  `json:"clientId"`
	// Host is the address that the coordinator saw the member at, as it writes
	// it: "/10.0.0.7".
	Host string `json:"host"`
	// Rack is the member's rack, nil if it does not tell one.
	Rack *string `json:"rack"`
	// Leader is whether the member leads the group, nil if that is not known. In
	// other groups than classic ones nobody does. In an election of package member that
	// is not who was elected: see [Group.Elected].
	Leader *bool `json:"leader"`
	// Epoch is that of the target which the member has come to, or is coming to
	// while it gives up partitions. Nil in a classic group.
	Epoch *int32 `json:"epoch"`
	// Topics are the topics subscribed to, sorted. Nil if not told: between
	// two generations of a classic group, for a member that subscribes by a
	// pattern that the broker resolves, and for protocol types whose metadata
	// is not Kafka's consumer format.
	Topics []string `json:"topics"`
	// Assigned is what the member may consume, by topic. Nil if not told, as
	// for Topics.
	Assigned []TopicPartitions `json:"assigned"`
	// Owned is what the member holds. For a classic group it is what the member
	// said that it owned when it joined, which was before the last plan: nil if
	// it did not say, and empty where the assignor is eager. For a consumer or
	// streams group it is Assigned and what the member still has to give up; nil
	// for a share group, where members share partitions.
	Owned []TopicPartitions `json:"owned"`
	// Target is what the broker wants the member of a consumer or streams group
	// to have, nil in the other types.
	Target []TopicPartitions `json:"target"`
	// Classic is whether the member of a consumer group speaks the classic
	// protocol, as members do while a group is migrated; nil if not told.
	Classic *bool `json:"classic"`
	// Traits are what a member of package member tells about itself, nil for
	// members of other clients and in groups that are not classic.
	Traits *Traits `json:"traits"`
	// Candidacy is what a member of an election of package member tells about itself,
	// nil in other groups.
	Candidacy *Candidacy `json:"candidacy"`
	// Lag is how many records the member is behind in what it is assigned: the
	// sum over the partitions of which the lag is known. Nil unless asked for,
	// if none is known, and in a share group.
	Lag *int64 `json:"lag"`
}

// HoldUp is one member that has not come to the epoch of the group's target.
type HoldUp struct {
	Member string `json:"member"`
	// Epoch is the member's own.
	Epoch *int32 `json:"epoch"`
	// Revoke is what it has to give up. Empty if it has only to ask the broker
	// for its target, as it does with its next heartbeat.
	Revoke []TopicPartitions `json:"revoke"`
	// Waiting are the IDs of members that shall have some of that, sorted.
	Waiting []string `json:"waiting"`
}

// TopicPartitions are partitions of one topic, sorted.
type TopicPartitions struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

const (
	typeClassic  = "classic"
	typeConsumer = "consumer"
	typeShare    = "share"
	typeStreams  = "streams"
)
