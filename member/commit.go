package member

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func compare(a, b topicPartition) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// minLook is the least time between two looks whether calls under way have told progress.
const minLook = 10 * time.Millisecond

// commits commits what was handled, at most once in a CommitInterval, until the run
// ends. A commit that fails is tried again with the next, sooner than that.
func (r *run) commits() {
	m := r.m
	failures := 0
	// Calls say when they have returned. What they tell by Progress before that is
	// looked for, because a signal for each record would cost each record.
	look := time.NewTicker(max(m.cfg.CommitInterval, minLook))
	defer look.Stop()
	for {
		select {
		case <-r.dirty:
		case <-look.C:
		case <-r.halted:
			return
		}
		if _, held := m.session.current(); held {
			continue // what becomes of the member is open; release comes back to it
		}
		began := time.Now()
		m.mu.Lock()
		parts := m.list()
		m.mu.Unlock()
		if !slices.ContainsFunc(parts, func(p *partition) bool { _, dirty := p.toCommit(); return dirty }) {
			failures = 0
			continue // what is handled next is committed at once
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), m.settings.session)
		err := m.commit(ctx, parts)
		cancel()
		pause := m.cfg.CommitInterval - time.Since(began)
		if err == nil {
			failures = 0
		} else {
			failures++
			m.emit(Event{Kind: EventCommitFailed, Attempt: failures, Err: err})
			pause = min(m.cfg.CommitInterval, backoff(failures))
			r.toCommit()
		}
		if pause > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-r.halted:
			}
			timer.Stop()
		}
	}
}

// commit sends one commit of what was handled of the partitions and not committed, and
// returns the first error that the brokers answered, or could not.
func (m *Member) commit(ctx context.Context, parts []*partition) error {
	// One at a time, and none of a partition that is gone: kgo commits with the
	// member id and generation at the time of sending, in which the partition may
	// be another member's.
	m.committing.Lock()
	defer m.committing.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.mu.Lock()
	m.cancelCommit = cancel
	m.mu.Unlock()

	offsets := make(map[string]map[int32]kgo.EpochOffset)
	of := make(map[topicPartition]*partition)
	for _, p := range parts {
		position, dirty := p.toCommit()
		if !dirty {
			continue
		}
		if offsets[p.topic] == nil {
			offsets[p.topic] = make(map[int32]kgo.EpochOffset)
		}
		offsets[p.topic][p.partition] = position
		of[p.topicPartition] = p
	}
	if len(of) == 0 {
		return nil
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		if _, _, held := m.session.state(); errors.Is(held, ErrLost) {
			return held
		}
		for _, p := range of {
			if p.isGone() || p.member != req.MemberID {
				return ErrLost
			}
		}
		return nil
	})
	var failed error
	m.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			failed = err
			return
		}
		names := make(map[[16]byte]string, len(req.Topics)) // OffsetCommit v10 answers with ids
		for _, t := range req.Topics {
			names[t.TopicID] = t.Topic
		}
		for _, t := range resp.Topics {
			if t.Topic == "" {
				t.Topic = names[t.TopicID]
			}
			for _, answer := range t.Partitions {
				p := of[topicPartition{t.Topic, answer.Partition}]
				if p == nil {
					continue
				}
				delete(of, p.topicPartition)
				err := p.committedTo(offsets[p.topic][p.partition], kerr.ErrorForCode(answer.ErrorCode))
				if err != nil && failed == nil {
					failed = fmt.Errorf("%s[%d]: %w", p.topic, p.partition, err)
				}
			}
		}
		for _, p := range of {
			if failed == nil {
				failed = fmt.Errorf("%s[%d]: the coordinator left it out of its answer", p.topic, p.partition)
			}
		}
	})
	if failed != nil {
		return fmt.Errorf("offsets could not be committed: %w", failed)
	}
	return nil
}

// committedTo takes the answer to a commit, and returns its error unless nothing can be
// done about it: the offsets of a topic that was deleted go with it.
func (p *partition) committedTo(position kgo.EpochOffset, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.committed = position
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		p.forgotten = true
	}
	return err
}

func (p *partition) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase == gone
}

// commitFinally commits partitions before they are given up, and tries again until it
// succeeds, cannot, or ctx ends.
func (m *Member) commitFinally(ctx context.Context, parts []*partition) {
	defer context.AfterFunc(ctx, m.giveUpCommit)() // which may be one begun before, that this one waits for
	for _, p := range parts {
		p.mu.Lock()
		p.forgotten = false // a broker that did not know the topic yet may do so now
		p.mu.Unlock()
	}
	for attempt := 1; ; attempt++ {
		err := m.commit(ctx, parts)
		if err == nil {
			return
		}
		m.emit(Event{Kind: EventCommitFailed, Attempt: attempt, Err: err})
		if outOfGroup(err) {
			return
		}
		timer := time.NewTimer(backoff(attempt))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// outOfGroup tells whether the coordinator refuses commits of this member, so that only
// joining anew helps.
func outOfGroup(err error) bool {
	for _, final := range []error{ErrLost, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.FencedInstanceID, kerr.FencedMemberEpoch, kgo.ErrClientClosed} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// stopCommit returns when no commit is under way that was begun before; one that is
// waiting for the coordinator is given up.
func (m *Member) stopCommit() {
	m.giveUpCommit()
	m.committing.Lock()
	defer m.committing.Unlock()
}

// giveUpCommit has the commit under way, if there is one, return.
func (m *Member) giveUpCommit() {
	m.mu.Lock()
	cancel := m.cancelCommit
	m.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
