package kafkatest

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
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
	// RandomBytes changes bytes of the answer, cuts it, or makes it up. It may leave an
	// answer that is sound.
	RandomBytes Fault = "sends random bytes"
)

// Faults are all of them but for RandomBytes.
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

// DialRandom is Dial for RandomBytes, which it takes from random; that is for this
// connection alone.
func (m *Misbehaving) DialRandom(ctx context.Context, network, address string, random *rand.Rand) (net.Conn, error) {
	conn, err := m.Dial(ctx, network, address)
	if bad, ok := conn.(*misbehavingConn); ok {
		bad.random = random
	}
	return conn, err
}

// misbehavingConn takes the broker's frames apart, one at a time. One goroutine reads and
// one writes, as those of kgo do.
type misbehavingConn struct {
	net.Conn
	of     *Misbehaving
	random *rand.Rand

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
		case RandomBytes:
			body = randomized(body, c.random)
			announced = len(body)
		}
	}
	binary.BigEndian.PutUint32(size[:], uint32(announced))
	c.frame.Write(size[:])
	c.frame.Write(body)
	return nil
}

// randomized changes an answer behind its correlation. No varint in it is large: kmsg reads
// as many tags as one says, up to four billion, though none are left.
func randomized(body []byte, random *rand.Rand) []byte {
	body = changed(body, random)
	run := 0
	for i := 4; i < len(body); i++ {
		if run++; body[i] < 0x80 {
			run = 0
		} else if run == 3 {
			body[i], run = body[i]&0x7f, 0
		}
	}
	return body
}

func changed(body []byte, random *rand.Rand) []byte {
	rest := body[4:]
	switch n := random.IntN(10); {
	case n == 0: // all of it
		for i := range rest {
			rest[i] = byte(random.Uint32())
		}
	case n == 1 && len(rest) > 0: // its end is missing
		return body[:4+random.IntN(len(rest))]
	case n == 2: // its end is made up
		for range random.IntN(64) {
			body = append(body, byte(random.Uint32()))
		}
	default: // a few bytes, among them those that counts and lengths are made of
		for range 1 + random.IntN(8) {
			if len(rest) > 0 {
				rest[random.IntN(len(rest))] = []byte{0, 1, 0x7f, 0x80, 0xff, byte(random.Uint32())}[random.IntN(6)]
			}
		}
	}
	return body
}
