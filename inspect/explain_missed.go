package inspect

import (
	"fmt"
	"time"
)

// recordedPart is what a recording looks at.
type recordedPart string

const (
	recordedGroup   recordedPart = "the group"
	recordedCommits recordedPart = "its commits"
	recordedTopics  recordedPart = "its topics"
)

// missedLooks are those at one part that failed.
type missedLooks struct {
	n           int
	first, last time.Time
	problem     Problem // of the last of them
}

// miss keeps that a look at a part failed.
func (r *recorder) miss(part recordedPart, p Problem) {
	if r.isStopped() {
		return
	}
	m := r.missed[part]
	if m == nil {
		m = &missedLooks{first: time.Now()}
		if r.missed == nil {
			r.missed = map[recordedPart]*missedLooks{}
		}
		r.missed[part] = m
	}
	m.n++
	m.last, m.problem = time.Now(), p
}

// warnings tell what the recording lacks, but for that none of its looks at the group
// succeeded, which is an error.
func (r *recorder) warnings() []Problem {
	var all []Problem
	for _, part := range []recordedPart{recordedGroup, recordedCommits, recordedTopics} {
		m := r.missed[part]
		if m == nil || part == recordedGroup && m.n == r.looks {
			continue
		}
		p := m.problem
		p.Target = r.group
		p.Message = fmt.Sprintf("what was to be seen of %s is not known, or not all of it: %s failed between %s and %s: %s",
			part, manyLooks(m.n), m.first.UTC().Format(time.TimeOnly+"Z"), m.last.UTC().Format(time.TimeOnly+"Z"), p.Message)
		all = append(all, p)
	}
	if r.full {
		all = append(all, Problem{
			Code: CodeLogTruncated, Target: r.group,
			Message: fmt.Sprintf("the recording ended at %s, when it held %d observations, most of them commits: what came later is not known; record for a shorter time", r.seen[len(r.seen)-1].At.UTC().Format(time.TimeOnly+"Z"), len(r.seen)),
		})
	}
	return all
}

func manyLooks(n int) string {
	if n == 1 {
		return "1 look"
	}
	return fmt.Sprintf("%d looks", n)
}
