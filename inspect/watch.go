package inspect

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/internal/exchange"
)

// Watched says what to watch, and how hard to look. Its zero value is ready and
// watches all.
type Watched struct {
	// Elections watches the controller, the brokers, and the leaders and the ISR of
	// partitions. Groups watches groups. Neither means both.
	Elections, Groups bool
	// Topics are those whose partitions are watched; none means all, with the internal
	// ones.
	Topics []string
	// GroupNames are the groups to watch, whether or not they exist; none means all.
	// To name some is to watch Groups.
	GroupNames []string
	// Rate is how many requests a second are sent to each broker at most. 0 means 2.
	// Where that is too few to look at everything each second, looks lie further apart.
	Rate float64
	// Controllers is a client whose seeds are the listeners that controllers have for
	// each other, which clients can often not reach (bootstrap.controllers, KIP-919). All
	// seeds are asked every second who leads, and brokers are only while no controller
	// answers, which an event of watch.KindSight tells. Nil asks brokers. It takes DESCRIBE
	// on the cluster, as at brokers. Where Elections are not watched, it is not used.
	Controllers *kgo.Client
	// StallAfter is how long a committed offset may stand still behind the end of the
	// log, with an owner, until that is told. 0 means a minute.
	StallAfter time.Duration
}

const (
	defaultWatchRate = 2
	// lookEvery is how far looks at the same lie apart.
	lookEvery = time.Second
	// lookTimeout is how long a broker may take to answer one.
	lookTimeout = 5 * time.Second
)

// Watch looks at a cluster again and again and yields what changed: first snapshots of
// what is there, then events, each told once. See package watch for what they are.
//
//	for event, err := range in.Watch(ctx, inspect.Watched{GroupNames: []string{"orders"}}) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// It goes on until ctx ends or the loop is left. Brokers that do not answer do not end
// it: an event tells what cannot be looked at for more than two seconds, another when
// it can be again, and what changed meanwhile follows. The one error, after which
// nothing comes, is a [Problem] of an argument that cannot name anything.
//
// # How soon, and what it costs
//
// Looks at partitions and groups lie about a second apart; a change shows at the next
// one. Each broker gets at most [Watched.Rate] requests a second, whatever the number
// of groups: one request has all groups of a coordinator, up to a thousand. Connecting,
// finding out versions, and finding a broker while none answers for metadata, which takes
// a few requests to each, are the client's own and come on top. Metadata
// comes from one broker as long as it answers and the others take it for live.
//
// A change of metadata is told within two seconds of when brokers show it. A new
// controller shows later than it is elected: brokers hand that question on to the
// controller, and hold it back until their connection to one that died has failed. Where
// its host is gone with it, that takes them ten seconds (socket.connection.setup.timeout.ms)
// and up to thirty where they were waiting for an answer (request.timeout.ms). Controllers
// themselves say at once who leads: see [Watched.Controllers].
//
// It takes what [Inspector.Groups], [Inspector.Partitions] and [Inspector.Controller] take:
// DESCRIBE on each group, on each topic, and on the cluster; what is missing is told by an
// event of watch.KindSight, or left out by the brokers where nothing was named. Where READ on __consumer_offsets is granted too, the
// log's new records are read as they come, and each generation of a classic group, its
// leader, and rebalances that are too fast to be seen are told from there
// (watch.SourceLog). A group is told of first when the log was read before and after it
// was looked at, with no record of it between, and so nothing that follows is left out
// or told twice. Looks tell (watch.SourcePoll) what changes while the log cannot be
// read, of which an event of watch.KindSight tells; until it can be read again after
// a part was left out, because more than 100,000 records were behind or some do not
// decode; while more is written to a group's partition than is read of it, 4 MiB about
// once a second; of groups that are written to at each look for 12 seconds; and where the log
// was read to its end twice and does not hold what looks show, as with servers that do
// not write it.
//
// Where it is not granted, generations come from what coordinators answer: who joined
// and left, which partitions moved; the generation and the leader of a classic group are
// nil then. Who is elected in an election of package member, which is another thing than
// who leads its group, is told nevertheless. Lag is looked at every ten seconds, but for
// share groups, whose partitions have no owners; that it is not known in a topic of a group
// that may not be seen is told too.
//
// No topic is created. Without __consumer_offsets every group is absent; where it is
// hidden, groups are looked for at the brokers that list them, and an event of
// watch.KindSight says that the log is not read. FindCoordinator is asked where the topic
// is seen and the leader of a group's partition says that it is not the coordinator.
//
// A client that consumes too sends these fetches behind its own, which wait up to five
// seconds for records: give Watch a client of its own.
//
// # Goroutines
//
// The loop's body runs on the goroutine that ranges. Looks are taken on others, which
// have ended when the loop has, but for requests that the client itself does not give
// up. Each waits until its events have been taken: who is slow gets events later, and
// no more of them than there are, since what changes between two looks is one event.
func (in *Inspector) Watch(ctx context.Context, what Watched) iter.Seq2[watch.Event, error] {
	return func(yield func(watch.Event, error) bool) {
		groups, invalid := uniqueNames("group", what.GroupNames)
		if invalid == nil {
			what.Topics, invalid = uniqueNames("topic", what.Topics)
		}
		if invalid != nil {
			yield(watch.Event{}, *invalid)
			return
		}
		what.GroupNames = groups
		what.Groups = what.Groups || len(groups) > 0
		if !what.Elections && !what.Groups {
			what.Elections, what.Groups = true, true
		}
		if !(what.Rate > 0) { // NaN too
			what.Rate = defaultWatchRate
		}
		config := watch.Config{OnlyCoordinators: !what.Elections, StallAfter: what.StallAfter}
		if len(what.Topics) > 0 {
			config.Topics = what.Topics
		}
		differ := watch.NewDiffer(config)
		for look := range in.looks(ctx, what) {
			for _, event := range look(differ) {
				event.At, event.After = event.At.UTC(), event.After.UTC()
				if !yield(event, nil) {
					return
				}
			}
		}
	}
}

