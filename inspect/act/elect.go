package act

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/internal/exchange"
)

// Kind is the kind of an election: [Preferred] or [Unclean].
type Kind struct {
	unclean bool
	consent Consent
}

// Preferred is the election that makes the first replica of a partition its leader.
func Preferred() Kind { return Kind{} }

// Unclean is the election that gives a leader to a partition without one, in sync or
// not. consent is [RecordsMayBeLost], without which [Actor.Elect] refuses;
// [Actor.Preview] takes any.
func Unclean(consent Consent) Kind { return Kind{unclean: true, consent: consent} }

// String returns "preferred" or "unclean".
func (k Kind) String() string {
	if k.unclean {
		return "unclean"
	}
	return "preferred"
}

// Consent is the word that an unclean election takes.
type Consent string

// RecordsMayBeLost says that the caller knows what an unclean election costs.
const RecordsMayBeLost Consent = "records may be lost"

// ErrConsent is the cause of the error of [Actor.Elect] for an unclean election
// without [RecordsMayBeLost].
var ErrConsent = errors.New("an unclean election loses the records that the new leader does not have; it takes the consent act.RecordsMayBeLost")

// CodeConsent says that an unclean election was asked for without consent.
const CodeConsent inspect.Code = "CONSENT_NEEDED"

// CodeNotAsPredicted says that another broker leads after an election than the one
// that was predicted: the cluster changed meanwhile.
const CodeNotAsPredicted inspect.Code = "LEADER_NOT_AS_PREDICTED"

// ResultUnknown is the result of an election that was asked for and of which the
// controller told nothing: the request failed or was refused as a whole, or its answer
// leaves the partition out.
const ResultUnknown predict.ElectionResult = "UNKNOWN"

// Election is what an election does, or did, to one partition.
type Election struct {
	predict.TopicPartition
	// From is the leader before, nil if there was none.
	From *int32 `json:"from"`
	// Predicted is the leader afterwards by package predict, nil for none.
	Predicted *int32 `json:"predicted"`
	// Reason is the rule by which Predicted leads, empty where the leader stays.
	Reason predict.Rule `json:"reason"`
	// To is the leader that was seen afterwards, nil for none, or if nobody looked.
	To *int32 `json:"to"`
	// Result is the controller's answer: [predict.ElectionDone], or the name of Kafka's
	// error. Of a preview, and of a partition that needs no election and so is not asked
	// for, it is the one predicted. It is [ResultUnknown] where the controller was asked
	// and told nothing.
	Result predict.ElectionResult `json:"result"`
	// Done is whether the controller answered, so that Result and To were seen.
	Done bool `json:"done"`
}

// Actor changes a cluster through a client that belongs to the caller. It holds no
// state and may be used by many goroutines at once.
type Actor struct {
	client *kgo.Client
	in     *inspect.Inspector
}

// New returns an Actor. It sends nothing.
func New(client *kgo.Client) *Actor {
	return &Actor{client: client, in: inspect.New(client, inspect.SkipMinISR(), inspect.SkipGroups())}
}

const (
	// batch is how many partitions go into one request. The controller takes up to
	// 10,000 changes at a time.
	batch = 1000
	// look is how often the leaders are looked at until the election has spread.
	look = 100 * time.Millisecond
	// longest bounds the wait for the controller, and then that for the election
	// to spread, where the context has no deadline.
	longest = 30 * time.Second
)

