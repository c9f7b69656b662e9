package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// soakVariable holds the configuration of a process of the soak as JSON; where it is
// set, the test binary is one.
const soakVariable = "GROUPKIT_SOAK_PROCESS"

// The timeouts of all processes of the soak.
const (
	soakSession   = 3 * time.Second
	soakRebalance = 4 * time.Second
	soakHeartbeat = 200 * time.Millisecond
)

type soakConfig struct {
	Process int
	Seeds   []string
	Network string // the address of the process's network
	Ledger  string // that of the ledger
	Group   string
	Topic   string // "" for a candidate in an election
	Run     bool   // a member.Member handles the records, rather than a client with hooks
	KIP848  bool   // it speaks KIP-848
}

// A command is one line on the standard input of a process.
type command struct {
	Do  string
	For time.Duration // drain, slow
}

// What a process can be told to do.
const (
	doDrain       = "drain"     // handle the next records for so long; a client with hooks joins no round meanwhile
	doSlow        = "slow"      // let Lead return so long after its term ended, once
	doRound       = "round"     // bring about a round
	doResign      = "resign"    // give up leadership, and stand again
	doKillJoining = "kill-join" // end by SIGKILL when the next JoinGroup is answered
	doStopJoining = "stop-join" // stop by SIGSTOP when the next JoinGroup is answered
	doLeave       = "leave"     // close and exit
)

// soaker is a process of the soak.
type soaker struct {
	cfg    soakConfig
	client *kgo.Client // of a consumer
	hooks  *member.Hooks
	member *member.Member
	el     *member.Election
	ready  chan struct{} // closed when the above are set

	mu     sync.Mutex // one entry at a time
	out    *json.Encoder
	in     *json.Decoder
	drain  atomic.Int64
	slow   atomic.Int64
	atJoin atomic.Int32 // the signal to send to itself

	assigned atomic.Pointer[member.Event] // under which the process has its partitions

	priority int32 // of the goroutine that reads commands
}

// runSoakProcess is the main function of a process of the soak. It ends with its
// standard input, so that it cannot outlive the test.
func runSoakProcess() {
	s := &soaker{ready: make(chan struct{})}
	if err := json.Unmarshal([]byte(os.Getenv(soakVariable)), &s.cfg); err != nil {
		panic(err)
	}
	conn, err := net.Dial("tcp", s.cfg.Ledger)
	if err != nil {
		panic(err)
	}
	s.out, s.in = json.NewEncoder(conn), json.NewDecoder(conn)
	ctx, cancel := context.WithCancel(context.Background())
	switch {
	case s.cfg.Topic == "":
		s.startElection()
	case s.cfg.Run:
		s.startMember()
	default:
		s.startConsumer()
	}
	close(s.ready)
	go func() {
		defer cancel()
		commands := json.NewDecoder(os.Stdin)
		for {
			var c command
			if commands.Decode(&c) != nil || c.Do == doLeave {
				return
			}
			s.do(c)
		}
	}()
	switch {
	case s.el != nil:
		<-ctx.Done()
		_ = s.el.Close(context.Background())
	case s.member != nil:
		if err := s.member.Run(ctx, s.handle); err != nil {
			panic(err)
		}
		_ = s.member.Close(context.Background())
	default:
		s.consume(ctx)
		s.hooks.Close()
		s.client.CloseAllowingRebalance()
	}
}

func (s *soaker) do(c command) {
	switch c.Do {
	case doDrain:
		s.drain.Store(int64(c.For))
	case doSlow:
		s.slow.Store(int64(c.For))
	case doKillJoining:
		s.atJoin.Store(int32(syscall.SIGKILL))
	case doStopJoining:
		s.atJoin.Store(int32(syscall.SIGSTOP))
	case doRound:
		if s.el != nil {
			s.priority = 1 - s.priority // nobody takes over
			s.el.SetPriority(s.priority)
			return
		}
		s.client.ForceRebalance()
	case doResign:
		_ = s.el.Resign(context.Background())
		s.el.Stand()
	}
}

func (s *soaker) opts() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(s.cfg.Seeds...), kgo.Dialer(through(s.cfg.Network)), kgo.WithHooks(atJoin{s}),
	}
}

// atJoin lets a process end or stop between JoinGroup and SyncGroup.
type atJoin struct{ *soaker }

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (a atJoin) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key != int16(kmsg.JoinGroup) || e2e.Err() != nil {
		return
	}
	if signal := a.atJoin.Swap(0); signal != 0 {
		_ = syscall.Kill(os.Getpid(), syscall.Signal(signal))
	}
}

func (s *soaker) startElection() {
	var err error
	s.el, err = member.Elect(s.cfg.Group, member.ElectionConfig{
		Client:  s.opts(),
		Payload: fmt.Append(nil, s.cfg.Process),
		Lead:    s.lead, OnEvent: s.event, NoTakeover: true,
		SessionTimeout: soakSession, RebalanceTimeout: soakRebalance, HeartbeatInterval: soakHeartbeat,
	})
	if err != nil {
		panic(err)
	}
}

func (s *soaker) hooksConfig() member.HooksConfig {
	return member.HooksConfig{
		Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
		Lead:      s.lead, OnEvent: s.event,
	}
}

