package member

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// A worker is the goroutine that handles one partition during one Run.
type worker struct {
	done      chan struct{} // closed when it has ended
	before    *worker       // an earlier one of the partition that may not have ended; nil when none
	abandoned atomic.Bool   // nobody waits for it any more, beside the worker after it
}

// unended returns the worker, or the newest of those before it that has not ended; nil
// when all have. A worker may end while one before it goes on, whose handler hangs.
func (w *worker) unended() *worker {
	for w != nil && closed(w.done) {
		w = w.before
	}
	return w
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// start begins to handle a partition. The member's lock is held.
func (r *run) start(p *partition) {
	if r.isHalted() {
		return
	}
	p.mu.Lock()
	w := &worker{done: make(chan struct{}), before: p.last.unended()}
	p.last, p.progress = w, time.Now()
	p.mu.Unlock()
	go func() {
		ended := errGoexit
		defer func() {
			if p := recover(); p != nil {
				ended = &PanicError{"the worker", p, debug.Stack()}
			}
			if ended != nil {
				r.stop(fmt.Errorf("the handler of %s[%d] failed: %w", p.topic, p.partition, ended))
			}
			close(w.done)
		}()
		if r.await(p, w.before) {
			if w.before != nil {
				r.toCommit() // what an abandoned handler has finished since its Run ended
			}
			r.work(p)
		}
		ended = nil
	}()
}

// await waits until the worker and all before it have ended, and returns false when the
// partition is given up, or the run ends, first.
func (r *run) await(p *partition, w *worker) bool {
	if w.unended() != nil {
		defer p.waitFor(errBehind)()
	}
	for w = w.unended(); w != nil; w = w.unended() {
		if !wait(r, p, w.done) {
			return false
		}
	}
	return true
}