// Preview says what the election would do to the partitions, or to all partitions if
// none is named; [predict.AllPartitions] stands for all of a topic. Each partition that
// is named has a row, in the order given; otherwise only those that need an election
// have. It changes nothing.
//
// A partition that does not exist is among the Errors, and so are one of a topic that may
// not be seen, with [inspect.CodeNotAuthorized], and one whose election will be refused. What is read, and which ACLs that takes, is as in
// [inspect.Inspector.ElectionState].
func (a *Actor) Preview(ctx context.Context, kind Kind, partitions ...predict.TopicPartition) (inspect.Answer[[]Election], error) {
	state, err := a.in.ElectionState(ctx)
	answer := inspect.Answer[[]Election]{
		ClusterID: state.ClusterID, ObservedAt: state.ObservedAt, Warnings: state.Warnings,
		// What else cannot be read is no part of what is asked for.
		Errors: []inspect.Problem{},
	}
	if err != nil {
		answer.Errors = state.Errors
		return answer, err
	}
	answer.Warnings = append(answer.Warnings, state.Errors...)
	step := predict.ElectPreferred
	if kind.unclean {
		step = predict.ElectUnclean
	}
	outcome, err := predict.Run(state.Data, step(partitions...))
	if err != nil {
		return answer, err // elections name no nodes
	}
	answer.Data = make([]Election, 0, len(outcome.Elections))
	hidden := a.hidden(ctx, outcome.Elections)
	for _, e := range outcome.Elections {
		row := Election{TopicPartition: e.TopicPartition, From: e.From, Predicted: e.To, Reason: e.Reason, Result: e.Result}
		if p, refused := row.problem(kind); refused {
			if why, isHidden := hidden[e.Topic]; isHidden {
				p = why
			}
			if !slices.ContainsFunc(answer.Errors, func(told inspect.Problem) bool { return told.Message == p.Message }) {
				answer.Errors = append(answer.Errors, p)
			}
		}
		if e.Result != predict.ElectionUnknownPartition {
			answer.Data = append(answer.Data, row)
		}
	}
	inOrder(answer.Data, partitions)
	return answer, nil
}

// hidden are the topics named that exist or not, and may not be seen: who asks for all
// topics is not told of them.
func (a *Actor) hidden(ctx context.Context, elections []predict.Election) map[string]inspect.Problem {
	var topics []string
	for _, e := range elections {
		if e.Result == predict.ElectionUnknownPartition && !slices.Contains(topics, e.Topic) {
			topics = append(topics, e.Topic)
		}
	}
	hidden := map[string]inspect.Problem{}
	if len(topics) == 0 {
		return hidden
	}
	named, _ := a.in.Partitions(ctx, topics...) // its error is among the Errors
	for _, p := range named.Errors {
		if p.Code == inspect.CodeNotAuthorized {
			hidden[p.Target] = p
		}
	}
	return hidden
}

// inOrder sorts rows as their partitions were named.
func inOrder(rows []Election, named []predict.TopicPartition) {
	places := make(map[predict.TopicPartition]int, len(named))
	for i, tp := range slices.Backward(named) {
		places[tp] = i
	}
	place := func(e Election) int {
		if at, ok := places[e.TopicPartition]; ok {
			return at
		}
		return places[predict.TopicPartition{Topic: e.Topic, Partition: predict.AllPartitions}]
	}
	slices.SortStableFunc(rows, func(a, b Election) int { return cmp.Compare(place(a), place(b)) })
}

// Elect holds the election, after a [Actor.Preview] of its own: only partitions that
// need it are asked for. It waits until the brokers tell of the new leaders, so that To
// is what was seen, within the context's deadline.
//
// A partition whose election was refused is among the Errors, one that another broker
// leads than was predicted among the Warnings, with [CodeNotAsPredicted]. Partitions are
// asked for 1,000 at a time; where some of these requests fail, or an answer leaves out
// partitions, an error tells of each request, and its rows have [ResultUnknown]. The error
// is set if nothing was done: no broker answered, the controller refused it all, or an
// unclean election lacks its consent, with [CodeConsent].
//
// It takes ALTER on the cluster, and what Preview takes.
func (a *Actor) Elect(ctx context.Context, kind Kind, partitions ...predict.TopicPartition) (inspect.Answer[[]Election], error) {
	if kind.unclean && kind.consent != RecordsMayBeLost {
		p := inspect.Problem{Code: CodeConsent, Target: "cluster", Message: ErrConsent.Error(), Cause: ErrConsent}
		return inspect.Answer[[]Election]{ObservedAt: time.Now().UTC(), Warnings: []inspect.Problem{}, Errors: []inspect.Problem{p}}, p
	}
	answer, err := a.Preview(ctx, kind, partitions...)
	if err != nil {
		return answer, err
	}
	// What the preview found refused may be granted all the same: the controller judges.
	answer.Errors = slices.DeleteFunc(answer.Errors, func(p inspect.Problem) bool {
		return p.Code != inspect.CodeTopicNotFound && p.Code != inspect.CodeNotAuthorized
	})
	var asked []*Election
	for i := range answer.Data {
		if answer.Data[i].Result != predict.ElectionNotNeeded {
			asked = append(asked, &answer.Data[i])
		}
	}
	answered := false
	for rows := range slices.Chunk(asked, batch) {
		for _, row := range rows {
			row.Result = ResultUnknown
		}
		if err := a.request(ctx, kind, rows); err != nil {
			p := problemOf(err, fmt.Sprintf("hold the %v election of %s", kind, fewOf(rows)))
			answer.Errors = append(answer.Errors, p)
			if !answered {
				return answer, p
			}
			continue
		}
		answered = true
		if rest := slices.DeleteFunc(slices.Clone(rows), func(row *Election) bool { return row.Done }); len(rest) > 0 {
			answer.Errors = append(answer.Errors, leftOut(kind, rest))
		}
	}
	a.observe(ctx, asked, &answer)
	for _, row := range asked {
		if p, refused := row.problem(kind); refused && row.Done {
			answer.Errors = append(answer.Errors, p)
		}
	}
	return answer, nil
}

