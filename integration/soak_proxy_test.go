package integration

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// network is the way of one process to all brokers, which can be cut: then nothing that
// it sends arrives, nothing arrives at it, no connection ends, and new ones hang. When it
// is mended what was on the way arrives, late.
type network struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	whole  *sync.Cond
	cut    bool
	closed bool
	open   map[net.Conn]bool
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{open: make(map[net.Conn]bool)}
	n.whole = sync.NewCond(&n.mu)
	var err error
	if n.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	n.running.Go(func() {
		for {
			conn, err := n.listener.Accept()
			if err != nil {
				return
			}
			n.running.Go(func() { n.forward(conn) })
		}
	})
	return n
}

func (n *network) close() {
	n.mu.Lock()
	n.closed = true
	for conn := range n.open {
		conn.Close()
	}
	n.whole.Broadcast()
	n.mu.Unlock()
	n.listener.Close()
	n.running.Wait()
}

func (n *network) setCut(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	n.whole.Broadcast()
}

// pass waits until the network is whole, and tells whether it still is there.
func (n *network) pass() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.cut && !n.closed {
		n.whole.Wait()
	}
	return !n.closed
}

// keep takes note of a connection, so that close can end it.
func (n *network) keep(conn net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		conn.Close()
		return false
	}
	n.open[conn] = true
	return true
}

// forward serves one connection: its first line says where it goes.
func (n *network) forward(conn net.Conn) {
	defer conn.Close()
	if !n.keep(conn) {
		return
	}
	in := bufio.NewReader(conn)
	target, err := in.ReadString('\n')
	if err != nil || !n.pass() {
		return
	}
	broker, err := net.Dial("tcp", strings.TrimSpace(target))
	if err != nil {
		return
	}
	defer broker.Close()
	if !n.keep(broker) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		n.copy(conn, broker)
		conn.Close()
	})
	n.copy(broker, in)
	broker.Close()
	back.Wait()
}

func (n *network) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		size, err := from.Read(buffer)
		if size > 0 {
			if !n.pass() {
				return
			}
			if _, err := to.Write(buffer[:size]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// through returns a dialer for kgo that goes through the network of the given address.
func through(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, protocol, target string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, protocol, address)
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Fprintln(conn, target); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
}
