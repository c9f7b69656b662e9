package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Failure is what [Config].OnFailure decides about: records that the handler failed on
// as often as Config.Attempts allows.
type Failure struct {
	Topic     string
	Partition int32

	// Records are those that the decision is about, at least one: of a handler
	// made by [Each] the one that failed, of others all that were not told by
	// [Progress].
	Records []*kgo.Record

	Attempts int   // how often they were tried since the last decision
	Err      error // of the last attempt; a *PanicError where the handler panicked
}

// Error makes a Failure the error that Run returns for it.
func (f *Failure) Error() string {
	first, last := f.Records[0].Offset, f.Records[len(f.Records)-1].Offset
	offsets := fmt.Sprintf("offset %d", first)
	if last > first {
		offsets = fmt.Sprintf("offsets %d to %d", first, last)
	}
	return fmt.Sprintf("the handler failed on %s[%d], %s, after %d attempts: %v", f.Topic, f.Partition, offsets, f.Attempts, f.Err)
}

// Unwrap returns the handler's error.
func (f *Failure) Unwrap() error { return f.Err }

// A Decision is what becomes of records that cannot be handled.
type Decision int

const (
	// StopMember ends Run with the *Failure. The records are not committed.
	StopMember Decision = iota
	// Retry has the handler try Config.Attempts times more, after the pause that
	// Config.Backoff gives.
	Retry
	// Skip counts the records as handled, with an EventSkipped.
	Skip
	// DeadLetter writes the records to Config.DeadLetterTopic, each with headers
	// that tell its topic, partition and offset and the error, and counts them as
	// handled once the brokers acknowledged them, with an EventDeadLettered. Where
	// they do not, it is tried again with Config.Backoff for as long as the member
	// has the partition. Records that were written may be so twice.
	DeadLetter
	// StopPartition keeps the partition, and handles and fetches nothing more of
	// it until [Member.Resume] or the next time that it is assigned, with an
	// EventPartitionStopped. [Member.Health] is stalled meanwhile.
	StopPartition
)

// Headers of dead letters; their values are text.
const (
	DeadLetterTopicHeader     = "groupkit.dead-letter.topic"
	DeadLetterPartitionHeader = "groupkit.dead-letter.partition"
	DeadLetterOffsetHeader    = "groupkit.dead-letter.offset"
	DeadLetterErrorHeader     = "groupkit.dead-letter.error"
)

// maxErrorHeader bounds the error in a dead letter, in bytes.
const maxErrorHeader = 1 << 10

// deadLetters returns copies of the records to write to the topic.
func deadLetters(topic string, f *Failure) []*kgo.Record {
	text := f.Err.Error()
	text = strings.ToValidUTF8(text[:min(len(text), maxErrorHeader)], "")
	letters := make([]*kgo.Record, len(f.Records))
	for i, r := range f.Records {
		headers := append(slices.Clone(r.Headers),
			kgo.RecordHeader{Key: DeadLetterTopicHeader, Value: []byte(r.Topic)},
			kgo.RecordHeader{Key: DeadLetterPartitionHeader, Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
			kgo.RecordHeader{Key: DeadLetterOffsetHeader, Value: strconv.AppendInt(nil, r.Offset, 10)},
			kgo.RecordHeader{Key: DeadLetterErrorHeader, Value: []byte(text)},
		)
		letters[i] = &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Headers: headers}
	}
	return letters
}

// backoff returns the pause after a failed attempt, the default's where the user's panics.
func (m *Member) backoff(attempt int) (pause time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			err := &PanicError{"Backoff", p, debug.Stack()}
			m.cfg.Logger.LogAttrs(context.Background(), slog.LevelError, "the pause is the default's", append(errAttrs(err), slog.String("group", m.cfg.Group))...)
			pause = backoff(attempt)
		}
	}()
	return m.cfg.Backoff(attempt)
}

// ask asks the user what to do. Its panic, and a decision that is none, stop the member.
func (m *Member) ask(ctx context.Context, f *Failure) (decision Decision) {
	if m.cfg.OnFailure == nil {
		return StopMember
	}
	defer func() {
		if p := recover(); p != nil {
			f.Err = errors.Join(f.Err, &PanicError{"OnFailure", p, debug.Stack()})
			decision = StopMember
		}
	}()
	decision = m.cfg.OnFailure(ctx, *f)
	switch {
	case decision < StopMember || decision > StopPartition:
		f.Err = errors.Join(f.Err, fmt.Errorf("OnFailure returned %d, which is no Decision; return one of the constants", decision))
		return StopMember
	case decision == DeadLetter && m.cfg.DeadLetterTopic == "":
		f.Err = errors.Join(f.Err, errors.New("OnFailure chose DeadLetter and the member's config names no topic for it; set Config.DeadLetterTopic"))
		return StopMember
	}
	return decision
}
