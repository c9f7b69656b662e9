package member

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A HealthState is what [Member.Health] comes to.
type HealthState string

const (
	// HealthJoining: the member is not in the group yet, or has left it for
	// a reason that passes and joins again.
	HealthJoining HealthState = "joining"
	// HealthIdle: it is in the group and has nothing to do.
	HealthIdle HealthState = "idle"
	// HealthWorking: handlers run, or records wait for them.
	HealthWorking HealthState = "working"
	// HealthStalled: records wait and none is handled, see Config.StallTimeout, or a
	// partition was stopped.
	HealthStalled HealthState = "stalled"
	// HealthFenced: the coordinator does not acknowledge the member, or another
	// process took its instance id: no handler may run.
	HealthFenced HealthState = "fenced"
	// HealthClosed: Close was called, or the client was closed.
	HealthClosed HealthState = "closed"
)

// Health is how a member is.
type Health struct {
	State HealthState
	Owned int  // partitions that the member has
	Runs  bool // a call of Run is under way

	// Lease is for how long the coordinator's last acknowledgement lets handlers go
	// on, also where the member has no partition; 0 where they may not, and before
	// it is in the group.
	Lease time.Duration

	// Stalled are partitions that make no progress, see Config.StallTimeout, or that
	// StopPartition stopped.
	Stalled []PartitionStatus

	// Err tells why the member is stalled, fenced, joining again, or not able to join,
	// as EventWaiting does; or closed, where not by Close.
	Err error
}

// Ready is for a readiness probe: the member is in the group, and everything that it has
// is handled. Where it has partitions and Run is not under way, nothing is.
func (h Health) Ready() bool {
	return (h.State == HealthIdle || h.State == HealthWorking) && (h.Runs || h.Owned == 0)
}

// String is one line for people.
func (h Health) String() string {
	if h.Err != nil {
		return fmt.Sprintf("%s, %d partitions: %v", h.State, h.Owned, h.Err)
	}
	return fmt.Sprintf("%s, %d partitions", h.State, h.Owned)
}

// Health tells how the member is. It asks nobody and may be called at any time, from any
// goroutine.
func (m *Member) Health() Health {
	in, out, held := m.session.state()
	status := m.Partitions()
	m.mu.Lock()
	h := Health{Owned: len(status), Runs: m.run != nil}
	isClosed, fatal := m.closed, m.fatal
	m.mu.Unlock()
	if l, fenced := m.session.current(); l != nil && !fenced {
		h.Lease = max(0, l.left(time.Now()))
	}
	working := false
	for _, p := range status {
		if p.Stopped != nil || p.Stalled {
			h.Stalled = append(h.Stalled, p)
			if h.Err = p.Stopped; h.Err == nil {
				h.Err = p.stalled
			}
		}
		working = working || p.Queued > 0
	}
	switch {
	case isClosed:
		h.State, h.Err = HealthClosed, nil
	case errors.Is(fatal, kgo.ErrClientClosed):
		h.State, h.Err = HealthClosed, fatal
	case errors.Is(fatal, ErrStalled):
		h.State, h.Err = HealthStalled, fatal
	case fatal != nil:
		h.State, h.Err = HealthFenced, fatal
	case held != nil:
		h.State, h.Err = HealthFenced, held
	case len(h.Stalled) > 0:
		h.State = HealthStalled
	case !in:
		if h.State, h.Err = HealthJoining, out; out == nil {
			h.Err = m.waitsFor()
		}
	case working:
		h.State = HealthWorking
	default:
		h.State = HealthIdle
	}
	return h
}

// A PartitionStatus is how far a member is with one of its partitions.
type PartitionStatus struct {
	Topic     string
	Partition int32

	// Position is the offset behind the last record that was handled, Committed
	// the one that was last committed: -1 as long as this member has done neither
	// since it was assigned the partition.
	Position, Committed int64

	// HighWatermark is the end of the partition when it was last polled, -1 before
	// that. Lag is how many offsets lie between it and Position, or the first
	// record that waits; 0 where neither is known.
	HighWatermark, Lag int64

	// Queued is how many records wait, those of the handler's call included.
	Queued int

	// Since is when the handler that runs was called, zero where none does, and
	// Stalled what the watchdog says of the partition, see EventStalled.
	Since   time.Time
	Stalled bool
	stalled error // why it is

	// Stopped is the *Failure for which StopPartition was chosen.
	Stopped error
}

// Partitions tells how far the member is with what it has, sorted by topic and
// partition.
func (m *Member) Partitions() []PartitionStatus {
	m.mu.Lock()
	parts := m.list()
	m.mu.Unlock()
	sortPartitions(parts)
	all := make([]PartitionStatus, len(parts))
	for i, p := range parts {
		all[i] = p.status()
	}
	return all
}

func (p *partition) status() PartitionStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PartitionStatus{
		Topic: p.topic, Partition: p.partition, Committed: p.committed.Offset, HighWatermark: p.highest,
		Position: p.positionLocked().Offset, Stalled: p.stalled != nil, stalled: p.stalled, Stopped: p.stopped,
	}
	for _, b := range p.queue {
		s.Queued += len(b.records)
	}
	if p.call != nil {
		s.Since = p.call.began
		s.Queued -= int(p.call.done.Load())
	}
	from := s.Position
	if from < 0 && len(p.queue) > 0 {
		from = p.queue[0].records[0].Offset
	}
	if from >= 0 {
		s.Lag = max(0, s.HighWatermark-from)
	}
	return s
}
