package member_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/member"
)

// walk is an election in which anything happens in any order, by the clock of synctest.
type walk struct {
	t       *testing.T
	random  *rand.Rand // of the goroutine that walks
	clean   bool       // nothing fails, so that no term ends but by consent
	network kfake.VirtualNetwork
	cluster *kfake.Cluster

	candidates []*walker
	started    int
	faults     []*kfake.FaultHandle
	calls      sync.WaitGroup // of Close and Resign

	mu     sync.Mutex
	newest int64  // the term that was seen to be on
	by     string // its leader
	busy   int    // how many Leads have been called and have not returned
	terms  int
}

// walker is a candidate in a walk.
type walker struct {
	*testCandidate
	cut      atomic.Bool
	priority int32
	takes    bool
}

// late is a connection that takes its time.
type late struct{ silenced }

func (l late) Read(p []byte) (int, error) {
	n, err := l.silenced.Read(p)
	time.Sleep(rand.N(20 * time.Millisecond))
	return n, err
}

// lead is the Lead of all candidates. It looks at its context and then acts, both before
// any other can: no term acts once a later one has.
func (w *walk) lead(ctx context.Context, term member.Term) error {
	w.mu.Lock()
	w.terms++
	if w.busy++; w.clean && w.busy > 1 {
		w.t.Errorf("%d work at the same time", w.busy)
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy--
	}()
	number := term.Fence().Number
	for range 1 + rand.N(1000) {
		w.mu.Lock()
		if ctx.Err() != nil {
			w.mu.Unlock()
			if why := context.Cause(ctx); errors.Is(why, member.ErrResigned) || errors.Is(why, member.ErrSucceeded) || errors.Is(why, member.ErrClosed) {
				time.Sleep(max(0, rand.N(2*timedSession)-timedSession))
			}
			return nil
		}
		if number < w.newest || number == w.newest && term.Member != w.by {
			w.t.Errorf("the term %d of %s acts after the term %d of %s has", number, term.Member, w.newest, w.by)
		}
		w.newest, w.by = number, term.Member
		w.mu.Unlock()
		pause := time.NewTimer(rand.N(timedInterval))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
		if rand.N(50) == 0 {
			call, cancel := context.WithTimeout(ctx, rand.N(timedInterval))
			_ = term.Check(call)
			cancel()
		}
	}
	switch rand.N(4) {
	case 0:
		return errors.New("no luck")
	case 1:
		panic("no luck at all")
	case 2:
		return member.ErrTermDone
	}
	return nil
}

func (w *walk) start() {
	w.started++
	c := &walker{priority: int32(w.random.IntN(3)), takes: w.random.IntN(4) > 0}
	c.testCandidate = stand(w.t, w.cluster, member.ElectionConfig{
		Client: []kgo.Opt{kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := w.network.DialContext(ctx, network, address)
			return late{silenced{conn, &c.cut}}, err
		})},
		Lead: w.lead, Priority: c.priority, NoTakeover: !c.takes, Observer: w.random.IntN(4) == 0,
		Payload:        fmt.Append(nil, w.started),
		SessionTimeout: timedSession, HeartbeatInterval: timedInterval,
	})
	w.candidates = append(w.candidates, c)
}

// shortly returns a context that ends at any time, or has ended.
func (w *walk) shortly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), []time.Duration{0, time.Millisecond, timedInterval, timedSession, time.Hour}[w.random.IntN(5)])
}

// step does one thing.
func (w *walk) step() {
	if len(w.candidates) == 0 || w.random.IntN(6) == 0 && len(w.candidates) < 6 {
		w.start()
		return
	}
	at := w.random.IntN(len(w.candidates))
	c := w.candidates[at]
	switch w.random.IntN(14) {
	case 0:
		for range 1 + w.random.IntN(2) {
			ctx, cancel := w.shortly()
			w.calls.Go(func() {
				defer cancel()
				if err := c.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					w.t.Error(err)
				}
			})
		}
		w.candidates = slices.Delete(w.candidates, at, at+1)
	case 1, 2:
		ctx, cancel := w.shortly()
		w.calls.Go(func() {
			defer cancel()
			if err := c.Resign(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				w.t.Error(err)
			}
		})
	case 3, 4:
		c.Stand()
	case 5, 6:
		c.priority = int32(w.random.IntN(3))
		c.SetPriority(c.priority)
	case 7:
		if err := c.SetPayload(make([]byte, w.random.IntN(100))); err != nil {
			w.t.Error(err)
		}
	case 8:
		ctx, cancel := w.shortly()
		w.calls.Go(func() {
			defer cancel()
			_, _ = c.WaitLeader(ctx)
		})
	case 9:
		w.cluster.RehashCoordinators()
	case 10, 11:
		if !w.clean {
			w.fail(c)
		}
	default:
		for _, c := range w.candidates {
			c.Stand()
		}
	}
}

