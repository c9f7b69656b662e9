package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// processVariable holds the configuration of a consumer process as JSON; where it is
// set, the test binary is one.
const processVariable = "GROUPKIT_TEST_PROCESS"

type processConfig struct {
	Seeds        []string
	Group, Topic string
	To           string `json:",omitempty"` // where transactions copy the topic to; consume only where it is empty
}

// A report is one line that a consumer process writes.
type report struct {
	Event   member.EventKind `json:",omitempty"`
	Member  string           `json:",omitempty"`
	Lead    string           `json:",omitempty"` // "begin" or "end" of the hook
	Handled []string         `json:",omitempty"` // values of records
}

// runProcess is the main function of a consumer process. It ends with its standard
// input, so that it cannot outlive the test.
func runProcess() {
	var cfg processConfig
	if err := json.Unmarshal([]byte(os.Getenv(processVariable)), &cfg); err != nil {
		panic(err)
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	tell := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		if out.Encode(r) != nil {
			os.Exit(1) // the test is gone
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	if cfg.To != "" {
		if err := copyInTransactions(ctx, cfg, tell); err != nil {
			panic(err)
		}
		return
	}
	m, err := member.New(member.Config{
		Group: cfg.Group, Topics: []string{cfg.Topic},
		HooksConfig: member.HooksConfig{
			Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
			OnEvent:   func(e member.Event) { tell(report{Event: e.Kind, Member: e.Member}) },
			Lead: func(ctx context.Context, term member.Term) error {
				tell(report{Lead: "begin", Member: term.Member})
				<-ctx.Done()
				tell(report{Lead: "end", Member: term.Member})
				return nil
			},
		},
		Client: []kgo.Opt{
			kgo.SeedBrokers(cfg.Seeds...),
			kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(200 * time.Millisecond),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		},
	})
	if err != nil {
		panic(err)
	}
	if err := m.Run(ctx, func(_ context.Context, records []*kgo.Record) error {
		var values []string
		for _, r := range records {
			values = append(values, string(r.Value))
		}
		tell(report{Handled: values})
		return nil
	}); err != nil {
		panic(err)
	}
	_ = m.Close(context.Background())
}

// process is a consumer in a process of its own.
type process struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	exited  chan struct{} // closed when the process ended and all it said was read

	mu       sync.Mutex
	member   string
	leading  bool
	terms    int
	resigned int
	handled  map[string]bool
}

func startProcess(t *testing.T, c *cluster.Cluster, group, topic string) *process {
	t.Helper()
	return startProcessOf(t, processConfig{Seeds: c.Seeds(), Group: group, Topic: topic})
}

func startProcessOf(t *testing.T, config processConfig) *process {
	t.Helper()
	cfg, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{command: exec.Command(self), exited: make(chan struct{}), handled: make(map[string]bool)}
	p.command.Env = append(os.Environ(), processVariable+"="+string(cfg))
	var stderr strings.Builder
	p.command.Stderr = &stderr
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var r report
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				continue // a line that the kill cut short
			}
			p.take(r)
		}
		_ = p.command.Wait()
	}()
	t.Cleanup(func() {
		p.stdin.Close()
		select {
		case <-p.exited:
		case <-time.After(patience):
			t.Errorf("process %d does not end; it is killed", p.command.Process.Pid)
			_ = p.command.Process.Kill()
			<-p.exited
		}
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("process %d said: %s", p.command.Process.Pid, stderr.String())
		}
	})
	return p
}

func (p *process) take(r report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Member != "" {
		p.member = r.Member
	}
	if r.Event == member.EventResigned {
		p.resigned++
	}
	switch r.Lead {
	case "begin":
		p.leading = true
		p.terms++
	case "end":
		p.leading = false
	}
	for _, value := range r.Handled {
		p.handled[value] = true
	}
}

func (p *process) isLeading() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leading
}

// kill sends SIGKILL and waits for the end of the process.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leading = false
}

func TestWhenTheLeaderProcessIsKilledAnotherLeadsAndNoRecordIsLost(t *testing.T) {
	const partitions = 6
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	processes := make([]*process, 3)
	for i := range processes {
		processes[i] = startProcess(t, c, group, topic)
	}
	before := settled(t, c, group, topic, len(processes), partitions)
	leader := onlyLeader(t, processes)
	leader.mu.Lock()
	dead := leader.member
	leader.mu.Unlock()

	// Records keep coming before, during and after the change.
	producer := newClient(t, c, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	ctx, stop := context.WithCancel(t.Context())
	total, produced := 0, make(chan struct{})
	go func() {
		defer close(produced)
		for ctx.Err() == nil {
			// The record in progress is written to its end, also when ctx has ended.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			err := producer.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(total))).FirstErr()
			cancel()
			if err != nil {
				t.Errorf("record %d could not be written: %v", total, err)
				return
			}
			total++
		}
	}()
	t.Cleanup(func() { stop(); <-produced })
	eventually(t, "every process handles records", func() (bool, string) {
		counts := handledCounts(processes)
		return counts[0] > 0 && counts[1] > 0 && counts[2] > 0, fmt.Sprint(counts)
	})

	leader.kill(t)
	var rest []*process
	for _, p := range processes {
		if p != leader {
			rest = append(rest, p)
		}
	}
	next := onlyLeader(t, rest)
	after := settled(t, c, group, topic, 2, partitions)
	if _, there := after[dead]; there || before.Count(dead) == 0 {
		t.Errorf("the dead leader %s had %d partitions before, and after is %v", dead, before.Count(dead), after)
	}

	stop()
	<-produced
	eventually(t, fmt.Sprintf("all %d records are handled", total), func() (bool, string) {
		missing := 0
		for i := range total {
			if !handledByAny(processes, fmt.Sprint(i)) {
				missing++
			}
		}
		return missing == 0, fmt.Sprintf("%d are missing", missing)
	})
	next.mu.Lock()
	defer next.mu.Unlock()
	if next.terms != 1+next.resigned {
		t.Errorf("the hook of the new leader began %d times, want once in a term; %d terms are over", next.terms, next.resigned)
	}
}

// onlyLeader waits until exactly one of the processes runs its Lead hook.
func onlyLeader(t *testing.T, processes []*process) *process {
	t.Helper()
	var leader *process
	eventually(t, "one process leads", func() (bool, string) {
		n := 0
		for _, p := range processes {
			if p.isLeading() {
				leader = p
				n++
			}
		}
		return n == 1, fmt.Sprintf("%d lead", n)
	})
	return leader
}

func handledCounts(processes []*process) []int {
	counts := make([]int, len(processes))
	for i, p := range processes {
		p.mu.Lock()
		counts[i] = len(p.handled)
		p.mu.Unlock()
	}
	return counts
}

func handledByAny(processes []*process, value string) bool {
	for _, p := range processes {
		p.mu.Lock()
		handled := p.handled[value]
		p.mu.Unlock()
		if handled {
			return true
		}
	}
	return false
}
