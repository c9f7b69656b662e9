package kafkatest

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fault is what a broker does in place of answering a request as it should.
type Fault string

// The faults. All but AnswersLate cost the answer.
const (
	NeverAnswers     Fault = "never answers"
	AnswersLate      Fault = "answers late"
	Closes           Fault = "closes"
	SendsGarbage     Fault = "sends garbage"
	Truncates        Fault = "truncates the answer"
	CutsOff          Fault = "closes in the middle of the answer"
	WrongCorrelation Fault = "answers another request"
	AbsurdCounts     Fault = "counts absurdly"
	AbsurdSize       Fault = "announces an absurd size"
)

// Faults are all of them.
func Faults() []Fault {
	return []Fault{NeverAnswers, AnswersLate, Closes, SendsGarbage, Truncates, CutsOff, WrongCorrelation, AbsurdCounts, AbsurdSize}
}

// lateness is how late AnswersLate is.
const lateness = 300 * time.Millisecond

// Misbehaving dials brokers that misbehave at one kind of request, from [Misbehaving.Begin]
// to [Misbehaving.End]. Connections that exist by then do too.
type Misbehaving struct {
	Key   kmsg.Key
	Fault Fault
	// Addresses are those of the brokers that misbehave; none means all.
	Addresses []string

	on   atomic.Bool
	hits atomic.Int64
}

// Begin begins it.
func (m *Misbehaving) Begin() { m.on.Store(true) }

// End ends it. A request that is not answered by then stays so, as does its connection.
func (m *Misbehaving) End() { m.on.Store(false) }

// Hits is how many requests met the fault.
func (m *Misbehaving) Hits() int64 { return m.hits.Load() }

// Dial is for [kgo.Dialer].
func (m *Misbehaving) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil || len(m.Addresses) > 0 && !slices.Contains(m.Addresses, address) {
		return conn, err
	}
	return &misbehavingConn{Conn: conn, of: m, bad: map[int32]bool{}}, nil
}

// misbehavingConn takes the broker's frames apart, one at a time. One goroutine reads and
// one writes, as those of kgo do.
type misbehavingConn struct {
	net.Conn
	of *Misbehaving

	mu  sync.Mutex
	bad map[int32]bool // requests to misbehave at, by correlation

	frame bytes.Buffer // what is left to be read of the last frame
	ended bool         // nothing comes after that
}

// Write takes one request, since kgo writes each by one call.
func (c *misbehavingConn) Write(request []byte) (int, error) {
	if len(request) < 12 || !c.of.on.Load() || int16(binary.BigEndian.Uint16(request[4:])) != int16(c.of.Key) {
		return c.Conn.Write(request)
	}
	c.of.hits.Add(1)
	if c.of.Fault == Closes {
		c.Conn.Close()
		return len(request), nil
	}
	c.mu.Lock()
	c.bad[int32(binary.BigEndian.Uint32(request[8:]))] = true
	c.mu.Unlock()
	return c.Conn.Write(request)
}

func (c *misbehavingConn) Read(p []byte) (int, error) {
	if c.frame.Len() == 0 {
		if c.ended {
			return 0, io.EOF
		}
		if err := c.readFrame(); err != nil {
			return 0, err
		}
	}
	return c.frame.Read(p)
}

func (c *misbehavingConn) readFrame() error {
	var size [4]byte
	if _, err := io.ReadFull(c.Conn, size[:]); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.Conn, body); err != nil {
		return err
	}
	correlation := int32(binary.BigEndian.Uint32(body))
	c.mu.Lock()
	bad := c.bad[correlation]
	delete(c.bad, correlation)
	c.mu.Unlock()
	announced := len(body)
	if bad {
		switch c.of.Fault {
		case NeverAnswers:
			_, err := io.Copy(io.Discard, c.Conn) // brokers answer in order: nothing comes after it
			if err == nil {
				err = io.EOF
			}
			return err
		case AnswersLate:
			time.Sleep(lateness)
		case SendsGarbage:
			body = append(body[:4], bytes.Repeat([]byte{0xff}, 40)...)
			announced = len(body)
		case AbsurdCounts:
			body = append(body[:4], bytes.Repeat([]byte{0x7f}, 400)...)
			announced = len(body)
		case Truncates:
			body = body[:4+(len(body)-4)/2]
			announced = len(body)
		case CutsOff:
			body = body[:4+(len(body)-4)/2]
			c.ended = true
		case WrongCorrelation:
			binary.BigEndian.PutUint32(body, uint32(correlation+1))
		case AbsurdSize:
			announced = math.MaxInt32
		}
	}
	binary.BigEndian.PutUint32(size[:], uint32(announced))
	c.frame.Write(size[:])
	c.frame.Write(body)
	return nil
}
