package zk

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

const (
	// leastFrame is a response without anything but its header. The first frame has in
	// as many bytes its version, the session timeout and the session.
	leastFrame = 16
	// mostFrame is four times what ZooKeeper sends by default (jute.maxbuffer).
	mostFrame = 4 << 20
	// leastSession and mostSession bound the session timeout that a server may set.
	leastSession = 100 * time.Millisecond
	mostSession  = 10 * time.Minute
)

// frames is a connection to what should be a ZooKeeper server. The client library trusts
// the length of a frame, and the session timeout in the first, with which a server, or
// what is none, could make it allocate gigabytes or panic. Here such a frame is an error.
type frames struct {
	net.Conn
	// greeted bounds the wait for the first frame, so that a server that hangs leaves
	// time for another.
	greeted time.Time

	first bool   // the first frame is not yet read
	head  []byte // of the frame being read: its length, and of the first as much as is looked at
	left  int    // bytes of the frame still to come
}

func newFrames(conn net.Conn, greeted time.Time) *frames {
	f := &frames{Conn: conn, greeted: greeted, first: true}
	_ = conn.SetReadDeadline(greeted)
	return f
}

// SetReadDeadline keeps to the bound of the first frame.
func (f *frames) SetReadDeadline(deadline time.Time) error {
	if f.first && (deadline.IsZero() || deadline.After(f.greeted)) {
		deadline = f.greeted
	}
	return f.Conn.SetReadDeadline(deadline)
}

func (f *frames) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	for seen := p[:n]; len(seen) > 0; {
		take := len(seen)
		switch {
		case len(f.head) < 4:
			take = min(take, 4-len(f.head))
			f.head = append(f.head, seen[:take]...)
			if len(f.head) < 4 {
				break
			}
			length := binary.BigEndian.Uint32(f.head)
			if length > mostFrame || length < leastFrame {
				return 0, fmt.Errorf("this is no ZooKeeper server: it sends a frame of %d bytes", length)
			}
			f.left = int(length)
		default:
			take = min(take, f.left)
			if room := 4 + leastFrame - len(f.head); f.first && room > 0 {
				f.head = append(f.head, seen[:min(take, room)]...)
				if err := f.greeting(); err != nil {
					return 0, err
				}
			}
			f.left -= take
			if f.left == 0 {
				f.head, f.first = f.head[:0], false
			}
		}
		seen = seen[take:]
	}
	return n, err
}

// greeting looks at the session timeout once it is there. A session that is refused has
// none.
func (f *frames) greeting() error {
	if len(f.head) < 4+leastFrame {
		return nil
	}
	timeout := time.Duration(int32(binary.BigEndian.Uint32(f.head[8:]))) * time.Millisecond
	refused := binary.BigEndian.Uint64(f.head[12:]) == 0
	if !refused && (timeout < leastSession || timeout > mostSession) {
		return fmt.Errorf("this is no ZooKeeper server: it sets a session timeout of %v", timeout)
	}
	return nil
}
