package member

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Handler processes records of one partition, in the order of their offsets. When it
// returns nil they are handled, and are committed. When it returns an error or panics,
// those are handled that it told by [Progress], and it is called again with the others,
// see [Config].Attempts; where it told all of them the error is told by
// EventHandlerFailed, and nothing is tried again.
//
// It is called on a goroutine of the partition: never twice at the same time for one
// partition, and at the same time for different ones. ctx ends when the partition was
// lost, when the member has to stop, and in any case before another member can have the
// partition, see the package comment; context.Cause tells why once Done is closed. Err of
// ctx looks at the clock, for a process that was stopped, and may tell of the end a moment
// before Done; a context derived from ctx does not look. The records and their slice must
// not be changed.
type Handler func(ctx context.Context, records []*kgo.Record) error

// Each returns a Handler that calls handle for one record after the other and tells
// [Progress]: an error concerns one record, and a partition that has to be given up is
// so after the record under way.
func Each(handle func(ctx context.Context, record *kgo.Record) error) Handler {
	return func(ctx context.Context, records []*kgo.Record) error {
		c := callOf(ctx)
		if c == nil { // called by somebody else, a test for one
			for _, record := range records {
				if err := handle(ctx, record); err != nil {
					return err
				}
			}
			return nil
		}
		c.single = true
		for i, record := range records {
			if c.halt.Load() {
				return ErrHalted
			}
			if err := handle(ctx, record); err != nil {
				return err
			}
			c.done.Store(int64(i + 1))
		}
		return nil
	}
}

// Progress tells, within a [Handler], that the first n of its records are handled. They
// may be committed from then on, are not handed out again when the rest fails, and the
// watchdog counts the call as progress, also where n is what it was. Outside of a
// handler it does nothing. It may be called from any goroutine until the handler
// returns; n never goes back.
func Progress(ctx context.Context, n int) {
	c := callOf(ctx)
	if c == nil {
		return
	}
	c.beats.Add(1)
	for {
		before := c.done.Load()
		if int64(n) <= before || c.done.CompareAndSwap(before, int64(min(n, len(c.records)))) {
			return
		}
	}
}

// Halting tells, within a [Handler], whether it should return as soon as what it has
// begun is done, because its partition is to be given up or the member closes. What it
// told by [Progress] is then committed, whatever it returns but nil, which stands for
// all of its records. Outside of a handler it tells whether ctx has ended.
func Halting(ctx context.Context) bool {
	c := callOf(ctx)
	return ctx.Err() != nil || c != nil && c.halt.Load()
}

// ErrHalted may be returned by a handler that stops because of [Halting]: it is no
// failure.
var ErrHalted = errors.New("the handler stopped because its partition is to be given up")

// A call is one call of a handler, and the context that it gets.
type call struct {
	context.Context
	cancel    context.CancelCauseFunc
	lease     *lease
	run       *run
	partition *partition
	records   []*kgo.Record
	began     time.Time

	single bool                      // an error concerns one record; written by Each, read after the call
	done   atomic.Int64              // how many records are handled
	beats  atomic.Int64              // calls of Progress
	halt   atomic.Bool               // no further record is to be begun
	told   atomic.Pointer[time.Time] // since when; nil before that
	left   atomic.Bool               // its slot was given back

	seen int64 // done and beats when the watchdog last looked, under the partition's lock
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// Value implements context.Context.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// outside is the context of a call for what is not the handler: Progress finds no call.
type outside struct{ context.Context }

// Value implements context.Context.
func (o outside) Value(key any) any {
	if key == (callKey{}) {
		return nil
	}
	return o.Context.Value(key)
}

// Err implements context.Context. Like that of leadContext it looks at the clock.
func (c *call) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if c.lease != nil && c.lease.ended(time.Now()) {
		return context.DeadlineExceeded // Done is closed in a moment
	}
	return nil
}

// tell tells the handler that it should come to its end.
func (c *call) tell() {
	if !c.halt.Swap(true) {
		now := time.Now()
		c.told.Store(&now)
	}
}

// remaining tells how many records are not handled, and the offset of the first; behind
// the last when all are.
func (c *call) remaining() (offset int64, n int) {
	done := int(c.done.Load())
	if done == len(c.records) {
		return c.records[done-1].Offset + 1, 0
	}
	return c.records[done].Offset, len(c.records) - done
}

// end ends the call's context for the reason given.
func (c *call) end(why error) {
	c.tell()
	c.cancel(why)
}

// leave gives the call's slot back: it ended, or nobody waits for it any more.
func (c *call) leave() {
	if !c.left.Swap(true) {
		c.run.giveSlot()
	}
}

// invoke calls the handler, and makes an error of a panic.
func (c *call) invoke(handle Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{"the handler", p, debug.Stack()}
		}
	}()
	return handle(c, c.records)
}
