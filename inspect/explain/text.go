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
	case m.ID == "" && m.ClientID == "":
		return "a client whose id is not known"
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
	if m.Host == "" && m.ClientID == "" {
		return named(m)
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
	return listed(names)
}

// listed joins words as people do.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// roughly rounds a time to what a person wants of it.
func roughly(d time.Duration) string {
	switch {
	case d >= time.Hour:
		d = d.Round(time.Minute)
	case d >= 10*time.Second:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
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
	at = slices.CompactFunc(slices.SortedFunc(slices.Values(at), time.Time.Compare), time.Time.Equal)
	if n = len(at); n < 2 {
		return times(n)
	}
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

// generationOf names a round: by its generation, or, where the broker plans, its epoch.
func generationOf(r *round) string {
	switch {
	case r.after.Generation == nil:
		return "a rebalance"
	case r.after.Type == "classic":
		return fmt.Sprintf("generation %d", *r.after.Generation)
	}
	return fmt.Sprintf("epoch %d", *r.after.Generation)
}

// few names some and counts the others.
func few(names []string, between string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], between), len(names)-most)
	}
	return strings.Join(names, between)
}
