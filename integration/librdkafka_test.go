package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/integration/cluster"
)

// kcat is a member that runs on librdkafka: the program of that name, whose groups are
// those of every client that is built on it.
type kcat struct {
	t       *testing.T
	process *exec.Cmd
	end     func()

	mu       sync.Mutex
	owned    map[int32]bool
	consumed map[string]int
	said     bytes.Buffer // standard error
}

// startKcat starts one. Its librdkafka is that of the system.
func startKcat(t *testing.T, c *cluster.Cluster, group, topic string, protocols ...string) peer {
	t.Helper()
	path, err := exec.LookPath("kcat")
	if err != nil {
		t.Fatalf("this test needs a member that runs on librdkafka: install kcat (Debian: apt-get install kcat, macOS: brew install kcat); integration/test.sh does it on Debian as root: %v", err)
	}
	knownEverywhere(t, c, topic) // it ends when the broker that it asks first has not heard of the topic
	k := &kcat{t: t, owned: make(map[int32]bool), consumed: make(map[string]int)}
	k.process = exec.Command(path, "-b", strings.Join(c.Seeds(), ","), "-G", group, "-u", "-f", "%s\n",
		"-X", "partition.assignment.strategy="+strings.Join(protocols, ","),
		"-X", "session.timeout.ms=30000", "-X", "heartbeat.interval.ms=200", "-X", "auto.commit.interval.ms=200",
		"-X", "auto.offset.reset=earliest", "-X", "broker.address.family=v4", topic)
	stdout, err := k.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := k.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.process.Start(); err != nil {
		t.Fatal(err)
	}
	var read sync.WaitGroup
	read.Go(func() { eachLine(stdout, k.record) })
	read.Go(func() { eachLine(stderr, k.say) })
	k.end = sync.OnceFunc(func() {
		if err := k.process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("kcat: %v", err)
		}
		kill := time.AfterFunc(patience, func() { k.process.Process.Kill() })
		read.Wait()
		if err := k.process.Wait(); err != nil {
			t.Errorf("kcat: %v", err)
		}
		kill.Stop()
	})
	t.Cleanup(func() {
		k.stop()
		if t.Failed() {
			t.Logf("kcat said:\n%s", k.said.String())
		}
	})
	return k
}

// knownEverywhere waits until all brokers know of a topic that was just created.
func knownEverywhere(t *testing.T, c *cluster.Cluster, topic string) {
	t.Helper()
	client := newClient(t, c)
	for _, id := range c.NodeIDs() {
		eventually(t, fmt.Sprintf("broker %d knows of %s", id, topic), func() (bool, string) {
			ask := kmsg.NewPtrMetadataRequest()
			ask.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
			answer, err := ask.RequestWith(t.Context(), client.Broker(int(id)))
			return err == nil && answer.Topics[0].ErrorCode == 0, fmt.Sprint(err)
		})
	}
}

func eachLine(from io.Reader, do func(string)) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		do(lines.Text())
	}
}

func (k *kcat) record(value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.consumed[value]++
}

var (
	kcatRebalanced = regexp.MustCompile(` rebalanced(?:: incremental (\w+) of \d+ partition\(s\))? \(memberid [^)]*\): (?:(\w+): )?(.*)$`)
	kcatPartition  = regexp.MustCompile(`\[(\d+)\]`)
)

// say takes a line of standard error. Of an eager and of a cooperative group:
//
//	% Group g rebalanced (memberid rdkafka-…): assigned: topic [0], topic [1]
//	% Group g rebalanced: incremental revoke of 1 partition(s) (memberid rdkafka-…, COOPERATIVE rebalance protocol): topic [1]
func (k *kcat) say(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.said.WriteString(time.Now().Format("05.000 ") + line + "\n")
	found := kcatRebalanced.FindStringSubmatch(line)
	if found == nil {
		return
	}
	what := found[1] + found[2]
	for _, p := range kcatPartition.FindAllStringSubmatch(found[3], -1) {
		n, _ := strconv.Atoi(p[1]) // digits
		switch what {
		case "assigned", "assignment":
			k.owned[int32(n)] = true
		case "revoked", "revoke":
			delete(k.owned, int32(n))
		default:
			k.t.Errorf("kcat says what is not understood: %s", line)
		}
	}
}

func (k *kcat) stop() { k.end() }

func (k *kcat) has() []int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.owned))
}

func (k *kcat) values() map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.consumed)
}
