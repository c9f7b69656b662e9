package member

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// How long work that failed waits before it is called again: twice as long after each
// failure, and as at first once it has run for longer than the longest wait.
const (
	firstRestart = time.Second
	lastRestart  = 30 * time.Second
)

var errGoexit = errors.New("the call ended its goroutine instead of returning; leave out runtime.Goexit and testing's FailNow")

// restarting calls work until it returns nil or ctx ends. It tells of each failure
// while ctx lasts, and how long it waits before the next call.
func restarting(ctx context.Context, what string, work func() error, failed func(err error, wait time.Duration)) {
	wait := firstRestart
	for ctx.Err() == nil {
		began := time.Now()
		err := contained(what, work)
		if err == nil || ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastRestart {
			wait = firstRestart
		}
		failed(err, wait)
		pause := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			pause.Stop()
		case <-pause.C:
		}
		wait = min(2*wait, lastRestart)
	}
}

// contained calls f on a goroutine of its own, waits for it, and returns a panic or the
// end of the goroutine as an error.
func contained(what string, f func() error) error {
	err := errGoexit
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				err = &PanicError{what, p, debug.Stack()}
			}
		}()
		err = f()
	}()
	<-done
	return err
}
