package integration

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

const electionsPage = "../docs/elections.md"

// documented holds a block of the page on elections to what groupctl prints: with
// GROUPKIT_DOCS=1 in the environment it is written anew, and otherwise it has to begin as
// the output does, but for numbers.
func documented(t *testing.T, block, command, output string) {
	t.Helper()
	page, err := os.ReadFile(electionsPage)
	if err != nil {
		t.Fatal(err)
	}
	begin := "<!-- seen: " + block + " -->\n```console\n"
	before, rest, found := strings.Cut(string(page), begin)
	content, after, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("the page on elections has no block %q", block)
	}
	fresh := "$ groupctl " + command + "\n" + output
	if os.Getenv("GROUPKIT_DOCS") == "1" {
		if err := os.WriteFile(electionsPage, []byte(before+begin+fresh+"```\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	head := func(text string) string {
		_, output, _ := strings.Cut(text, "\n")
		line, _, _ := strings.Cut(output, "\n")
		return strings.Join(strings.Fields(regexp.MustCompile(`[0-9.:]+`).ReplaceAllString(line, "0")), " ")
	}
	if head(content) != head(fresh) {
		t.Errorf("%s shows %q as\n%s\nand it is\n%s\nrun the test with GROUPKIT_DOCS=1", electionsPage, block, content, fresh)
	}
}

// page runs groupctl until it succeeds, and documents what it prints.
func (g groupctl) page(t *testing.T, block string, args ...string) {
	t.Helper()
	var out string
	eventually(t, "groupctl "+strings.Join(args, " ")+" succeeds", func() (bool, string) {
		var err error
		out, err = g.try(t, args...)
		return err == nil, out
	})
	if tables := strings.SplitAfter(out, "\n\n"); args[0] == "impact" && len(tables) > 1 {
		out = tables[0] + "…\n" // the rest is long
	}
	documented(t, block, "-b localhost:9092 "+strings.Join(args, " "), out)
}

// electionsAreDocumented has all four elections happen at the death of one broker and one
// member.
func electionsAreDocumented(t *testing.T, c *cluster.Cluster) {
	g := buildGroupctl(t, c)
	client := newClient(t, c)
	in := inspect.New(client, inspect.CreateInternalTopics())
	controller := *controllerOf(t, in, func(inspect.Controller) bool { return true }, patience).Node
	second, third := controller%3+1, (controller+1)%3+1
	createPlacedTopic(t, c, "orders", [][]int32{{controller, second, third}, {second, third, controller}, {third, controller, second}})
	group := groupCoordinatedBy(t, in, controller)
	startReader(t, c, group, "orders", kgo.ClientID("worker-a"))
	settled(t, c, group, "orders", 1, 3)
	other := startReader(t, c, group, "orders", kgo.ClientID("worker-b"))
	settled(t, c, group, "orders", 2, 3)
	leadersOf(t, in, "orders", func(rows []inspect.Partition) bool {
		return !slices.ContainsFunc(rows, func(p inspect.Partition) bool { return p.NotPreferred() || len(p.ISR) != 3 })
	})

	g.page(t, "controller", "cluster", "controller")
	g.page(t, "coordinator", "group", "coordinator", group)
	g.page(t, "leaders", "topic", "leaders", "orders")
	g.page(t, "group", "group", "describe", group)
	g.page(t, "impact", "impact", "--brokers-down", fmt.Sprint(controller))

	revive := kill(t, c, controller)
	successorOf(t, c, controller)
	leadersOf(t, in, "orders", func(rows []inspect.Partition) bool {
		return rows[0].Leader != nil && *rows[0].Leader == second && len(rows[0].ISR) == 2
	})
	g.page(t, "controller after", "cluster", "controller")
	g.page(t, "coordinator after", "group", "coordinator", group)
	g.page(t, "leaders after", "topic", "leaders", "orders")

	revive()
	leadersOf(t, in, "orders", func(rows []inspect.Partition) bool {
		return !slices.ContainsFunc(rows, func(p inspect.Partition) bool { return len(p.ISR) != 3 })
	})
	g.page(t, "not preferred", "topic", "leaders", "--not-preferred", "orders")
	g.page(t, "elect", "elect", "preferred", "orders:0")
	other.leave()
}

// groupCoordinatedBy returns a name that would make a group be coordinated by the broker.
func groupCoordinatedBy(t *testing.T, in *inspect.Inspector, broker int32) string {
	t.Helper()
	candidates := []string{"billing", "invoices", "shipping", "accounting", "mailing", "search", "audit", "reports"}
	var found string
	eventually(t, fmt.Sprintf("one of %v is coordinated by broker %d", candidates, broker), func() (bool, string) {
		answer, err := in.Coordinators(t.Context(), candidates...)
		for _, row := range answer.Data {
			if row.Coordinator != nil && *row.Coordinator == broker && found == "" {
				found = row.Name
			}
		}
		return found != "", fmt.Sprint(err, answer.Err())
	})
	return found
}
