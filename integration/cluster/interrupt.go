package cluster

import (
	"os"
	"os/signal"
	"syscall"
)

// watch closes the cluster on a signal that would end the process, and then
// lets the signal do that. The function it returns ends the watch.
//
// Several clusters may watch at once: each is closed, and the signal takes its
// usual effect when the last has stopped listening for it.
func (c *Cluster) watch() (release func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
		case received := <-signals:
			// Close ends the watch, with which the signal's usual effect is back.
			_ = c.Close()
			if process, err := os.FindProcess(os.Getpid()); err == nil {
				_ = process.Signal(received)
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
