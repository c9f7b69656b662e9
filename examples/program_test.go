package examples

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// binaries is the folder with all examples, built.
var binaries string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	if binaries, err = os.MkdirTemp("", "examples-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(binaries)
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binaries+string(filepath.Separator), "./...").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("the examples cannot be built: %w: %s", err, out)
	}
	return m.Run(), nil
}

// fakeCluster starts a cluster in this process with the topics of the examples, and
// writes so many records to "orders".
func fakeCluster(t *testing.T, records int) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(6, "orders", "invoices"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	produce(t, cluster, records)
	return cluster
}

func produce(t *testing.T, cluster *kfake.Cluster, records int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("orders"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range records {
		client.Produce(t.Context(), kgo.StringRecord(fmt.Sprint(i)), nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// program is an example that runs.
type program struct {
	t       *testing.T
	what    string
	command *exec.Cmd
	exited  chan struct{}
	failure error // once it has exited

	mu    sync.Mutex
	lines []string
}

func start(t *testing.T, cluster *kfake.Cluster, name string, args ...string) *program {
	t.Helper()
	args = append([]string{"-brokers", strings.Join(cluster.ListenAddrs(), ",")}, args...)
	p := &program{t: t, what: name + " " + strings.Join(args[2:], " "), command: exec.Command(filepath.Join(binaries, name), args...), exited: make(chan struct{})}
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.command.Stderr = p.command.Stdout
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, lines.Text())
			p.mu.Unlock()
		}
		p.failure = p.command.Wait()
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.what, strings.Join(p.said(), "\n"))
		}
	})
	return p
}

func (p *program) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// says tells whether a line fits the pattern, and which.
func (p *program) says(pattern string) (line string, ok bool) {
	expression := regexp.MustCompile(pattern)
	for _, line := range p.said() {
		if expression.MatchString(line) {
			return line, true
		}
	}
	return "", false
}

// last returns the last line that fits the pattern.
func (p *program) last(pattern string) (found string) {
	expression := regexp.MustCompile(pattern)
	for _, line := range p.said() {
		if expression.MatchString(line) {
			found = line
		}
	}
	return found
}

// stop ends the program as a deploy would, and holds it to exit code 0.
func (p *program) stop() {
	p.t.Helper()
	_ = p.command.Process.Signal(syscall.SIGTERM) // fails where it has exited
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		p.t.Errorf("%s does not end; it is killed", p.what)
		_ = p.command.Process.Kill()
		<-p.exited
	}
	if p.failure != nil {
		p.t.Errorf("%s ended with %v", p.what, p.failure)
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this did not come about: %s", what)
		}
	}
}

// which waits until one of two programs says something, and returns it and the other.
func which(t *testing.T, pattern string, a, b *program) (one, other *program) {
	t.Helper()
	eventually(t, "one says "+pattern, func() bool {
		if _, ok := a.says(pattern); ok {
			one, other = a, b
			return true
		}
		_, ok := b.says(pattern)
		one, other = b, a
		return ok
	})
	return one, other
}