// look is one answer, which a differ takes in.
type look func(*watch.Differ) []watch.Event

// watcher takes looks at one cluster.
type watcher struct {
	*Inspector
	what  Watched
	pace  *pace
	looks chan look
	all   sync.WaitGroup

	mu     sync.Mutex
	layout layout
	names  map[string]*watchedGroup
	// haveListed are the brokers that listed their groups since there were others.
	haveListed map[int32]bool
	// read is up to where each partition of __consumer_offsets was read.
	read map[int32]int64
	// controllerAnswered is when a controller answered last at its own listener.
	controllerAnswered time.Time
	// controllerSeen is when anybody said last who the controller is.
	controllerSeen time.Time
	// moved is closed, and replaced, when the layout changed.
	moved chan struct{}
}

// layout is which brokers there are and what they do.
type layout struct {
	brokers []int32
	// metadata is the broker that is asked for metadata.
	metadata *int32
	// offsets are the leaders of __consumer_offsets by partition, -1 for none; empty
	// if it does not exist or may not be seen.
	offsets   []int32
	offsetsID [16]byte
	// offsetsHidden: __consumer_offsets may exist and may not be seen.
	offsetsHidden bool
}

// offsetsAbsent says whether there is no __consumer_offsets, as far as is known.
func (l layout) offsetsAbsent() bool { return len(l.offsets) == 0 && !l.offsetsHidden }

