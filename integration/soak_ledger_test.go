package integration

import (
	"cmp"
	"encoding/json"
	"net"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// clock reads the monotonic clock that all processes of this machine share, in
// nanoseconds. It goes on while a process is stopped.
func clock() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	return now.Nano()
}

// What a process tells the ledger.
const (
	// acted: the process led at the time At, and does something that only a leader
	// may do: the context of its term had not ended when it looked, which was later.
	acted = "acted"
	// ended: Lead returns.
	ended = "ended"
	// woke: Lead has not run for longer than half a session, and what it then found.
	woke = "woke"
	// resumed: a handler was under way for longer than half a session without a look, and
	// what it then found.
	resumed = "resumed"
	// stopped: the test has stopped the process by SIGSTOP, and not yet woken it.
	stopped = "stopped"
	// draining: the process begins to handle records for long.
	draining = "draining"
	// handled: records were handled, by the owner of their partition; without Values they
	// are still being handled.
	handled = "handled"
	// happened: an event of the member.
	happened = "happened"
)

// An entry is one line in the ledger.
type entry struct {
	What    string
	Process int   // which of the test's processes
	At      int64 // by clock

	Member string `json:",omitempty"`
	Fence  int64  `json:",omitempty"` // acted, ended, woke: the number of the term

	// woke, resumed
	Over   bool   `json:",omitempty"` // the first look at the context told that the term is over
	Check  string `json:",omitempty"` // woke: what Term.Check said
	Commit string `json:",omitempty"` // how a commit under the member and generation from before was answered

	// handled
	Looked     bool     `json:",omitempty"` // the context of the handler had not ended when it looked, which was after At
	Generation int32    `json:",omitempty"`
	Partition  int32    `json:",omitempty"`
	Values     []string `json:",omitempty"`

	Event string `json:",omitempty"` // happened
	Err   string `json:",omitempty"`

	// Refused is the store's answer to acted and woke, which it takes for writes: the
	// fence is older than the highest that it has seen.
	Refused bool `json:",omitempty"`
}

// ledger keeps what processes tell, outside of them, and is the store that they write
// to: it refuses what comes with an old fence.
type ledger struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu      sync.Mutex
	entries []entry
	highest int64
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{}
	var err error
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.serving.Go(func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.serving.Go(func() { l.serve(conn) })
		}
	})
	t.Cleanup(func() { // after the processes, and with them the connections, ended
		l.listener.Close()
		l.serving.Wait()
	})
	return l
}

func (l *ledger) serve(conn net.Conn) {
	defer conn.Close()
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	for {
		var e entry
		if in.Decode(&e) != nil {
			return // the process is gone
		}
		l.add(&e)
		if out.Encode(e.Refused) != nil {
			return
		}
	}
}

func (l *ledger) add(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.What == acted || e.What == woke {
		e.Refused = e.Fence < l.highest
		l.highest = max(l.highest, e.Fence)
	}
	l.entries = append(l.entries, *e)
}

// latest returns the entry that fits of which the time is the latest. It may have been
// told before others: a process that woke looks around before it tells so.
func (l *ledger) latest(fits func(*entry) bool) (latest entry, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.entries {
		if e := &l.entries[i]; fits(e) && (!ok || e.At >= latest.At) {
			latest, ok = *e, true
		}
	}
	return latest, ok
}

// last returns the entry that fits which was told last.
func (l *ledger) last(fits func(*entry) bool) (entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.entries) - 1; i >= 0; i-- {
		if fits(&l.entries[i]) {
			return l.entries[i], true
		}
	}
	return entry{}, false
}

func (l *ledger) copied() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// interval is the time for which one term was seen to be on.
type interval struct {
	fence       int64
	process     int
	first, last int64 // acted
	returned    int64 // Lead; 0 when the process was killed
}

// intervals lists the terms in the order in which they began.
func intervals(entries []entry) []interval {
	byTerm := make(map[[2]int64]*interval)
	for _, e := range entries {
		key := [2]int64{int64(e.Process), e.Fence}
		in := byTerm[key]
		switch e.What {
		case acted:
			if in == nil {
				in = &interval{fence: e.Fence, process: e.Process, first: e.At, last: e.At}
				byTerm[key] = in
			}
			in.first, in.last = min(in.first, e.At), max(in.last, e.At)
		case ended:
			if in != nil {
				in.returned = e.At
			}
		}
	}
	var all []interval
	for _, in := range byTerm {
		all = append(all, *in)
	}
	slices.SortFunc(all, func(a, b interval) int { return cmp.Compare(a.first, b.first) })
	return all
}

// check holds the ledger to what is promised, and returns how many times the leader
// changed.
func (l *ledger) check(t *testing.T) (changes int) {
	t.Helper()
	entries := l.copied()
	terms := intervals(entries)
	for i := 1; i < len(terms); i++ {
		before, after := terms[i-1], terms[i]
		if after.first <= before.last {
			t.Errorf("terms overlap by %d ns: %+v and %+v", before.last-after.first, before, after)
		}
		if after.fence <= before.fence {
			t.Errorf("a later term has no higher fence: %+v and %+v", before, after)
		}
		if before.process != after.process {
			changes++
		}
	}
	type place struct {
		generation, partition int32
	}
	owners := make(map[place]string)
	asleep := make(map[int]bool)
	for _, e := range entries {
		switch e.What {
		case stopped:
			asleep[e.Process] = true
		case acted:
			asleep[e.Process] = false
		case woke, resumed:
			if asleep[e.Process] && !e.Over {
				t.Errorf("process %d, which was stopped, did not find at its first look that it is over: %+v", e.Process, e)
			}
		case handled:
			at := place{e.Generation, e.Partition}
			if owner := owners[at]; owner != "" && owner != e.Member {
				t.Errorf("partition %d was handled by %s and %s in generation %d", e.Partition, owner, e.Member, e.Generation)
			}
			owners[at] = e.Member
		}
	}
	checkHandlers(t, entries)
	return changes
}

// checkHandlers holds handlers that look at their contexts to more: none handles a
// partition that another member has had since.
func checkHandlers(t *testing.T, entries []entry) {
	t.Helper()
	byTime := slices.Clone(entries)
	slices.SortStableFunc(byTime, func(a, b entry) int { return cmp.Compare(a.At, b.At) })
	newest := make(map[int32]entry) // by partition
	for _, e := range byTime {
		if e.What != handled {
			continue
		}
		before, ok := newest[e.Partition]
		if ok && e.Looked && before.Member != e.Member && before.Generation >= e.Generation {
			t.Errorf("%s handled partition %d under generation %d, %d ns after %s did under %d",
				e.Member, e.Partition, e.Generation, e.At-before.At, before.Member, before.Generation)
		}
		if !ok || e.Generation >= before.Generation {
			newest[e.Partition] = e
		}
	}
}
