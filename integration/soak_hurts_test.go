package integration

import (
	"fmt"
	"syscall"
	"time"

	"github.com/groupkit/groupkit/member"
)

// hurt makes the leader change once.
type hurt func(s *soak, leader *soakProcess)

func killed(s *soak, leader *soakProcess) {
	since := clock()
	s.signal(leader, syscall.SIGKILL)
	s.succeeded(leader, since)
	s.bury(leader)
}

func cutOff(s *soak, leader *soakProcess) {
	s.keepBusy(leader)
	since := clock()
	leader.network.setCut(true)
	s.succeeded(leader, since)
	leader.network.setCut(false)
}

func paused(s *soak, leader *soakProcess) {
	s.keepBusy(leader)
	since := clock()
	s.signal(leader, syscall.SIGSTOP)
	eventually(s.t, "the leader is stopped", func() (bool, string) { return s.asleep(leader) })
	s.succeeded(leader, since)
	s.signal(leader, syscall.SIGCONT)
	s.woken(leader, since)
}

// busy has the leader handle records for so long.
func (s *soak) busy(leader *soakProcess, takes time.Duration) {
	s.t.Helper()
	since := clock()
	s.tell(leader, command{Do: doDrain, For: takes})
	eventually(s.t, "the leader is busy with records", func() (bool, string) {
		_, ok := s.ledger.last(func(e *entry) bool { return e.What == draining && e.At > since })
		return ok, ""
	})
}

// keepBusy has a leader that handles records by Run be in the midst of that for longer
// than it may be.
func (s *soak) keepBusy(leader *soakProcess) {
	s.t.Helper()
	if leader.runs {
		s.busy(leader, 2*soakSession)
	}
}

// drained: the leader handles records for longer than the rebalance timeout while a
// round goes on.
func drained(s *soak, leader *soakProcess) {
	isRound := func(e *entry) bool {
		return e.Event == string(member.EventJoining) || e.Event == string(member.EventAssigned)
	}
	for {
		s.busy(leader, soakRebalance+2*time.Second)
		var since int64
		s.provoked(leader, "a round goes on without the leader", func() (bool, string) {
			own, _ := s.ledger.latest(func(e *entry) bool { return e.Process == leader.number && isRound(e) })
			other, _ := s.ledger.latest(func(e *entry) bool {
				return e.Process != leader.number && e.Event == string(member.EventJoining)
			})
			since = other.At
			return own.Event == string(member.EventAssigned) && other.At > own.At, fmt.Sprintf("%+v, %+v", own, other)
		})
		// A JoinGroup of the leader may have been on its way, from before it was busy.
		joined := false
		eventually(s.t, "another process leads, or the leader has joined the round", func() (bool, string) {
			_, led := s.ledger.last(func(e *entry) bool { return e.What == acted && e.Process != leader.number && e.At > since })
			if !led {
				_, joined = s.ledger.last(func(e *entry) bool {
					return e.Process == leader.number && e.Event == string(member.EventAssigned) && e.At > since
				})
			}
			return led || joined, ""
		})
		if !joined {
			s.succeeded(leader, since)
			return
		}
		leader = s.leader()
	}
}

// slow: Lead takes longer than the rebalance timeout to return after a resignation;
// nobody else leads before.
func slow(s *soak, leader *soakProcess) {
	s.tell(leader, command{Do: doSlow, For: soakRebalance + time.Second})
	since := clock()
	s.tell(leader, command{Do: doResign})
	s.succeeded(leader, since)
	returned, _ := s.ledger.last(func(e *entry) bool { return e.What == ended && e.Process == leader.number })
	for _, in := range intervals(s.ledger.copied()) {
		if in.process != leader.number && in.last > since && in.first < returned.At {
			s.t.Errorf("%+v began before the work of the former leader returned at %d", in, returned.At)
		}
	}
}

func resigned(s *soak, leader *soakProcess) {
	since := clock()
	s.tell(leader, command{Do: doResign})
	s.succeeded(leader, since)
}

func left(s *soak, leader *soakProcess) {
	since := clock()
	s.tell(leader, command{Do: doLeave})
	s.succeeded(leader, since)
	s.bury(leader)
}

// killedJoining: the leader dies between JoinGroup and SyncGroup.
func killedJoining(s *soak, leader *soakProcess) {
	s.tell(leader, command{Do: doKillJoining})
	s.provoked(leader, "the leader dies between JoinGroup and SyncGroup", func() (bool, string) {
		select {
		case <-leader.exited:
			return true, ""
		default:
			return false, ""
		}
	})
	s.succeeded(leader, clock())
	s.bury(leader)
}

// pausedJoining: it is stopped there.
func pausedJoining(s *soak, leader *soakProcess) {
	s.tell(leader, command{Do: doStopJoining})
	s.provoked(leader, "the leader is stopped between JoinGroup and SyncGroup", func() (bool, string) { return s.asleep(leader) })
	since := clock()
	s.succeeded(leader, since)
	s.signal(leader, syscall.SIGCONT)
	s.woken(leader, since)
}