// looks yields looks until ctx ends.
func (in *Inspector) looks(ctx context.Context, what Watched) iter.Seq[look] {
	return func(yield func(look) bool) {
		ctx, cancel := context.WithCancel(ctx)
		w := &watcher{
			Inspector: in, what: what, pace: newPace(what.Rate), looks: make(chan look),
			names: map[string]*watchedGroup{}, haveListed: map[int32]bool{}, read: map[int32]int64{}, moved: make(chan struct{}),
		}
		defer w.all.Wait()
		defer cancel()
		w.all.Go(func() { w.watchPartitions(ctx) })
		if what.Elections {
			w.all.Go(func() { w.watchController(ctx) })
			if what.Controllers != nil {
				w.watchControllers(ctx)
			}
		}
		if what.Groups {
			for _, name := range what.GroupNames {
				w.names[name] = &watchedGroup{named: true}
			}
			w.all.Go(func() { w.watchCoordinators(ctx) })
			w.all.Go(func() { w.watchOffsets(ctx) })
		}
		for {
			select {
			case taken := <-w.looks:
				if !yield(taken) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// send hands a look over, and says whether somebody still wants more.
func (w *watcher) send(ctx context.Context, taken look) bool {
	select {
	case w.looks <- taken:
		return true
	case <-ctx.Done():
		return false
	}
}

// sight is what a look looks at, as in [watch.FailedLook].
type sight struct {
	part string
	node *int32
	of   string
}

// saw hands a look over that succeeded.
func (w *watcher) saw(ctx context.Context, what sight, at time.Time, taken look) bool {
	return w.send(ctx, func(d *watch.Differ) []watch.Event {
		return append(d.Saw(what.part, what.node, what.of, at), taken(d)...)
	})
}

// failed hands over that a look failed, and when that was begun.
func (w *watcher) failed(ctx context.Context, what sight, began time.Time, p Problem) bool {
	if ctx.Err() != nil {
		return false
	}
	failure := watch.FailedLook{
		Began: began, At: time.Now(), Part: what.part, Node: what.node, Of: what.of, Code: string(p.Code), Message: p.Message,
	}
	return w.send(ctx, func(d *watch.Differ) []watch.Event { return d.Failed(failure) })
}

// nothingMore is a look that tells only that it succeeded.
func nothingMore(*watch.Differ) []watch.Event { return nil }

// ask sends one request to one broker, when it is its turn, and only once: looks are
// repeated anyhow. The time returned is from before it was sent.
func ask[R kmsg.Response](ctx context.Context, w *watcher, node int32, urgent bool, limit time.Duration, req kmsg.Request) (R, time.Time, error) {
	var none R
	if !w.pace.wait(ctx, node, urgent) {
		return none, time.Now(), ctx.Err()
	}
	return askNow[R](ctx, w, node, limit, req)
}

// askNow is ask, of a request whose turn it is.
func askNow[R kmsg.Response](ctx context.Context, w *watcher, node int32, limit time.Duration, req kmsg.Request) (R, time.Time, error) {
	at := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	resp, err := exchange.Await(ctx, func() (kmsg.Response, error) { return w.client.Broker(int(node)).Request(ctx, req) })
	r, err := as[R](resp, err)
	if err != nil {
		err = brokerError{node, err}
	}
	return r, at, err
}

// lacks gives a request that a broker does not know Kafka's own error for that, as
// unsupportedAs does, within a look's time and in its turn.
func (w *watcher) lacks(ctx context.Context, node int32, key int16, err error) error {
	if !mayLack(err) || !w.pace.wait(ctx, node, true) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return w.unsupportedAs(ctx, node, key, err)
}

// awaitLayout waits for the first look at brokers, and says whether there was one.
func (w *watcher) awaitLayout(ctx context.Context) bool {
	known, moved := w.layoutNow()
	if len(known.brokers) > 0 {
		return true
	}
	select {
	case <-moved:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *watcher) layoutNow() (layout, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.layout, w.moved
}

// setLayout keeps what a look at partitions told, and returns the brokers that are gone.
func (w *watcher) setLayout(now layout) (gone []int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.layout
	w.layout = now
	for _, node := range was.brokers {
		if !slices.Contains(now.brokers, node) {
			gone = append(gone, node)
		}
	}
	if !slices.Equal(was.brokers, now.brokers) {
		clear(w.haveListed) // groups may be at others
	}
	if !slices.Equal(was.brokers, now.brokers) || !slices.Equal(was.offsets, now.offsets) {
		close(w.moved)
		w.moved = make(chan struct{})
	}
	return gone
}
