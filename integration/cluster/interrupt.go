package cluster

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// interruptible runs do with a context that also ends on a signal that would end
// the process. When do has returned, the signal takes its usual effect.
func interruptible(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// One that was ignored when the process began, as by nohup, stays ignored.
	fatal := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
	if len(fatal) == 0 {
		return do(ctx)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, fatal...)
	defer signal.Stop(signals)
	returned := make(chan error, 1)
	go func() { returned <- do(ctx) }()
	select {
	case err := <-returned:
		return err
	case received := <-signals:
		cancel()
		err := <-returned
		signal.Stop(signals)
		if process, findErr := os.FindProcess(os.Getpid()); findErr == nil && process.Signal(received) == nil {
			time.Sleep(time.Second) // another thread may be the one that it ends
		}
		return err
	}
}
