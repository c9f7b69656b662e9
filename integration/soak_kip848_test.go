package integration

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/groupkit/groupkit/integration/cluster"
)

// handling waits until each of the processes has handled records after a time, and
// together they have those of all partitions.
func (s *soak) handling(since int64, processes ...*soakProcess) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d processes handle records of all partitions", len(processes)), func() (bool, string) {
		counts, partitions := make([]int, len(processes)), make(map[int32]bool)
		for _, e := range s.ledger.copied() {
			i := slices.IndexFunc(processes, func(p *soakProcess) bool { return p.number == e.Process })
			if e.What == handled && e.At > since && i >= 0 {
				counts[i]++
				partitions[e.Partition] = true
			}
		}
		return !slices.Contains(counts, 0) && len(partitions) == soakPartitions, fmt.Sprint(counts, len(partitions))
	})
}

// crashing has three processes handle records by Run on KIP-848. At the same time the
// broker that coordinates them is killed, one process is killed, and one is stopped in
// the midst of a record for longer than its session. The third handles everything, until
// the broker is back, the second wakes, and another comes for the first.
func crashing(t *testing.T, c *cluster.Cluster) {
	s := newSoak(t, c, soakKIP848)
	stop := s.producing()
	defer stop()
	dead, asleep, stays := s.processes[1], s.processes[2], s.processes[3]
	s.handling(0, dead, asleep, stays)
	s.busy(asleep, patience)

	coordinator := kadm.NewClient(newClient(t, c)).FindGroupCoordinators(t.Context(), s.group)[s.group].NodeID
	// The broker last, or the client hears that it is gone before its process is stopped,
	// and takes its partitions for lost.
	s.signal(dead, syscall.SIGKILL)
	s.signal(asleep, syscall.SIGSTOP)
	eventually(t, "the process is stopped", func() (bool, string) { return s.asleep(asleep) })
	since := clock()
	if err := c.Kill(t.Context(), coordinator); err != nil {
		t.Fatal(err)
	}
	<-dead.exited
	s.handling(since, stays)

	if err := c.Restart(t.Context(), coordinator); err != nil {
		t.Fatal(err)
	}
	s.signal(asleep, syscall.SIGCONT)
	eventually(t, "the process that was stopped tells what it found", func() (bool, string) {
		found, ok := s.ledger.last(func(e *entry) bool { return e.What == resumed && e.Process == asleep.number && e.At > since })
		if ok && (!found.Over || found.Commit != kerr.UnknownMemberID.Message && found.Commit != kerr.StaleMemberEpoch.Message) {
			t.Errorf("a process that was stopped found its handler's context over %t, and its commit was answered %q", found.Over, found.Commit)
		}
		return ok, ""
	})
	s.bury(dead)
	woken := clock()
	s.handling(woken, asleep, stays, s.processes[s.next])
	total := stop()
	eventually(t, fmt.Sprintf("all %d records are handled", total), func() (bool, string) {
		n := s.missing(total)
		return n == 0, fmt.Sprintf("%d are missing", n)
	})
	for _, p := range s.processes {
		s.end(p)
		delete(s.processes, p.number)
	}
	s.ledger.check(t)
	if sum := committed(t, c, s.group); sum != int64(total) {
		t.Errorf("%d offsets are committed, %d records were written", sum, total)
	}
	t.Logf("%d records, none lost", total)
}
