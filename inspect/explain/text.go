package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// named names a member as people know it.
func named(m watch.MemberRef) string {
	switch {
	case m.Instance != nil:
		return fmt.Sprintf("%q", *m.Instance)
	case m.ID == "":
		return fmt.Sprintf("a client %q", m.ClientID)
	}
	return fmt.Sprintf("%q", m.ID)
}

// calledWho names a member over its lives.
func calledWho(m watch.MemberRef) string {
	if m.Instance != nil {
		return fmt.Sprintf("%q", *m.Instance)
	}
	if m.Host == "" {
		return fmt.Sprintf("the client %q", m.ClientID)
	}
	return fmt.Sprintf("the client %q at %s", m.ClientID, strings.TrimPrefix(m.Host, "/"))
}

func namedAll(members []watch.MemberRef) string {
	const most = 4
	var names []string
	for i, m := range members {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(members)-most))
			break
		}
		names = append(names, named(m))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// roughly rounds a time to what a person wants of it.
func roughly(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// rhythm says how often something came, "every 45s" if it came regularly.
func rhythm(at []time.Time) string {
	n := len(at)
	if n < 2 {
		return times(n)
	}
	at = slices.SortedFunc(slices.Values(at), time.Time.Compare)
	span := at[n-1].Sub(at[0])
	mean := span / time.Duration(n-1)
	if n >= 3 {
		regular := true
		for i := 1; i < n; i++ {
			gap := at[i].Sub(at[i-1])
			regular = regular && gap > mean*7/10 && gap < mean*13/10
		}
		if regular {
			return fmt.Sprintf("every %s, %s", roughly(mean), times(n))
		}
	}
	return fmt.Sprintf("%s within %s", times(n), roughly(span))
}

func generationOf(r *round) string {
	if r.after.Generation != nil {
		return fmt.Sprintf("generation %d", *r.after.Generation)
	}
	return "a rebalance"
}
