package zk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/groupkit/groupkit/inspect"
)

const (
	// sessionTimeout is asked for; servers hold it to bounds of their own.
	sessionTimeout = 10 * time.Second
	// longestGreeting bounds the wait for one server to open the session.
	longestGreeting = 5 * time.Second
)

// session is a connection for as long as its context lasts.
type session struct {
	connect string // as it was given
	options options
	chroot  string
	conn    *zk.Conn
	ended   chan struct{} // closed when no connection is open any more
	stop    func() bool

	mu      sync.Mutex
	lastErr error // what kept the last server from being reached
}

// open begins to connect; calls wait until that has happened. The session ends with ctx, or
// by close.
func open(ctx context.Context, connect string, given []Option) (*session, error) {
	servers, chroot, err := parseConnect(connect)
	if err != nil {
		return nil, inspect.Problem{Code: inspect.CodeInvalidName, Target: target, Message: err.Error()}
	}
	s := &session{connect: connect, options: optionsFrom(given), chroot: chroot, ended: make(chan struct{})}
	greeting := longestGreeting
	if deadline, ok := ctx.Deadline(); ok {
		greeting = min(greeting, time.Until(deadline)/time.Duration(min(len(servers)+1, 4)))
	}
	dial := func(network, address string, _ time.Duration) (net.Conn, error) {
		greeted := time.Now().Add(greeting)
		conn, err := s.options.dial(ctx, network, address, greeted)
		if err != nil {
			s.failed(err)
			return nil, err
		}
		// What the library waits for knows nothing of ctx.
		unblock := context.AfterFunc(ctx, func() { conn.Close() })
		return &watched{Conn: newFrames(conn, greeted), s: s, unblock: unblock}, nil
	}
	conn, events, err := zk.Connect(servers, sessionTimeout, zk.WithDialer(dial), zk.WithHostProvider(&roundRobin{}),
		zk.WithLogger(silent{}), zk.WithLogInfo(false), zk.WithMaxBufferSize(mostFrame))
	if err != nil {
		return nil, inspect.Problem{Code: inspect.CodeRequestFailed, Target: target, Message: fmt.Sprintf("cannot connect to ZooKeeper: %v", err), Cause: err}
	}
	s.conn = conn
	go func() {
		defer close(s.ended)
		for range events { // the library closes it last
		}
	}()
	s.stop = context.AfterFunc(ctx, conn.Close)
	return s, nil
}

// close ends the session, and waits until nothing of it is left but a timer of a second.
func (s *session) close() {
	if s.stop() {
		s.conn.Close()
	}
	<-s.ended
}

// logIn gives user and password where there are any. The library gives them again whenever
// it connects again.
func (s *session) logIn() error {
	if s.options.digest == nil {
		return nil
	}
	return s.conn.AddAuth("digest", s.options.digest)
}

func (s *session) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastErr = err
}

// get reads a node; its content is nil if there is none.
func (s *session) get(path string) ([]byte, *zk.Stat, error) {
	content, stat, err := s.conn.Get(s.chroot + path)
	return ifThere(content, stat, err)
}

func ifThere[T any](content T, stat *zk.Stat, err error) (T, *zk.Stat, error) {
	var none T
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return none, nil, nil
	case err != nil:
		return none, nil, err
	}
	return content, stat, nil
}

// problem names what failed.
func (s *session) problem(ctx context.Context, err error) inspect.Problem {
	s.mu.Lock()
	if s.lastErr != nil && (errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrConnectionClosed)) {
		err = s.lastErr
	}
	s.mu.Unlock()
	p := inspect.Problem{Code: inspect.CodeUnreachable, Target: target, Cause: err}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		p.Code, p.Cause = inspect.CodeCanceled, ctx.Err()
		p.Message = fmt.Sprintf("canceled before ZooKeeper answered at %s", s.connect)
	case ctx.Err() != nil:
		p.Message = fmt.Sprintf("no ZooKeeper server answered at %s within the time given; check the address, and that ZooKeeper listens there %s", s.connect, s.options.transport())
	case errors.Is(err, zk.ErrAuthFailed):
		p.Code = inspect.CodeNotAuthorized
		p.Message = "ZooKeeper does not take the user and the password by its scheme digest"
	case errors.Is(err, zk.ErrNoAuth):
		p.Code = inspect.CodeNotAuthorized
		p.Message = "ZooKeeper does not let this client read; it takes READ in the ACLs of the nodes /controller, /controller_epoch, /brokers/ids and /migration, which Kafka gives to everybody"
	default:
		p.Message = fmt.Sprintf("no ZooKeeper server answered at %s; check the address, and that ZooKeeper listens there %s (%v)", s.connect, s.options.transport(), err)
	}
	return p
}

// watched remembers why a connection ended, which the library only logs.
type watched struct {
	net.Conn
	s       *session
	unblock func() bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.s.failed(err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.unblock()
	return w.Conn.Close()
}

type silent struct{}

func (silent) Printf(string, ...any) {}
