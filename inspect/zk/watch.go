package zk

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/groupkit/groupkit/inspect"
)

// retryPause is the time between two attempts to read, where ZooKeeper does not answer.
const retryPause = time.Second

// Watch follows the elections of the controller: first a Snapshot, then an event for each
// change, in the order in which they were seen. connect is as for [Controller].
//
// ZooKeeper tells of a change as it happens, by a watch on /controller, on /brokers/ids
// and on /migration; nothing is polled. Of changes that follow each other faster than they
// can be read the last is told, with how many were missed. A broker that dies is noticed
// when its session ends: after zookeeper.session.timeout.ms, 18 s by default.
//
// The sequence goes on through lost connections and sessions, and ends with ctx. It
// yields an error, an [inspect.Problem], only if there was no first answer, and then
// nothing else.
// Events are yielded in the caller's goroutine; while it handles one, changes wait.
func Watch(ctx context.Context, connect string, options ...Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := open(ctx, connect, options)
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer s.close()
		if err := s.logIn(); err != nil {
			yield(Event{}, s.problem(ctx, err))
			return
		}
		w := &watch{session: s, yield: func(e Event) bool { return yield(e, nil) }}
		if err := w.run(ctx); err != nil {
			yield(Event{}, s.problem(ctx, err))
		}
	}
}

// watch is one run of Watch.
type watch struct {
	*session
	yield func(Event) bool

	found nodes
	// Each is nil when it has to be set anew.
	controller, brokers, migration <-chan zk.Event
}

// run returns an error only if it could not begin.
func (w *watch) run(ctx context.Context) error {
	var last inspect.Controller
	begun, connected := false, true
	for {
		err := w.refresh()
		now := time.Now().UTC()
		switch {
		case ctx.Err() != nil:
			if begun {
				return nil
			}
			return ctx.Err()
		case err != nil && !begun:
			return err
		case err != nil:
			w.controller, w.brokers, w.migration = nil, nil, nil
			if connected {
				connected = false
				p := w.problem(ctx, err)
				if !w.yield(Event{Kind: Disconnected, At: now, Controller: last, Problem: &p}) {
					return nil
				}
			}
			if !pause(ctx) {
				return nil
			}
			continue
		}
		answer := answerFrom(w.found, now)
		var events []Event
		if !connected {
			connected = true
			events = append(events, Event{Kind: Reconnected, At: now, Controller: answer.Data})
		}
		if begun {
			events = append(events, changes(last, answer.Data, now)...)
		} else {
			begun = true
			events = append(events, Event{Kind: Snapshot, At: now, To: answer.Data.Node, Controller: answer.Data})
		}
		last = answer.Data
		for _, e := range events {
			if problems := slices.Concat(answer.Errors, answer.Warnings); len(problems) > 0 {
				e.Problem = &problems[0]
			}
			if !w.yield(e) {
				return nil
			}
		}
		select {
		case <-w.controller:
			w.controller = nil
		case <-w.brokers:
			w.brokers = nil
		case <-w.migration:
			w.migration = nil
		case <-ctx.Done():
			return nil
		}
	}
}

// refresh reads again what changed, and watches it anew. The watch is set before the
// node is read, so that no change falls between the two.
func (w *watch) refresh() error {
	if w.controller == nil {
		_, _, changed, err := w.conn.ExistsW(w.chroot + controllerPath)
		if err != nil {
			return err
		}
		if err := w.readElection(&w.found); err != nil {
			return err
		}
		w.controller = changed
	}
	if w.brokers == nil {
		names, _, changed, err := w.conn.ChildrenW(w.chroot + brokersPath)
		if err == zk.ErrNoNode {
			// Before Kafka has ever run there, there is nothing to watch but its making.
			_, _, changed, err = w.conn.ExistsW(w.chroot + brokersPath)
			names = nil
		}
		if err != nil {
			return err
		}
		w.found.brokers, w.brokers = names, changed
	}
	if w.migration == nil {
		_, _, changed, err := w.conn.ExistsW(w.chroot + migrationPath)
		if err != nil {
			return err
		}
		content, stat, err := w.get(migrationPath)
		if err != nil {
			return err
		}
		w.found.migration, w.migration = nodeOf(content, stat), changed
	}
	return nil
}

func pause(ctx context.Context) bool {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
