package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/groupkit/groupkit/integration/cluster"
)

// javaConsumer is Kafka's VerifiableConsumer, run beside a broker in its container.
type javaConsumer struct {
	t     *testing.T
	c     *cluster.Cluster
	files string // path of its log and pid in the container, without the ends
	topic string
	end   func()
}

// startJava starts a member of Kafka's own client.
func startJava(t *testing.T, c *cluster.Cluster, group, topic string, protocols ...string) peer {
	t.Helper()
	name := unique(t, "java")
	j := &javaConsumer{t: t, c: c, topic: topic, files: "/tmp/" + name}
	var assignors []string
	for _, protocol := range protocols {
		class, install := assignorClass(protocol, "/tmp", name)
		assignors = append(assignors, class)
		if install != "" {
			j.sh(install)
		}
	}
	command := fmt.Sprintf("java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*:/tmp' org.apache.kafka.tools.VerifiableConsumer"+
		" --bootstrap-server %s --topic %s --group-id %s --assignment-strategy %s --session-timeout 30000 --reset-policy earliest --command-config %s.properties --verbose",
		c.InternalSeeds()[0], topic, group, strings.Join(assignors, ","), j.files)
	j.sh(fmt.Sprintf("echo heartbeat.interval.ms=200 > %s.properties", j.files)) // learns of rounds at once
	j.sh(fmt.Sprintf("%s > %s.log 2>&1 & echo $! > %s.pid", command, j.files, j.files))
	j.end = sync.OnceFunc(func() {
		j.sh(fmt.Sprintf("kill $(cat %s.pid)", j.files))
		eventually(t, "the Java consumer has ended", func() (bool, string) {
			log := j.log() // the process itself stays as a zombie where the broker is its parent
			return strings.Contains(log, "shutdown_complete"), lastLines(log, 1)
		})
	})
	t.Cleanup(func() {
		j.stop()
		if t.Failed() {
			t.Logf("the Java consumer said:\n%s", lastLines(j.log(), 30))
		}
		j.sh(fmt.Sprintf("rm -f %s.* /tmp/%s_*.class", j.files, strings.ReplaceAll(name, "-", "_")))
	})
	return j
}

func (j *javaConsumer) sh(command string) string {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := j.c.Exec(ctx, 1, "sh", "-c", command)
	if err != nil {
		j.t.Error(err)
	}
	return out
}

func (j *javaConsumer) log() string { return j.sh("cat " + j.files + ".log") }

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// javaEvent is a line that VerifiableConsumer prints.
type javaEvent struct {
	Timestamp  int64  `json:"timestamp"` // in milliseconds
	Name       string `json:"name"`
	Partitions []struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
	} `json:"partitions"`
	Value string `json:"value"` // of record_data
}

func (j *javaConsumer) events() (events []javaEvent) {
	lines := bufio.NewScanner(strings.NewReader(j.log()))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e javaEvent
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			events = append(events, e)
		}
	}
	return events
}

func (j *javaConsumer) stop() { j.end() }

func (j *javaConsumer) has() []int32 {
	has := make(map[int32]bool)
	for _, e := range j.events() {
		for _, p := range e.Partitions {
			switch e.Name {
			case "partitions_assigned":
				has[p.Partition] = true
			case "partitions_revoked", "partitions_lost":
				delete(has, p.Partition)
			}
		}
	}
	return slices.Sorted(maps.Keys(has))
}

func (j *javaConsumer) values() map[string]int {
	values := make(map[string]int)
	for _, e := range j.events() {
		if e.Name == "record_data" {
			values[e.Value]++
		}
	}
	return values
}
