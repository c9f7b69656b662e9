package inspect

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/predict"
)

const (
	// voterSilence is for how long a voter may not have fetched from the active
	// controller before it counts as down.
	voterSilence = 10 * time.Second
	// fetchSilence is the same for a voter on a broker that is out of service. A follower
	// fetches every half second at least; after 2 s without an answer
	// (controller.quorum.fetch.timeout.ms) it calls an election.
	fetchSilence = 2 * time.Second
	// fetchPause is how far two looks at such a voter lie apart.
	fetchPause = 200 * time.Millisecond
)

// voters judges who of the voters is up: the active controller tells when they fetched
// last, by its own clock, which no time of anybody is ahead of.
//
// A node that is both broker and voter is one process, but that the broker is out of
// service (fenced) says little of it: one that starts votes long before it serves, and
// one whose heartbeats fail goes on to vote. If it has just fetched, it may have ended
// since, so it is watched until it fetches again.
func (in *Inspector) voters(ctx context.Context, servers []kmsg.MetadataResponseBroker, quorum *quorumPartition, brokers []predict.Broker) []predict.Voter {
	outOfService := func(id int32) bool {
		return slices.ContainsFunc(brokers, func(b predict.Broker) bool { return b.ID == id && b.Down })
	}
	voters := make([]predict.Voter, 0, len(quorum.CurrentVoters))
	first := map[int32]int64{} // when those to be watched had fetched last
	for _, v := range quorum.CurrentVoters {
		silence, told := quorum.silence(v.ReplicaID)
		voter := predict.Voter{ID: v.ReplicaID, Down: told && silence > voterSilence.Milliseconds()}
		switch {
		case v.ReplicaID == quorum.LeaderID:
			voter.Down = false
		case outOfService(v.ReplicaID):
			voter.Down = true
			if told && silence <= fetchSilence.Milliseconds() {
				first[v.ReplicaID] = v.LastFetchTimestamp
			}
		}
		voters = append(voters, voter)
	}
	alive := in.seenToFetch(ctx, servers, quorum.LeaderEpoch, first)
	for i := range voters {
		voters[i].Down = voters[i].Down && !alive[voters[i].ID]
	}
	slices.SortFunc(voters, func(a, b predict.Voter) int { return int(a.ID) - int(b.ID) })
	return voters
}

// seenToFetch watches voters of which first has the last fetch, until each has fetched
// again or been silent for too long, and returns those that have.
func (in *Inspector) seenToFetch(ctx context.Context, servers []kmsg.MetadataResponseBroker, epoch int32, first map[int32]int64) map[int32]bool {
	alive := map[int32]bool{}
	ctx, cancel := context.WithTimeout(ctx, 2*fetchSilence)
	defer cancel()
	for len(first) > 0 && pause(ctx, fetchPause) {
		quorum, err := in.describeQuorum(ctx, servers)
		if err != nil {
			continue // until the time is over
		}
		for id, was := range first {
			silence, told := quorum.silence(id)
			switch {
			case id == quorum.LeaderID, told && quorum.LeaderEpoch == epoch && quorum.fetched(id) > was:
				alive[id] = true
				delete(first, id)
			case told && silence > fetchSilence.Milliseconds():
				delete(first, id)
			case quorum.LeaderEpoch != epoch: // by another clock
				first[id] = quorum.fetched(id)
			}
		}
		epoch = quorum.LeaderEpoch
	}
	return alive
}

// fetched is when a voter fetched last, -1 if that is not told.
func (q *quorumPartition) fetched(voter int32) int64 {
	for _, v := range q.CurrentVoters {
		if v.ReplicaID == voter {
			return v.LastFetchTimestamp
		}
	}
	return -1
}

// silence is for how many milliseconds a voter has not fetched; false if no times are told.
func (q *quorumPartition) silence(voter int32) (int64, bool) {
	now := int64(-1)
	for _, node := range slices.Concat(q.CurrentVoters, q.Observers) {
		now = max(now, node.LastFetchTimestamp) // some versions tell no time of the controller
	}
	return now - q.fetched(voter), now >= 0
}

// observersFrom returns the controllers that do not vote: observers of the metadata that
// are no brokers.
func observersFrom(quorum *quorumPartition, brokers []predict.Broker) []int32 {
	var ids []int32
	for _, o := range quorum.Observers {
		if !slices.ContainsFunc(brokers, func(b predict.Broker) bool { return b.ID == o.ReplicaID }) {
			ids = append(ids, o.ReplicaID)
		}
	}
	slices.Sort(ids)
	return ids
}
