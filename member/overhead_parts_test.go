package member

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/groupkit/groupkit/assign"
)

// BenchmarkAdapterParts tells what each part of a leader's round costs that is not the
// assignor's, each by itself and after the other, in the rounds of BenchmarkAdapter.
//
// It prints the second table of docs/leader-hook.md.
func BenchmarkAdapterParts(b *testing.B) {
	kinds := []string{"settled", "joined", "completing"}
	fastest := make(map[string]map[string]time.Duration)
	var names []string
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			protocol := Protocol{Assignor: assign.CooperativeSticky()}
			hooks, err := NewHooks(HooksConfig{Protocols: []Protocol{protocol}})
			if err != nil {
				b.Fatal(err)
			}
			bal := &balancer{hooks: hooks, protocol: protocol, first: true}
			now := leads(b, bal, kind)
			before := hooks.adopted
			r := now.play(b, bal).(*round)
			target, sent, review := r.target, r.sent, assign.NewReview(r.group)
			members := sent.Assignment.Members()
			steps := []struct {
				name string
				in   string // the only kind that has it, or all
				not  string // the only kind that has it not
				do   func()
			}{
				{"read what members sent", "", "", func() {
					reader := newSubscriptionReader(before)
					for i := range now.members {
						if _, err := reader.member(protocol, &now.members[i]); err != nil {
							b.Fatal(err)
						}
					}
				}},
				{"find out why the round happened", "", "", func() { r.findCauses(before) }},
				{"see that it only completes a plan", "completing", "", func() {
					if !r.completes(before) {
						b.Fatal("it does not")
					}
				}},
				{"plan and validate", "", "completing", func() {
					review = assign.NewReview(r.group)
					if _, err := review.Assign(protocol.Assignor); err != nil {
						b.Fatal(err)
					}
				}},
				{"withhold what has an owner", "", "completing", func() { review.WithholdValid(target) }},
				{"write what members get", "", "", func() { encodeAssignment(members, sent.Assignment, nil) }},
			}
			fastest[kind], names = make(map[string]time.Duration), nil
			for b.Loop() {
				for _, step := range steps {
					if step.in != "" && step.in != kind || step.not == kind {
						continue
					}
					began := time.Now()
					step.do()
					took := time.Since(began)
					if least, measured := fastest[kind][step.name]; !measured || took < least {
						fastest[kind][step.name] = took
					}
				}
			}
			for _, step := range steps {
				names = append(names, step.name)
			}
		})
	}
	fmt.Fprintf(os.Stderr, "\nFastest of each part:\n\n| part | %s | %s | %s |\n|---|---|---|---|\n", kinds[0], kinds[1], kinds[2])
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "| %s |", name)
		for _, kind := range kinds {
			if took, measured := fastest[kind][name]; measured {
				fmt.Fprintf(os.Stderr, " %.2f ms |", took.Seconds()*1000)
			} else {
				fmt.Fprint(os.Stderr, " |")
			}
		}
		fmt.Fprintln(os.Stderr)
	}
}
