package predict

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestTranscripts plays the files in testdata: each command, and below a line of
// dashes what it does. Commands are
//
//	cluster brokers=5 voters=5 elr      a new cluster of brokers 1 to 5, all up
//	partition orders-0 replicas=1,2,3   with everything in sync and the first leading,
//	                                    if not said: leader=2|none isr= elr= last= min= unclean
//	group billing=3                     a group in partition 3 of __consumer_offsets
//	crash | stop | return 1 2           nodes at once
//	preferred | unclean [orders-0 …]    elections
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no transcripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := replay(string(want))
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// replay plays a transcript, and returns it with what the commands do in this model.
func replay(transcript string) ([]byte, error) {
	var out bytes.Buffer
	var c Cluster
	inAnswer := false
	for line := range strings.Lines(transcript) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			inAnswer = false
			fmt.Fprintln(&out)
		case inAnswer:
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
		case line == "----":
			inAnswer = true
		default:
			answer, err := perform(&c, strings.Fields(line))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			fmt.Fprintln(&out, line)
			if answer != "" {
				fmt.Fprintf(&out, "----\n%s", answer)
			}
		}
	}
	return out.Bytes(), nil
}

func perform(c *Cluster, words []string) (string, error) {
	switch words[0] {
	case "cluster":
		*c = Cluster{}
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			n, _ := strconv.Atoi(value)
			for id := int32(1); id <= int32(n); id++ {
				switch key {
				case "brokers":
					c.Brokers = append(c.Brokers, Broker{ID: id})
				case "voters":
					c.Voters = append(c.Voters, Voter{ID: id})
				case "controller":
					c.Controller = broker(int32(n))
				}
			}
			c.ELR = c.ELR || key == "elr"
		}
		return "", nil
	case "partition":
		p, err := parsePartition(words[1:])
		c.Partitions = append(c.Partitions, p)
		return "", err
	case "group":
		name, partition, _ := strings.Cut(words[1], "=")
		n, err := strconv.Atoi(partition)
		c.Groups = append(c.Groups, Group{name, int32(n)})
		return "", err
	}
	var step Step
	switch words[0] {
	case "crash":
		step = Crash(ids(words[1:])...)
	case "stop":
		step = Stop(ids(words[1:])...)
	case "return":
		step = Return(ids(words[1:])...)
	case "preferred":
		step = ElectPreferred(named(words[1:])...)
	case "unclean":
		step = ElectUnclean(named(words[1:])...)
	default:
		return "", fmt.Errorf("no such command")
	}
	o, err := Run(*c, step)
	if err != nil {
		return "", err
	}
	*c = o.After
	return show(o), nil
}

func show(o Outcome) string {
	var b strings.Builder
	for _, p := range o.Partitions {
		fmt.Fprintf(&b, "%s-%d: %s -> %s, %s", p.Topic, p.Partition, showID(p.From), showID(p.To), p.Reason)
		if len(p.Alternatives) > 0 {
			fmt.Fprintf(&b, ", or %s", join(p.Alternatives))
		}
		fmt.Fprintln(&b)
	}
	for _, e := range o.Elections {
		fmt.Fprintf(&b, "election of %s-%d: %s\n", e.Topic, e.Partition, e.Result)
	}
	for _, g := range o.Coordinators {
		fmt.Fprintf(&b, "group %s: %s -> %s\n", g.Group, showID(g.From), showID(g.To))
	}
	for _, p := range o.After.Partitions {
		fmt.Fprintf(&b, "  %s-%d leader %s isr %s elr %s last %s\n", p.Topic, p.Partition, showID(broker(p.Leader)), join(p.ISR), join(p.ELR), join(p.LastKnownELR))
	}
	if kept := o.Controller.Quorum.Kept; kept != nil {
		fmt.Fprintf(&b, "  quorum %d of %d, controller one of %s\n", len(o.Controller.Quorum.Up), len(o.Controller.Quorum.Voters), join(o.Controller.Candidates))
	}
	return b.String()
}

func parsePartition(words []string) (Partition, error) {
	p := Partition{MinISR: 1}
	name := named(words[:1])
	p.Topic, p.Partition = name[0].Topic, name[0].Partition
	said := map[string]string{}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		said[key] = value
	}
	list := func(key string, otherwise []int32) []int32 {
		if value, ok := said[key]; ok {
			return ids(strings.Split(value, ","))
		}
		return otherwise
	}
	p.Replicas = list("replicas", nil)
	p.ISR = list("isr", p.Replicas)
	p.ELR = list("elr", nil)
	p.LastKnownELR = list("last", nil)
	p.FailedReplicas = list("failed", nil)
	if p.Leader = NoLeader; said["leader"] != "none" {
		p.Leader = list("leader", p.Replicas)[0]
	}
	if min, ok := said["min"]; ok {
		p.MinISR = int(ids([]string{min})[0])
	}
	_, p.Unclean = said["unclean"]
	if len(p.Replicas) == 0 {
		return p, fmt.Errorf("no replicas")
	}
	return p, nil
}

func ids(words []string) []int32 {
	var all []int32
	for _, word := range words {
		if n, err := strconv.Atoi(word); err == nil {
			all = append(all, int32(n))
		}
	}
	return all
}

func named(words []string) []TopicPartition {
	var all []TopicPartition
	for _, word := range words {
		i := strings.LastIndexByte(word, '-')
		n, _ := strconv.Atoi(word[i+1:])
		all = append(all, TopicPartition{word[:i], int32(n)})
	}
	return all
}

func showID(id *int32) string {
	if id == nil {
		return "none"
	}
	return strconv.Itoa(int(*id))
}

func join(ids []int32) string {
	if len(ids) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(ids))
	texts := make([]string, len(sorted))
	for i, id := range sorted {
		texts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(texts, ",")
}
