package inspect

import (
	"fmt"
	"strings"
)

// reasons gathers what failed alike for many names, so that one missing ACL does not
// fill a page.
type reasons struct {
	order []string
	names map[string][]string
	errs  map[string]error
}

func newReasons() *reasons {
	return &reasons{names: map[string][]string{}, errs: map[string]error{}}
}

func (r *reasons) add(name string, err error) {
	reason := err.Error()
	if r.errs[reason] == nil {
		r.order = append(r.order, reason)
		r.errs[reason] = err
	}
	r.names[reason] = append(r.names[reason], name)
}

// problems makes one problem of each reason. which names what it concerns, for a
// sentence; target is the name if there is just one, and "cluster" otherwise.
func (r *reasons) problems(problem func(err error, which, target string) Problem) []Problem {
	var all []Problem
	for _, reason := range r.order {
		target, names := clusterTarget, r.names[reason]
		if len(names) == 1 {
			target = names[0]
		}
		all = append(all, problem(r.errs[reason], fewOf(names), target))
	}
	return all
}

// fewOf names some, and counts the rest.
func fewOf(names []string) string {
	const most = 3
	var quoted []string
	for _, name := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	text := strings.Join(quoted, ", ")
	if rest := len(names) - most; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}
