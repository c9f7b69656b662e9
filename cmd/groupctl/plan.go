package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/assign/offline"
)

// planFlags are the flags of plan, as given.
type planFlags struct {
	input  string
	settle bool

	assignors  []string
	weights    string
	addMembers int
	remove     []string
	svg        string

	perTopic, racks, followers bool
	tolerance                  float64
	maxMoves                   int
	coPartition, pins          []string
}

// mostAdded is how many members may be added: more than any group has.
const mostAdded = 10_000

func newPlanCommand(s *session) *cobra.Command {
	var flags planFlags
	command := &cobra.Command{
		Use:   "plan GROUP | --input FILE",
		Short: "Show what assignors would make of a group, live or written down",
		Long: `Show which member would get which partition, what that would move, and how even it
would be, without touching anything.

With a GROUP, the problem is that group as it is now: its members, what they
subscribe to and own, their racks and those of the replicas. The group may be of
the classic type or of KIP-848. --add-members and --remove change it on paper,
and --weights lag makes partitions as heavy as they lag. --svg draws members as
columns of partitions, before and after.

With --input, problems are read as JSON Lines, one a line, and one result a line
is written, in their order; docs/planning.md has the format. That is so with
-o json too: the lines are in no envelope. A line that is wrong gets an "error",
the rest goes on, and the exit code is 1.

--pin says which members may have partitions: of a topic, or of some of its
partitions, to the member of an instance or to those with a label. For example
--pin orders=label:tier=gold keeps all of orders on members labelled tier=gold,
and --pin orders:0,2-5=instance:worker-a keeps these five on worker-a.

Assignors: ` + strings.Join(offline.Assignors(), ", ") + `. The option
flags are for balanced.

Needs DESCRIBE on the group and on the topics; for --weights lag also on the
offsets that the group committed, which is the same.`,
		Example: `  groupctl -b localhost:9092 plan orders --add-members 2
  groupctl -b localhost:9092 plan orders --assignor balanced --assignor range --weights lag --svg orders.svg
  groupctl -b localhost:9092 plan orders --pin 'orders:0-3=label:tier=gold'
  groupctl plan --input problems.jsonl --settle`,
		Annotations: map[string]string{schemaAnnotation: "plan"},
		Args:        cobra.ArbitraryArgs,
	}
	set := command.Flags()
	set.StringVar(&flags.input, "input", "", "read problems as JSON Lines from this file, or from standard input with -")
	set.BoolVar(&flags.settle, "settle", false, "also play the rounds of a cooperative group until nothing is withheld")
	set.StringArrayVar(&flags.assignors, "assignor", []string{"balanced"}, "an assignor to ask; repeatable")
	set.StringVar(&flags.weights, "weights", "", "what makes a partition heavy: lag, by records; left out, all weigh the same")
	set.IntVar(&flags.addMembers, "add-members", 0, "plan as if so many members had joined, subscribed to all that any member is")
	set.StringArrayVar(&flags.remove, "remove", nil, "plan as if this member had left, by its id (what tables show of it will do) or instance; repeatable")
	set.StringVar(&flags.svg, "svg", "", "draw before and after into this file")
	set.BoolVar(&flags.perTopic, "per-topic", true, "even each topic by itself")
	set.BoolVar(&flags.racks, "racks", true, "seek partitions whose leader is in the member's rack")
	set.BoolVar(&flags.followers, "follower-fetching", false, "members fetch from any replica in their rack (KIP-392)")
	set.Float64Var(&flags.tolerance, "tolerance", assign.DefaultTolerance, "how far a load may be from its fair share, as a fraction of it, before partitions move; 0 is exact")
	set.IntVar(&flags.maxMoves, "max-moves", 0, "how many partitions may leave their owner; left out, any number")
	set.StringArrayVar(&flags.coPartition, "co-partition", nil, "topics, with commas between, whose partitions of one number go to one member; repeatable")
	set.StringArrayVar(&flags.pins, "pin", nil, "keep partitions to some members, such as orders:0,2-5=instance:worker-a or orders=label:tier=gold; repeatable")
	command.RunE = func(command *cobra.Command, args []string) error {
		if command.Flags().Changed("input") {
			if err := onlyOffline(command, args); err != nil {
				return err
			}
			return s.planOffline(command.Context(), flags)
		}
		if len(args) != 1 {
			return &usageError{fmt.Sprintf("'%s' needs one group, or --input, and %d groups were given; see '%s --help'", command.CommandPath(), len(args), command.CommandPath())}
		}
		if err := flags.check(command); err != nil {
			return err
		}
		options, err := flags.options()
		if err != nil {
			return err
		}
		return s.planLive(command, args[0], flags, options)
	}
	return command
}

