package inspect

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Inspector reads a cluster through a client that belongs to the caller. Make
// one with [New].
type Inspector struct {
	client               *kgo.Client
	createInternalTopics bool
	skipMinISR           bool
	skipGroups           bool
	internalTopics       bool
	log                  logBudget
}

// Option changes what an [Inspector] may do or how far it looks.
type Option func(*Inspector)

// New returns an Inspector that reads through client. It sends nothing. The
// client stays the caller's to close, and may serve other work meanwhile.
func New(client *kgo.Client, options ...Option) *Inspector {
	in := &Inspector{client: client, log: defaultLogBudget}
	for _, option := range options {
		option(in)
	}
	return in
}

// CreateInternalTopics lets [Inspector.Coordinators] create __consumer_offsets
// where it does not exist yet, and its siblings __transaction_state and
// __share_group_state. Without it such a cluster is left as it is, and the answer
// says [CodeOffsetsTopicAbsent] or [CodeStateTopicAbsent].
//
// The brokers create these topics themselves when somebody first asks them for a
// coordinator, which is what every consumer does when it starts.
func CreateInternalTopics() Option {
	return func(in *Inspector) { in.createInternalTopics = true }
}

// InternalTopics has [Inspector.Partitions] show internal topics too where no topic
// is named.
func InternalTopics() Option {
	return func(in *Inspector) { in.internalTopics = true }
}

// SkipMinISR has [Inspector.Partitions] leave min.insync.replicas unread, which saves
// a request for every 1,000 topics: MinISR and UnderMinISR are nil, without a
// warning, and DESCRIBE_CONFIGS is not needed.
func SkipMinISR() Option {
	return func(in *Inspector) { in.skipMinISR = true }
}

// SkipGroups has [Inspector.ElectionState] and [Inspector.Predict] leave groups out, for
// who asks about partitions alone: no request is sent for them.
func SkipGroups() Option {
	return func(in *Inspector) { in.skipGroups = true }
}

// LogBudget bounds how much of one partition of __consumer_offsets
// [Inspector.Groups] reads, backwards from its end, to find the leader and the
// generation of classic groups: so many records, so many bytes as they come
// over the wire and again as they are decompressed, and so long. A value that is not positive keeps its default:
// 500,000 records, 64 MiB, 3 seconds.
//
// A group whose last rebalance lies further back is answered without its
// leader and generation, with the warning [CodeRecordNotFound]. So is one behind a
// batch that decompresses to more than 16 MiB, with [CodeRecordUnreadable].
func LogBudget(records, bytes int64, wait time.Duration) Option {
	return func(in *Inspector) {
		if records > 0 {
			in.log.records = records
		}
		if bytes > 0 {
			in.log.bytes = bytes
		}
		if wait > 0 {
			in.log.wait = wait
		}
	}
}
