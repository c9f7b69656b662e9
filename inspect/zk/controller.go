package zk

import (
	"context"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/groupkit/groupkit/inspect"
)

const (
	// target is what a Problem of the whole ensemble is about.
	target = "zookeeper"
	// consistencyReads is how often the controller is read while its epoch is another's.
	consistencyReads = 3
)

// Controller returns the active controller of a Kafka cluster with ZooKeeper, and the
// brokers that could take its place. connect is as in Kafka's zookeeper.connect:
// "host:port,host:port/chroot"; the port is 2181 if it is left out.
//
// The answer has ZooKeeper set, and no quorum. Epoch is that of /controller_epoch, which
// is counted up in the transaction that makes /controller; both are read of the same
// election. While a cluster migrates to KRaft, Mode is the one that holds, and the
// warning [inspect.CodeMigrating] says so in words.
//
// If nobody holds /controller the error [inspect.CodeNoLeader] says so. The error that is
// returned is set only if ZooKeeper did not answer, and is an [inspect.Problem]. It takes
// READ on the nodes, which Kafka gives to everybody. No call outlives its context by more
// than a moment; without a deadline each server gets 5 seconds to open the session.
func Controller(ctx context.Context, connect string, options ...Option) (inspect.Answer[inspect.Controller], error) {
	observedAt := time.Now().UTC()
	fail := func(err error) (inspect.Answer[inspect.Controller], error) {
		p, ok := err.(inspect.Problem)
		if !ok {
			p = inspect.Problem{Code: inspect.CodeRequestFailed, Target: target, Message: err.Error(), Cause: err}
		}
		return inspect.Answer[inspect.Controller]{ObservedAt: observedAt, Warnings: []inspect.Problem{}, Errors: []inspect.Problem{p}}, p
	}
	s, err := open(ctx, connect, options)
	if err != nil {
		return fail(err)
	}
	defer s.close()
	if err := s.logIn(); err != nil {
		return fail(s.problem(ctx, err))
	}
	var found nodes
	if err := s.readElection(&found); err != nil {
		return fail(s.problem(ctx, err))
	}
	if err := s.readRest(&found); err != nil {
		return fail(s.problem(ctx, err))
	}
	return answerFrom(found, observedAt), nil
}

// readElection reads the epoch and then the controller, again if there was an election
// between the two.
func (s *session) readElection(found *nodes) error {
	for range consistencyReads {
		epoch, written, err := s.get(epochPath)
		if err != nil {
			return err
		}
		controller, made, err := s.get(controllerPath)
		if err != nil {
			return err
		}
		found.epoch, found.controller = nodeOf(epoch, written), nodeOf(controller, made)
		if made == nil || written == nil || made.Czxid == written.Mzxid {
			break
		}
	}
	return nil
}

// readRest reads what does not change with the controller.
func (s *session) readRest(found *nodes) error {
	for path, into := range map[string]*node{migrationPath: &found.migration, clusterIDPath: &found.clusterID} {
		content, stat, err := s.get(path)
		if err != nil {
			return err
		}
		*into = nodeOf(content, stat)
	}
	brokers, _, err := ifThere(s.conn.Children(s.chroot + brokersPath))
	found.brokers = brokers
	return err
}

func nodeOf(content []byte, stat *zk.Stat) node {
	if stat == nil {
		return node{}
	}
	if content == nil {
		content = []byte{}
	}
	return node{content: content, created: time.UnixMilli(stat.Ctime), written: time.UnixMilli(stat.Mtime)}
}
