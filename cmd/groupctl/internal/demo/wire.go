package demo

import (
	"context"
	"errors"
	"net"
	"sync"
)

// wire is one member's way to the brokers. Cut, it is what a machine without power
// looks like to them: all connections end in the middle of whatever they carried,
// and no request, not even LeaveGroup, gets out any more.
type wire struct {
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

var errCut = errors.New("the demo cut this member off")

// dial is for kgo.Dialer.
func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	refuse := w.isCut
	w.mu.Unlock()
	if refuse {
		return nil, errCut
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut {
		conn.Close()
		return nil, errCut
	}
	w.conns = append(w.conns, conn)
	return conn, nil
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = true
	for _, conn := range w.conns {
		conn.Close()
	}
}
