package inspect

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
	// Leader is the ID of the member that leads a classic group, nil for an
	// empty group. The other types have no leader among their members.
	Leader *string `json:"leader"`
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
	// Topics are the topics subscribed to, sorted. Nil if not told: between
	// two generations of a classic group, for a member that subscribes by a
	// pattern that the broker resolves, and for protocol types whose metadata
	// is not Kafka's consumer format.
	Topics []string `json:"topics"`
	// Assigned is what the member may consume, by topic. Nil if not told, as
	// for Topics.
	Assigned []TopicPartitions `json:"assigned"`
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