// onlyOffline refuses what makes no sense where problems come from a file.
func onlyOffline(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Sprintf("give a group or --input, not both; %q was given", args[0])}
	}
	for _, name := range []string{
		"assignor", "weights", "add-members", "remove", "svg", "per-topic", "racks", "follower-fetching",
		"tolerance", "max-moves", "co-partition", "pin",
	} {
		if command.Flags().Changed(name) {
			return &usageError{fmt.Sprintf("--%s is for a group of a cluster; with --input each line says that for itself", name)}
		}
	}
	return nil
}

func (f planFlags) check(command *cobra.Command) error {
	if f.weights != "" && f.weights != "lag" {
		return &usageError{fmt.Sprintf("the weights %q are not known; give --weights lag, or leave it out", f.weights)}
	}
	if f.addMembers < 0 || f.addMembers > mostAdded {
		return &usageError{fmt.Sprintf("--add-members is %d; give a number from 0 to %d", f.addMembers, mostAdded)}
	}
	if command.Flags().Changed("max-moves") && f.maxMoves < 1 {
		return &usageError{fmt.Sprintf("--max-moves is %d; give 1 or more, or leave it out for no cap", f.maxMoves)}
	}
	if command.Flags().Changed("svg") && f.svg == "" {
		return &usageError{"--svg names no file; give one"}
	}
	return nil
}

// options turns the flags into options, and checks them.
func (f planFlags) options() (offline.Options, error) {
	o := offline.Options{
		PerTopic: f.perTopic, Racks: f.racks, FollowerFetching: f.followers,
		Tolerance: f.tolerance, MaxMoves: f.maxMoves,
	}
	for _, group := range f.coPartition {
		topics := strings.Split(group, ",")
		if len(topics) < 2 || slices.Contains(topics, "") {
			return o, &usageError{fmt.Sprintf("--co-partition %q does not name two topics; give them with commas between", group)}
		}
		o.CoPartition = append(o.CoPartition, topics)
	}
	for _, text := range f.pins {
		pin, ok := parsePin(text)
		if !ok {
			return o, &usageError{fmt.Sprintf("--pin %q is not understood; give TOPIC=instance:NAME, TOPIC:0,2-5=instance:NAME, or label:KEY=VALUE for instance:NAME", text)}
		}
		o.Pins = append(o.Pins, pin)
	}
	for _, assignor := range f.assignors {
		if _, err := offline.Build(assignor, o); err != nil {
			return o, &usageError{err.Error()}
		}
	}
	return o, nil
}

// parsePin reads TOPIC[:PARTITIONS]=instance:NAME or TOPIC[:PARTITIONS]=label:KEY=VALUE.
// No topic has a colon or an equals sign in its name.
func parsePin(text string) (assign.Pin, bool) {
	what, whom, found := strings.Cut(text, "=")
	topic, partitions, some := strings.Cut(what, ":")
	pin := assign.Pin{Topic: topic}
	if !found || topic == "" {
		return pin, false
	}
	if some {
		var ok bool
		if pin.Partitions, ok = parseRanges(partitions); !ok {
			return pin, false
		}
	}
	kind, name, _ := strings.Cut(whom, ":")
	switch kind {
	case "instance":
		pin.Instance = name
	case "label":
		pin.Label = name
		if !strings.Contains(name, "=") {
			return pin, false
		}
	}
	return pin, pin.Instance != "" || pin.Label != ""
}

// parseRanges reads 0,2-5, of at most a million partitions.
func parseRanges(text string) ([]int32, bool) {
	var all []int32
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		low, err := strconv.ParseUint(first, 10, 31)
		high, err2 := strconv.ParseUint(last, 10, 31)
		if err != nil || err2 != nil || high < low || high-low > 1_000_000 || high == math.MaxInt32 {
			return nil, false
		}
		for p := low; p <= high; p++ {
			all = append(all, int32(p))
		}
	}
	return all, true
}
