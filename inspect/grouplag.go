package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// lagOf computes the lag of groups.
type lagOf struct {
	in      *Inspector
	groups  map[string]*Group
	commits map[string]ofGroup[*groupCommits]

	errors, warnings []Problem
}

// addLags fills in the lag of the groups and their members. The commits are read before
// the ends of the logs, so that a group that keeps up is not seen ahead of them.
func (in *Inspector) addLags(ctx context.Context, groups map[string]*Group) (errors, warnings []Problem) {
	l := &lagOf{in: in, groups: groups}
	once, cancel := step(ctx, 0.5)
	l.readCommits(once)
	cancel()

	names, ids := l.topics()
	once, cancel = step(ctx, 0.4)
	found := in.readLeaders(once, names, ids)
	cancel()
	if found.err != nil {
		l.errors = append(l.errors, problemFrom(found.err, clusterTarget, "read which brokers lead the groups' topics", "DESCRIBE on the topics"))
	}
	l.nameTopics(found)

	// Each partition is asked for once, whichever groups consume it.
	wanted := map[partitionID]bool{}
	for _, name := range sortedKeys(groups) {
		l.rows(groups[name], found.byName, func(row PartitionLag, _ *committedOffset) {
			wanted[partitionID{row.Topic, row.Partition}] = true
		})
	}
	all := make([]partitionID, 0, len(wanted))
	for p := range wanted {
		all = append(all, p)
	}
	slices.SortFunc(all, comparePartitions)
	ends, problems := in.logEnds(ctx, found.byName, all)
	l.errors = append(l.errors, problems...)

	for _, name := range sortedKeys(groups) {
		l.addLag(groups[name], found.byName, ends)
	}
	return l.errors, l.warnings
}

// readCommits asks the coordinators, for share groups in another way.
func (l *lagOf) readCommits(ctx context.Context) {
	at := make(map[string]int32, len(l.groups))
	var share, others []string
	for _, name := range sortedKeys(l.groups) {
		group := l.groups[name]
		if group.Coordinator != nil {
			at[name] = *group.Coordinator
		}
		if group.Type != nil && *group.Type == typeShare {
			share = append(share, name)
		} else {
			others = append(others, name)
		}
	}
	var ofShare map[string]ofGroup[*groupCommits]
	var asking sync.WaitGroup
	asking.Go(func() { ofShare = l.in.shareStarts(ctx, share, at) })
	l.commits = l.in.commits(ctx, others, at)
	asking.Wait()
	for name, commits := range ofShare {
		l.commits[name] = commits
	}
	for _, name := range sortedKeys(l.groups) {
		if err := l.commits[name].err; err != nil {
			acl := fmt.Sprintf("DESCRIBE on the group %q", name)
			if errors.Is(err, kerr.TopicAuthorizationFailed) {
				acl = fmt.Sprintf("DESCRIBE on the topics of the group %q", name)
			}
			l.errors = append(l.errors, problemFrom(err, name, fmt.Sprintf("read what the group %q committed", name), acl))
		}
	}
}

// topics returns the topics that groups committed in, subscribe to or are assigned.
func (l *lagOf) topics() ([]string, map[[16]byte]bool) {
	names, ids := map[string]bool{}, map[[16]byte]bool{}
	for name, group := range l.groups {
		if commits := l.commits[name].value; commits != nil {
			for topic := range commits.byName {
				names[topic] = true
			}
			for id := range commits.byID {
				ids[id] = true
			}
		}
		for i := range group.Members {
			for _, topic := range group.Members[i].Topics {
				names[topic] = true
			}
			for _, tp := range group.Members[i].Assigned {
				names[tp.Topic] = true
			}
		}
	}
	return sortedKeys(names), ids
}

