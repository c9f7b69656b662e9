package member

import (
	"context"
	"log/slog"
	"runtime/debug"
)

// warns tells whether an event of the kind is logged as a warning.
func (k EventKind) warns() bool {
	switch k {
	case EventIsolated, EventFallback, EventLeadFailed, EventLost, EventLeaderless, EventAbandoned, EventHandlerFailed,
		EventSkipped, EventDeadLettered, EventPartitionStopped, EventStalled, EventFenced, EventCommitFailed,
		EventFetchFailed, EventRecreated, EventWaiting:
		return true
	}
	return false
}

// tell logs an event of who, and gives it to the user, whose panic is caught: the
// goroutine is often the client's, and would end the process over what is mere news.
func tell(ctx context.Context, logger *slog.Logger, who string, onEvent func(Event), e Event) {
	level := slog.LevelInfo
	if e.Kind.warns() {
		level = slog.LevelWarn
	}
	logger.LogAttrs(ctx, level, who+" "+string(e.Kind), e.attrs()...)
	if onEvent == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			err := &PanicError{"OnEvent", p, debug.Stack()}
			logger.LogAttrs(ctx, slog.LevelError, who, slog.Any("err", err), slog.String("stack", string(err.Stack)))
		}
	}()
	onEvent(e)
}

// attrs are what of the event is logged: what is set.
func (e *Event) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("group", e.Group), slog.String("member", e.Member), slog.Int("generation", int(e.Generation))}
	if e.From != e.State {
		attrs = append(attrs, slog.String("from", string(e.From)), slog.String("state", string(e.State)))
	}
	for _, words := range []struct{ key, value string }{{"leader", e.LeaderID}, {"reason", e.Reason}, {"subject", e.Subject}} {
		if words.value != "" {
			attrs = append(attrs, slog.String(words.key, words.value))
		}
	}
	if e.Stats != nil {
		attrs = append(attrs, slog.Any("stats", *e.Stats))
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
		attrs = append(attrs, slog.Any("err", e.Err))
	}
	return attrs
}
