package inspect

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupCommits is what one group committed. Topics are told by name or, on newer
// brokers, by ID alone.
type groupCommits struct {
	byName map[string]map[int32]committedOffset
	byID   map[[16]byte]map[int32]committedOffset
}

func (c *groupCommits) topic(name string, id [16]byte) map[int32]committedOffset {
	if name == "" {
		of := c.byID[id]
		if of == nil {
			of = map[int32]committedOffset{}
			c.byID[id] = of
		}
		return of
	}
	of := c.byName[name]
	if of == nil {
		of = map[int32]committedOffset{}
		c.byName[name] = of
	}
	return of
}

func newGroupCommits() *groupCommits {
	return &groupCommits{byName: map[string]map[int32]committedOffset{}, byID: map[[16]byte]map[int32]committedOffset{}}
}

// commits returns what each group committed, asked of its coordinator in batches
// (KIP-709), and one by one of brokers before 3.0.
func (in *Inspector) commits(ctx context.Context, groups []string, at map[string]int32) map[string]ofGroup[*groupCommits] {
	return askCoordinators(ctx, in, groups, at, func(ctx context.Context, node int32, batch []string) (map[string]ofGroup[*groupCommits], error) {
		req := kmsg.NewPtrOffsetFetchRequest()
		for _, group := range batch {
			of := kmsg.NewOffsetFetchRequestGroup()
			of.Group = group
			req.Groups = append(req.Groups, of)
		}
		// What a broker before v8 reads; it answers for that one.
		req.Group = batch[0]
		resp, err := oneBroker[*kmsg.OffsetFetchResponse](ctx, in, node, req)
		if err != nil {
			return nil, err
		}
		answered := make(map[string]ofGroup[*groupCommits], len(batch))
		if resp.Version < 8 {
			answered[batch[0]] = commitsOfOne(resp)
			for _, group := range batch[1:] {
				one := kmsg.NewPtrOffsetFetchRequest()
				one.Group = group
				resp, err := oneBroker[*kmsg.OffsetFetchResponse](ctx, in, node, one)
				if err != nil {
					return answered, err
				}
				answered[group] = commitsOfOne(resp)
			}
			return answered, nil
		}
		for i := range resp.Groups {
			g := &resp.Groups[i]
			commits := newGroupCommits()
			for _, t := range g.Topics {
				of := commits.topic(t.Topic, t.TopicID)
				for _, p := range t.Partitions {
					of[p.Partition] = committedOffset{offset: p.Offset, lag: -1, err: kerr.ErrorForCode(p.ErrorCode)}
				}
			}
			answered[g.Group] = ofGroup[*groupCommits]{commits, kerr.ErrorForCode(g.ErrorCode)}
		}
		return answered, nil
	})
}

func commitsOfOne(resp *kmsg.OffsetFetchResponse) ofGroup[*groupCommits] {
	commits := newGroupCommits()
	err := kerr.ErrorForCode(resp.ErrorCode)
	for _, t := range resp.Topics {
		of := commits.topic(t.Topic, [16]byte{})
		for _, p := range t.Partitions {
			of[p.Partition] = committedOffset{offset: p.Offset, lag: -1, err: kerr.ErrorForCode(p.ErrorCode)}
			if err == nil && resp.Version < 2 {
				err = kerr.ErrorForCode(p.ErrorCode) // where groups have no error of their own
			}
		}
	}
	return ofGroup[*groupCommits]{commits, err}
}

// shareStarts returns where share groups have come to in each partition (KIP-932), and
// how far they are behind, where the broker tells that (KIP-1226).
func (in *Inspector) shareStarts(ctx context.Context, groups []string, at map[string]int32) map[string]ofGroup[*groupCommits] {
	return askCoordinators(ctx, in, groups, at, func(ctx context.Context, node int32, batch []string) (map[string]ofGroup[*groupCommits], error) {
		req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
		for _, group := range batch {
			of := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
			of.GroupID, of.Topics = group, nil
			req.Groups = append(req.Groups, of)
		}
		resp, err := oneBroker[*kmsg.DescribeShareGroupOffsetsResponse](ctx, in, node, req)
		if err = in.unsupportedAs(ctx, node, req.Key(), err); err != nil {
			return nil, err
		}
		answered := make(map[string]ofGroup[*groupCommits], len(batch))
		for i := range resp.Groups {
			g := &resp.Groups[i]
			commits := newGroupCommits()
			for _, t := range g.Topics {
				of := commits.topic(t.Topic, t.TopicID)
				for _, p := range t.Partitions {
					of[p.Partition] = committedOffset{offset: p.StartOffset, lag: p.Lag, err: kerr.ErrorForCode(p.ErrorCode)}
				}
			}
			answered[g.GroupID] = ofGroup[*groupCommits]{commits, kerr.ErrorForCode(g.ErrorCode)}
		}
		return answered, nil
	})
}
