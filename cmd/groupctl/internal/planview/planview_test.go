package planview

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/groupkit/groupkit/assign"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// example is a group of which the first member leaves while another joins.
func example(t *testing.T, members, partitions int, weighed bool) Picture {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	topics := []string{"clicks", "orders"}
	var g assign.Group
	for _, topic := range topics {
		described := assign.Topic{Name: topic, Partitions: int32(partitions)}
		for range partitions {
			if weighed {
				described.Weights = append(described.Weights, math.Round(1000*math.Exp(r.NormFloat64())))
			}
		}
		g.Topics = append(g.Topics, described)
	}
	for i := range members {
		g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("billing-%d-3f2a9c%02d", i, i), Topics: topics, Generation: 1})
	}
	owned, err := assign.Range().Assign(g)
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Members {
		g.Members[i].Owned = owned.Assignment[g.Members[i].ID]
	}
	changed := g.Clone()
	changed.Members = append(changed.Members[1:], assign.Member{ID: "new-1", Topics: topics})
	plan, err := assign.CooperativeSticky().Assign(changed)
	if err != nil {
		t.Fatal(err)
	}
	p := Picture{Title: "Group <billing> & \x1b\u202e", Subtitle: "an example", Unit: "partitions", Topics: topics}
	if weighed {
		p.Unit = "records of lag"
	}
	for i, m := range g.Members {
		member := Member{ID: m.ID, Name: Short(m.ID, 16), Capacity: 1}
		if i == 0 {
			member.Leaves, member.Note = true, "leaves"
		}
		p.Members = append(p.Members, member)
	}
	p.Members = append(p.Members, Member{ID: "new-1", Name: "new-1", Note: "joins", Capacity: 1, Joins: true})
	moves := assign.Diff(owned.Assignment, plan.Assignment)
	p.Before("Before", "highest load", g, owned.Assignment, moves)
	p.After("After", "highest load", changed, plan.Assignment, moves)
	return p
}

func TestSVG(t *testing.T) {
	for name, p := range map[string]Picture{
		"three.svg":  example(t, 3, 6, false),
		"thirty.svg": example(t, 30, 45, true),
		"empty.svg":  {Title: "Group", Unit: "partitions", Panels: []Panel{{Title: "Before"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := p.SVG(&got); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("the picture changed; look at it with -update, in %s", golden)
			}
			wellFormed(t, got.Bytes())
		})
	}
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	if bytes.ContainsAny(svg, "\x1b\u202e") || bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
		t.Error("the picture holds a control character, or no number")
	}
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := decoder.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestThinPartitionsAreDrawnTogether keeps pictures of many partitions small.
func TestThinPartitionsAreDrawnTogether(t *testing.T) {
	var b bytes.Buffer
	if err := example(t, 4, 50_000, false).SVG(&b); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.Bytes())
	if b.Len() > 1<<20 || !strings.Contains(b.String(), "partitions of orders") {
		t.Errorf("%d bytes", b.Len())
	}
}

func TestWeightsOfAnySize(t *testing.T) {
	for _, weight := range []float64{0, math.SmallestNonzeroFloat64, 1e-9, math.MaxFloat64} {
		g := assign.Group{
			Members: []assign.Member{{ID: "a", Topics: []string{"t"}, Capacity: weight}},
			Topics:  []assign.Topic{{Name: "t", Partitions: 3, Weights: []float64{weight, weight, 0}}},
		}
		p := Picture{Topics: []string{"t"}, Members: []Member{{ID: "a", Capacity: g.Members[0].EffectiveCapacity()}}}
		p.Before("Before", "", g, assign.Keep(g).Assignment)
		var b bytes.Buffer
		if err := p.SVG(&b); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, b.Bytes())
	}
}

func TestBar(t *testing.T) {
	for _, test := range []struct {
		value, most float64
		want        string
	}{
		{0, 8, ""}, {8, 8, "████"}, {4, 8, "██"}, {5, 8, "██▌"}, {1, 1000, "▏"}, {9, 8, "████"},
		{1, 0, ""}, {math.NaN(), 1, ""}, {1, math.NaN(), ""}, {math.Inf(1), 1, "████"},
	} {
		if got := Bar(test.value, test.most, 4); got != test.want {
			t.Errorf("%v of %v: %q, want %q", test.value, test.most, got, test.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 1: "1", 999: "999", 0.5: "0.5", 2.04: "2", 0.1: "0.1", 0.012: "0.012", 1000: "1k", 1234: "1.2k", 999.9: "1k", 123456: "123k",
		2.5e6: "2.5M", 1e9: "1G", 1e30: "1.0e+12E",
	} {
		if got := Number(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{"abc": "abc", "abcdefgh": "abcdefgh", "abcdefghi": "abc…fghi", "日本日本日本日本日": "日本日…本日本日"} {
		if got := Short(in, 8); got != want || utf8.RuneCountInString(got) > 8 {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