// fail has something go wrong.
func (w *walk) fail(c *walker) {
	if w.random.IntN(2) == 0 {
		c.cut.Store(!c.cut.Load())
		return
	}
	keys := []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.LeaveGroup, kmsg.FindCoordinator}
	errs := []*kerr.Error{
		kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.NotCoordinator,
		kerr.CoordinatorLoadInProgress, kerr.UnknownServerError, kerr.GroupAuthorizationFailed,
	}
	w.faults = append(w.faults, w.cluster.Fault(kfake.Fault{
		Keys: keys[w.random.IntN(len(keys)):][:1], Err: errs[w.random.IntN(len(errs))], Count: 1 + w.random.IntN(4),
	}))
}

// settle lets all be well after an outage, and sees one of those lead who should.
func (w *walk) settle() {
	for len(w.candidates) < 2 {
		w.start()
	}
	synctest.Wait() // every Resign has begun
	for _, f := range w.faults {
		f.Remove()
	}
	highest := int32(-1)
	for _, c := range w.candidates {
		c.Stand()
		if c.takes {
			highest = max(highest, c.priority)
		}
	}
	w.calls.Wait()
	// An outage in which the brokers forget all members. kfake loses count of those that
	// are removed while they wait for SyncGroup, and then a round ends only when nobody
	// has joined for the rebalance timeout.
	w.mu.Lock()
	w.clean = false
	w.mu.Unlock()
	for _, c := range w.candidates {
		c.cut.Store(true)
	}
	time.Sleep(4 * timedRebalance)
	for _, c := range w.candidates {
		c.cut.Store(false)
	}
	time.Sleep(4 * timedRebalance)
	synctest.Wait()
	var leaders []*walker
	for _, c := range w.candidates {
		if c.Leading() {
			leaders = append(leaders, c)
		}
	}
	if len(leaders) != 1 || leaders[0].priority < highest {
		w.t.Fatalf("%d lead; the highest priority is %d", len(leaders), highest)
	}
	leader, _ := leaders[0].Leader()
	for _, c := range w.candidates {
		if l, ok := c.Leader(); !ok || l.Fence != leader.Fence {
			w.t.Errorf("one names %v, %t, and the leader %v", l.Fence, ok, leader.Fence)
		}
	}
}

var walks = flag.Uint64("walks", 6, "how many walks of each kind go through an election")

// Whatever is done with candidates in whatever order, no term acts once a later one has;
// where nothing fails no work begins before the former has returned; one of the
// highest priority leads in the end; all states are legal ones, and no goroutine is left.
// More of it: go test -race -run RandomWalkThroughAnElection ./member -walks 200
func TestARandomWalkThroughAnElection(t *testing.T) {
	for seed := range *walks {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d, nothing fails %t", seed, clean), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					t.Cleanup(func() { time.Sleep(time.Second) }) // for connections that are late
					w := &walk{t: t, clean: clean, random: rand.New(rand.NewPCG(seed, 0))}
					var err error
					w.cluster, err = kfake.NewCluster(kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.ListenFn(w.network.Listen))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(w.cluster.Close)
					pauses := []time.Duration{0, 0, time.Millisecond, timedInterval / 2, timedInterval, 3 * timedInterval, timedSession}
					for range 80 {
						w.step()
						time.Sleep(pauses[w.random.IntN(len(pauses))])
					}
					w.settle()
					for _, c := range w.candidates {
						c.close(t)
						c.checkStates(t)
					}
					t.Logf("%d candidates, %d calls of Lead", w.started, w.terms)
				})
			})
		}
	}
}
