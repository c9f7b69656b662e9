package inspect

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Broker is one broker of the cluster, and what it leads.
type Broker struct {
	ID int32 `json:"id"`
	// Up is whether the broker takes part: those that answer list it as alive. One
	// that is down, or fenced by the controller (KIP-631), is not. Without a controller
	// nobody is fenced, and this stays as it was.
	Up bool `json:"up"`
	// Host and Port are where clients of the listener in use reach the broker;
	// nil if it is down and nobody tells.
	Host *string `json:"host"`
	Port *int32  `json:"port"`
	// Rack is the broker's rack; nil if it has none, or is down and nobody tells.
	Rack *string `json:"rack"`
	BrokerLoad
}

// BrokerLoad is what a broker has of the partitions that were looked at. All is
// nil if the partitions could not be read.
type BrokerLoad struct {
	// Leads is how many partitions the broker leads.
	Leads *int `json:"leads"`
	// Preferred is how many it would lead after a preferred election of all: those
	// that have it as their first replica.
	Preferred *int `json:"preferred"`
	// Replicas is how many partitions it holds, those that it leads included.
	Replicas *int `json:"replicas"`
	// Skew is how far Leads is from an even share among the brokers that are up,
	// as a fraction of that share: 0 is even, 0.5 is half as many again, -1 is
	// none. Nil if the broker is down, or no partition is led.
	Skew *float64 `json:"skew"`
}

// Brokers returns the brokers of the cluster, by ID, with what each leads of all
// partitions, internal ones included.
//
// Brokers that are down are told of by those that know DescribeCluster v2
// (KIP-1073, Kafka 4.0): they have their address and rack then. Without it, a
// broker that is down is known only if a partition has a replica on it.
//
// It takes no ACL for the brokers, and DESCRIBE on each topic for what they lead:
// brokers silently leave out topics that may not be seen.
func (in *Inspector) Brokers(ctx context.Context) (Answer[[]Broker], error) {
	answer := newAnswer[[]Broker]()
	metadata, err := in.metadata(ctx, []string{})
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = metadata.ClusterID
	rows := map[int32]*Broker{}
	for _, b := range metadata.Brokers {
		rows[b.NodeID] = &Broker{ID: b.NodeID, Up: true, Host: nonEmpty(b.Host), Port: known(b.Port), Rack: b.Rack}
	}
	fencedCtx, cancel := step(ctx, 0.5)
	fenced, err := in.fencedBrokers(fencedCtx)
	cancel()
	if err != nil {
		answer.warn(problemFrom(err, clusterTarget, "find out the brokers that are down by DescribeCluster", "DESCRIBE on the cluster"))
	}
	for _, b := range fenced {
		if rows[b.NodeID] == nil {
			rows[b.NodeID] = &Broker{ID: b.NodeID, Host: nonEmpty(b.Host), Port: known(b.Port), Rack: b.Rack}
		}
	}

	table, err := in.partitions(ctx, racksOf(metadata.Brokers), nil)
	if err != nil {
		answer.missing(problemFrom(err, clusterTarget, "read what the brokers lead", "DESCRIBE on the topics"))
	} else {
		answer.missing(table.errors...)
		var up []int32
		for id, row := range rows {
			if row.Up {
				up = append(up, id)
			}
		}
		for id, load := range LoadOf(up, table.rows) {
			if rows[id] == nil {
				rows[id] = &Broker{ID: id}
			}
			rows[id].BrokerLoad = load
		}
	}
	answer.Data = []Broker{}
	for _, id := range sortedKeys(rows) {
		answer.Data = append(answer.Data, *rows[id])
	}
	return answer, nil
}

// LoadOf counts what each broker leads and holds of the partitions given. up are
// the brokers that are up: they have a row even if they hold nothing, and only
// they have a skew.
func LoadOf(up []int32, partitions []Partition) map[int32]BrokerLoad {
	type count struct{ leads, preferred, replicas int }
	counts := map[int32]*count{}
	of := func(broker int32) *count {
		if counts[broker] == nil {
			counts[broker] = &count{}
		}
		return counts[broker]
	}
	for _, broker := range up {
		of(broker)
	}
	led := 0
	for _, p := range partitions {
		if p.Leader != nil {
			of(*p.Leader).leads++
			led++
		}
		if p.Preferred != nil {
			of(*p.Preferred).preferred++
		}
		for _, replica := range p.Replicas {
			of(replica).replicas++
		}
	}
	loads := make(map[int32]BrokerLoad, len(counts))
	for broker, c := range counts {
		load := BrokerLoad{Leads: &c.leads, Preferred: &c.preferred, Replicas: &c.replicas}
		if led > 0 && slices.Contains(up, broker) {
			skew := float64(c.leads*len(up))/float64(led) - 1
			load.Skew = &skew
		}
		loads[broker] = load
	}
	return loads
}

// fencedBrokers returns the brokers that are registered and not alive; none
// where the brokers cannot tell.
func (in *Inspector) fencedBrokers(ctx context.Context) ([]kmsg.DescribeClusterResponseBroker, error) {
	resp, err := anyBroker[*kmsg.DescribeClusterResponse](ctx, in, func() kmsg.Request {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.IncludeFencedBrokers = true
		return req
	})
	if in.lacksRequest(ctx, (&kmsg.DescribeClusterRequest{}).Key(), err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(resp.Brokers, func(b kmsg.DescribeClusterResponseBroker) bool { return !b.IsFenced }), nil
}