func (s *soaker) consumerOpts() []kgo.Opt {
	return append(s.opts(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(soakSession), kgo.RebalanceTimeout(soakRebalance), kgo.HeartbeatInterval(soakHeartbeat),
		kgo.RequestTimeoutOverhead(soakSession/2),
	)
}

func (s *soaker) startMember() {
	cfg := member.Config{
		Group: s.cfg.Group, Topics: []string{s.cfg.Topic},
		HooksConfig: s.hooksConfig(), Client: s.consumerOpts(),
	}
	if s.cfg.KIP848 {
		cfg.GroupProtocol, cfg.HooksConfig = member.ConsumerProtocol, member.HooksConfig{OnEvent: s.event}
	}
	var err error
	if s.member, err = member.New(cfg); err != nil {
		panic(err)
	}
	s.client = s.member.Client()
}

// handle handles records of one partition, for as long as it may and is told to.
func (s *soaker) handle(ctx context.Context, records []*kgo.Record) error {
	under := s.assigned.Load()
	at, takes := clock(), s.drain.Swap(0)
	if takes > 0 {
		s.tell(entry{What: draining, Member: under.Member})
	}
	before, generation := at, s.generation()
	for end := at + takes; ; at = clock() {
		err := ctx.Err()
		if time.Duration(at-before) > soakSession/2 {
			// The process was stopped. What it would commit is refused.
			s.tell(entry{What: resumed, At: at, Member: under.Member, Over: err != nil, Commit: s.commit(under.Member, generation)})
		}
		if err != nil {
			return err
		}
		before, generation = at, s.generation()
		e := entry{What: handled, At: at, Looked: true, Member: under.Member, Generation: under.Generation, Partition: records[0].Partition}
		if at >= end {
			for _, r := range records {
				e.Values = append(e.Values, string(r.Value))
			}
			s.tell(e)
			return nil
		}
		s.tell(e)
		pause := time.NewTimer(10 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

func (s *soaker) startConsumer() {
	var err error
	if s.hooks, err = member.NewHooks(s.hooksConfig()); err != nil {
		panic(err)
	}
	s.client, err = kgo.NewClient(append(append(s.hooks.Opts(), s.consumerOpts()...),
		kgo.ConsumerGroup(s.cfg.Group), kgo.ConsumeTopics(s.cfg.Topic),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
	)...)
	if err != nil {
		panic(err)
	}
	if err := s.hooks.Attach(s.client); err != nil {
		panic(err)
	}
}

// consume handles records and commits them, while no round can take their partitions
// away; but whoever takes too long is put out of the group.
func (s *soaker) consume(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := s.client.PollRecords(ctx, 100)
		if fetches.NumRecords() == 0 {
			s.client.AllowRebalance()
			continue
		}
		under := s.assigned.Load() // a client's GroupMetadata may be ahead of it
		if drain := s.drain.Swap(0); drain > 0 {
			s.tell(entry{What: draining, Member: under.Member})
			time.Sleep(time.Duration(drain))
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			e := entry{What: handled, Member: under.Member, Generation: under.Generation, Partition: p.Partition}
			for _, r := range p.Records {
				e.Values = append(e.Values, string(r.Value))
			}
			if len(e.Values) > 0 {
				s.tell(e)
			}
		})
		call, cancel := context.WithTimeout(context.Background(), soakSession)
		_ = s.client.CommitUncommittedOffsets(call) // else they are handled again
		cancel()
		s.client.AllowRebalance()
	}
}

// lead acts for as long as it may.
func (s *soaker) lead(ctx context.Context, term member.Term) error {
	<-s.ready
	before, generation := clock(), s.generation()
	for {
		e := entry{What: acted, At: clock(), Member: term.Member, Fence: term.Fence().Number}
		over := ctx.Err() != nil
		if time.Duration(e.At-before) > soakSession/2 {
			// The process was stopped. What it would have done next is refused.
			e.What, e.Over = woke, over
			if err := term.Check(ctx); err != nil {
				e.Check = err.Error()
			}
			if s.client != nil {
				e.Commit = s.commit(term.Member, generation)
			}
		} else if over {
			break
		}
		s.tell(e)
		if over {
			break
		}
		before, generation = e.At, s.generation()
		pause := time.NewTimer(10 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
	time.Sleep(time.Duration(s.slow.Swap(0)))
	s.tell(entry{What: ended, At: clock(), Member: term.Member, Fence: term.Fence().Number})
	<-ctx.Done()
	return nil
}

func (s *soaker) generation() int32 {
	if s.client == nil {
		return 0
	}
	_, generation := s.client.GroupMetadata()
	return generation
}

// commit commits under a member and generation that are over, and returns how that was
// answered.
func (s *soaker) commit(id string, generation int32) string {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = s.cfg.Group, id, generation
	topic, partition := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	topic.Topic = s.cfg.Topic
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// By the topic's name, as before Kafka 4.1: of a topic id that a broker does not know
	// it says just that, and does not look at the member.
	client, err := kgo.NewClient(kgo.SeedBrokers(s.cfg.Seeds...), kgo.Dialer(through(s.cfg.Network)), kgo.MaxVersions(kversion.V3_8_0()))
	if err != nil {
		return err.Error()
	}
	defer client.Close()
	resp, err := req.RequestWith(ctx, client)
	if err == nil && len(resp.Topics) == 1 && len(resp.Topics[0].Partitions) == 1 {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err == nil {
		return "accepted"
	}
	var code *kerr.Error
	if errors.As(err, &code) {
		return code.Message
	}
	return err.Error()
}

func (s *soaker) event(e member.Event) {
	if e.Kind == member.EventAssigned {
		s.assigned.Store(&e)
	}
	told := entry{What: happened, At: clock(), Member: e.Member, Generation: e.Generation, Event: string(e.Kind)}
	if e.Err != nil {
		told.Err = e.Err.Error()
	}
	s.tell(told)
}

// tell writes to the ledger, and returns whether that was refused.
func (s *soaker) tell(e entry) (refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Process = s.cfg.Process
	if e.At == 0 {
		e.At = clock()
	}
	if s.out.Encode(e) != nil || s.in.Decode(&refused) != nil {
		os.Exit(1) // the test is gone
	}
	return refused
}
