package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/explain"
)

// Explaining says what [Inspector.Explain] looks at. Its zero value is ready.
type Explaining struct {
	// For is how long to record what the group's coordinator answers. 0 means five
	// seconds, which tells how the group is; a minute or more shows what goes on in it.
	For time.Duration
	// Stop ends the recording when it is closed; what was seen until then is judged, with the
	// log. Before the coordinator is asked, it ends the call. Nil: the recording takes
	// [Explaining.For]. A context that ends, ends all: then the log is among the Errors, and
	// nothing is said to be fine for certain.
	Stop <-chan struct{}
	// Since is how far back the log is read, and what members said is taken. 0 means an
	// hour.
	Since time.Duration
	// Said returns what members said since a time, as [explain.ReadSaid] reads it, and is
	// called once when the recording is over. What it returns beside an error counts. Nil:
	// nothing is known of it.
	Said func(ctx context.Context, since time.Time) ([]explain.Observation, error)
	// NoLog leaves __consumer_offsets alone.
	NoLog bool
	// Limits are what is judged by.
	Limits explain.Limits
}

const (
	defaultRecording = 5 * time.Second
	defaultLookback  = time.Hour
)

// Explain answers why a group keeps rebalancing: verdicts with their evidence, most
// likely first, each with what to change. See package explain for how it judges.
//
// What the group did is read from its partition of __consumer_offsets: its generations
// with their members, and its commits. Beside that its coordinator is asked twice a
// second for [Explaining.For], which also shows how long it waits for its members, and
// rebalances that do not complete and so are in no log. Where the log may not be read,
// that is all there is, with the warning that says so; give it a minute or more then.
// Times of the log are the coordinator's, and are compared with this machine's, to
// within about two seconds.
//
// What is missing is told. Of the log at most the newest 50,000 entries are read of
// rebalances and as many commits, within [LogBudget]; the recording ends at 200,000
// observations. Where that is less than was asked for, and where looks failed though
// others did not, there is a warning that says of when nothing is known.
//
// It creates no topic: where __consumer_offsets is hidden, the group is looked for among
// those that the brokers list, and FindCoordinator is asked only where they list any, or
// with [CreateInternalTopics].
//
// A group that does not exist is [CodeGroupNotFound] among the Errors, with a diagnosis
// that says so. It takes DESCRIBE on the group and its topics; for the log DESCRIBE and
// READ on the topic __consumer_offsets. It takes [Explaining.For], and as long as the
// log takes; it sends about five requests a second.
func (in *Inspector) Explain(ctx context.Context, group string, how Explaining) (Answer[explain.Diagnosis], error) {
	answer := newAnswer[explain.Diagnosis]()
	if _, invalid := uniqueNames("group", []string{group}); invalid != nil {
		return answer.fail(*invalid)
	}
	if how.For <= 0 {
		how.For = defaultRecording
	}
	if how.Since <= 0 {
		how.Since = defaultLookback
	}
	began := time.Now()
	recording, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-how.Stop:
			stop()
		case <-recording.Done():
		}
	}()
	topic, clusterID, err := in.offsetsTopic(recording)
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = clusterID
	recorder := &recorder{Inspector: in, group: group}
	recorder.run(recording, how.For)
	observed, interrupted := recorder.seen, false
	if recorder.problem != nil {
		answer.missing(*recorder.problem)
	}
	answer.warn(recorder.warnings()...)
	if !how.NoLog && !topic.absent {
		logged, problems := in.logged(ctx, group, began.Add(-how.Since), recorder.last)
		observed = append(observed, logged...)
		if interrupted = errors.Is(ctx.Err(), context.Canceled); interrupted {
			answer.missing(Problem{
				Code: CodeRequestFailed, Target: group, Cause: ctx.Err(),
				Message: "interrupted: what the group did before is not known, as the log was not read, or not all of it; ask again, and let it finish",
			})
		} else {
			answer.warn(problems...)
		}
	}
	if how.Said != nil {
		since := began.Add(-how.Since)
		said, err := how.Said(ctx, since)
		if err != nil {
			answer.missing(Problem{Code: CodeRequestFailed, Target: group, Message: fmt.Sprintf("cannot read what members said: %v", err), Cause: err})
		}
		observed = append(observed, slices.DeleteFunc(said, func(o explain.Observation) bool { return o.At.Before(since) })...)
	}
	if recorder.absent && len(recorder.seen) == 1 {
		answer.missing(Problem{
			Code: CodeGroupNotFound, Target: group,
			Message: fmt.Sprintf("the group %q does not exist on this cluster; check its name, and that a member has joined it or an offset was committed to it", group),
		})
	}
	answer.Data = explain.Diagnose(group, observed, how.Limits)
	if interrupted {
		answer.Data.Unknown = append(answer.Data.Unknown, "what the log tells: it was interrupted")
		for i := range answer.Data.Verdicts {
			if v := &answer.Data.Verdicts[i]; v.Cause == explain.Fine {
				v.Sure = explain.Possible
			}
		}
	}
	return answer, nil
}
