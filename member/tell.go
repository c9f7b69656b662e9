package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/groupkit/groupkit/assign"
)

// warns tells whether an event of the kind is logged as a warning.
func (k EventKind) warns() bool {
	switch k {
	case EventIsolated, EventFallback, EventLeadFailed, EventLoadUnknown, EventLost, EventLeaderless, EventAbandoned, EventHandlerFailed,
		EventSkipped, EventDeadLettered, EventPartitionStopped, EventStalled, EventFenced, EventCommitFailed,
		EventFetchFailed, EventRecreated, EventWaiting, EventUnattached:
		return true
	}
	return false
}

// maxLogged bounds how many topics, causes and runs of partitions a record of the log has.
const maxLogged = 100

// tell logs an event of who, and gives it to the user, whose panic is caught: the
// goroutine is often the client's, and would end the process over what is mere news.
func tell(ctx context.Context, logger *slog.Logger, who string, onEvent func(Event), e Event) {
	level := slog.LevelInfo
	if e.Kind.warns() {
		level = slog.LevelWarn
	}
	if logger.Enabled(ctx, level) {
		logger.LogAttrs(ctx, level, who+" "+string(e.Kind), e.attrs()...)
	}
	if onEvent == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			logger.LogAttrs(ctx, slog.LevelError, who, errAttrs(&PanicError{"OnEvent", p, debug.Stack()})...)
		}
	}()
	onEvent(e)
}

// named has the log tell whose event it is, under whichever id, and with what timeouts the
// member joins: `groupctl group explain --events` reads it.
func (s settings) named(logger *slog.Logger, kind EventKind) *slog.Logger {
	logger = logger.With(slog.String("clientId", s.clientID))
	if s.instance != "" {
		logger = logger.With(slog.String("instance", s.instance))
	}
	if kind == EventJoining {
		logger = logger.With(slog.Int64("sessionTimeoutMs", s.session.Milliseconds()), slog.Int64("rebalanceTimeoutMs", s.rebalance.Milliseconds()))
	}
	return logger
}

// attrs are what of the event is logged: what is set.
func (e *Event) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("group", e.Group), slog.String("member", e.Member), slog.Int("generation", int(e.Generation))}
	if e.From != e.State {
		attrs = append(attrs, slog.String("from", string(e.From)), slog.String("state", string(e.State)))
	}
	for _, words := range []struct{ key, value string }{{"protocol", e.Protocol}, {"leader", e.LeaderID}, {"reason", e.Reason}, {"subject", e.Subject}} {
		if words.value != "" {
			attrs = append(attrs, slog.String(words.key, words.value))
		}
	}
	if len(e.Topics) > 0 {
		attrs = append(attrs, slog.Any("topics", e.Topics[:min(len(e.Topics), maxLogged)]))
	}
	if len(e.Causes) > 0 {
		attrs = append(attrs, slog.Any("causes", e.Causes[:min(len(e.Causes), maxLogged)]))
	}
	if e.Took > 0 {
		attrs = append(attrs, slog.Int64("tookMs", e.Took.Milliseconds()))
	}
	if e.Stats != nil {
		attrs = append(attrs, slog.Any("stats", *e.Stats))
	}
	if e.Assigned != nil {
		attrs = append(attrs, slog.String("assigned", assignedInWords(e.Assigned)))
	}
	if e.Topic != "" {
		attrs = append(attrs, slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)))
	}
	if e.Records > 0 {
		attrs = append(attrs, slog.Int64("offset", e.Offset), slog.Int("records", e.Records))
	}
	if e.Attempt > 0 {
		attrs = append(attrs, slog.Int("attempt", e.Attempt))
	}
	if e.Err != nil {
		attrs = append(attrs, errAttrs(e.Err)...)
	}
	return attrs
}

// assignedInWords names partitions, at most maxLogged runs of numbers that follow each
// other: "orders[0-2,7] returns[1]". What is left out is counted.
func assignedInWords(assigned []assign.TopicPartitions) string {
	var text strings.Builder
	runs, left := 0, 0
	for _, tp := range assigned {
		numbers := tp.Partitions
		if runs == maxLogged || len(numbers) == 0 {
			left += len(numbers)
			continue
		}
		if text.Len() > 0 {
			text.WriteByte(' ')
		}
		text.WriteString(tp.Topic)
		separator := byte('[')
		for ; len(numbers) > 0 && runs < maxLogged; runs++ {
			n := 1
			for n < len(numbers) && numbers[n] == numbers[n-1]+1 {
				n++
			}
			text.WriteByte(separator)
			text.WriteString(strconv.Itoa(int(numbers[0])))
			if n > 1 {
				text.WriteString("-" + strconv.Itoa(int(numbers[n-1])))
			}
			numbers, separator = numbers[n:], ','
		}
		text.WriteByte(']')
		left += len(numbers)
	}
	switch {
	case left > 0:
		fmt.Fprintf(&text, " and %d more", left)
	case text.Len() == 0:
		return "none"
	}
	return text.String()
}

// errAttrs are what is logged of an error: of a panic that was caught where it came from
// too, which the error does not say.
func errAttrs(err error) []slog.Attr {
	attrs := []slog.Attr{slog.Any("err", err)}
	if p, ok := errors.AsType[*PanicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	return attrs
}