// request asks the controller, and notes its answer in the rows.
func (a *Actor) request(ctx context.Context, kind Kind, rows []*Election) error {
	ctx, cancel := within(ctx, longest)
	defer cancel()
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType = 0
	if kind.unclean {
		req.ElectionType = 1
	}
	if deadline, ok := ctx.Deadline(); ok {
		req.TimeoutMillis = int32(max(1, time.Until(deadline).Milliseconds()))
	}
	byPartition := make(map[predict.TopicPartition]*Election, len(rows))
	topics := map[string]int{}
	for _, row := range rows {
		at, ok := topics[row.Topic]
		if !ok {
			at = len(req.Topics)
			topics[row.Topic] = at
			topic := kmsg.NewElectLeadersRequestTopic()
			topic.Topic = row.Topic
			req.Topics = append(req.Topics, topic)
		}
		req.Topics[at].Partitions = append(req.Topics[at].Partitions, row.Partition)
		byPartition[row.TopicPartition] = row
	}
	resp, err := exchange.Await(ctx, func() (*kmsg.ElectLeadersResponse, error) { return req.RequestWith(ctx, a.client) })
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			row := byPartition[predict.TopicPartition{Topic: topic.Topic, Partition: p.Partition}]
			if row == nil {
				continue // nobody asked
			}
			row.Done, row.Result = true, predict.ElectionDone
			if err := kerr.TypedErrorForCode(p.ErrorCode); err != nil {
				row.Result = predict.ElectionResult(err.Message)
			}
		}
	}
	return nil
}

// observe waits until the brokers tell of new leaders, and notes who leads in the end.
func (a *Actor) observe(ctx context.Context, rows []*Election, answer *inspect.Answer[[]Election]) {
	ctx, cancel := within(ctx, longest)
	defer cancel()
	// What the controller told nothing of may have been done all the same.
	var topics []string
	for _, row := range rows {
		if !slices.Contains(topics, row.Topic) {
			topics = append(topics, row.Topic)
		}
	}
	if len(topics) == 0 {
		return
	}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	seen := map[predict.TopicPartition]*int32{}
	for {
		now, err := a.in.Partitions(ctx, topics...)
		if err == nil {
			for _, p := range now.Data {
				seen[predict.TopicPartition{Topic: p.Topic, Partition: p.Partition}] = p.Leader
			}
		}
		pending := false
		for _, row := range rows {
			leader, ok := seen[row.TopicPartition]
			if ok {
				row.To = leader
			}
			// Another leader than predicted is news as well.
			pending = pending || row.Done && row.Result == predict.ElectionDone && (!ok || !same(leader, row.Predicted) && same(leader, row.From))
		}
		if !pending {
			a.differences(rows, answer)
			return
		}
		select {
		case <-ctx.Done():
			a.differences(rows, answer)
			return
		case <-ticker.C:
		}
	}
}

func (a *Actor) differences(rows []*Election, answer *inspect.Answer[[]Election]) {
	for _, row := range rows {
		if row.Done && row.Result == predict.ElectionDone && !same(row.To, row.Predicted) {
			answer.Warnings = append(answer.Warnings, inspect.Problem{
				Code: CodeNotAsPredicted, Target: row.String(),
				Message: fmt.Sprintf("%s is led by %s after the election, and %s was predicted: the cluster changed meanwhile, or the brokers have not heard of it yet", row, whom(row.To), whom(row.Predicted)),
			})
		}
	}
}

// within leaves time to show what was found out.
func within(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline)*9/10)
	}
	return context.WithTimeout(ctx, most)
}

func same(a, b *int32) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