// nameTopics finds the names of topics that commits told by ID. Of one that was deleted
// only the commit is left: it cannot be behind, and is left out. Where the names could
// not be asked for, it is not known what the group committed.
func (l *lagOf) nameTopics(found leadersFound) {
	for group, commits := range l.commits {
		if commits.value == nil {
			continue
		}
		for id, of := range commits.value.byID {
			if name := found.names[id]; name != "" {
				commits.value.byName[name] = of
			}
		}
		if len(commits.value.byID) > 0 && found.err != nil && commits.err == nil {
			commits.err = found.err
			l.commits[group] = commits
		}
		commits.value.byID = nil
	}
}

// rows calls each for every partition of a group, sorted, with what was committed there.
func (l *lagOf) rows(group *Group, topics map[string]*leadersOfTopic, each func(PartitionLag, *committedOffset)) {
	share := group.Type != nil && *group.Type == typeShare
	owners := map[string]map[int32]*string{}
	in := func(topic string) map[int32]*string {
		if owners[topic] == nil {
			owners[topic] = map[int32]*string{}
		}
		return owners[topic]
	}
	for i := range group.Members {
		m := &group.Members[i]
		for _, topic := range m.Topics {
			of := in(topic)
			if t := topics[topic]; t != nil {
				for p := range t.leaders {
					if _, ok := of[int32(p)]; !ok {
						of[int32(p)] = nil
					}
				}
			}
		}
	}
	for i := range group.Members {
		m := &group.Members[i]
		for _, tp := range m.Assigned {
			of := in(tp.Topic)
			for _, p := range tp.Partitions {
				if of[p] = nil; !share {
					of[p] = &m.ID
				}
			}
		}
	}
	commits := l.commits[group.Group].value
	if commits != nil {
		for topic, of := range commits.byName {
			for p, commit := range of {
				if _, ok := in(topic)[p]; !ok && (commit.offset >= 0 || commit.err != nil) {
					owners[topic][p] = nil
				}
			}
		}
	}
	for _, topic := range sortedKeys(owners) {
		for _, p := range sortedKeys(owners[topic]) {
			row := PartitionLag{Topic: topic, Partition: p, Member: owners[topic][p]}
			var committed *committedOffset
			if commits != nil {
				if commit, ok := commits.byName[topic][p]; ok {
					committed = &commit
				}
			}
			each(row, committed)
		}
	}
}

func (l *lagOf) addLag(group *Group, topics map[string]*leadersOfTopic, ends map[partitionID]logEnds) {
	lag := &GroupLag{Partitions: []PartitionLag{}}
	failed := l.commits[group.Group].err != nil
	ofMember := map[string]int64{}
	var untold []string // partitions of which the coordinator does not tell the offset
	var why error
	l.rows(group, topics, func(row PartitionLag, committed *committedOffset) {
		measure(&row, committed, ends[partitionID{row.Topic, row.Partition}])
		// Brokers leave out of what was committed the topics that may not be seen.
		t := topics[row.Topic]
		hidden := committed == nil && t != nil && t.err == kerr.TopicAuthorizationFailed
		isUntold := committed != nil && committed.err != nil
		if isUntold {
			untold, why = append(untold, fmt.Sprintf("%s-%d", row.Topic, row.Partition)), cmp.Or(why, committed.err)
		}
		lag.add(row, failed || hidden || isUntold)
		if row.Lag != nil && row.Member != nil {
			ofMember[*row.Member] += *row.Lag
		}
	})
	if len(untold) > 0 && !failed {
		l.errors = append(l.errors, problemFrom(why, group.Group, fmt.Sprintf("read what the group %q committed in %d partitions, %s", group.Group, len(untold), fewOf(untold)),
			fmt.Sprintf("DESCRIBE on the topics of the group %q", group.Group)))
	}
	if group.Members == nil && (failed || len(lag.Partitions) == 0) {
		return // nothing at all is known
	}
	group.Lag = lag
	for i := range group.Members {
		m := &group.Members[i]
		if sum, ok := ofMember[m.ID]; ok {
			m.Lag = &sum
		} else if m.Assigned != nil && len(m.Assigned) == 0 {
			m.Lag = new(int64)
		}
	}
	l.warnings = append(l.warnings, lagWarnings(group.Group, lag)...)
}
