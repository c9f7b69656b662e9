package inspect_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// flipping is a connection on which some bytes of answers are other ones: what comes is
// well framed and answers what was asked, and may say anything.
type flipping struct {
	net.Conn
	random *rand.Rand
	keys   chan int16 // of the requests that are not answered yet, in order
	frame  []byte     // the rest of an answer
}

func (f *flipping) Write(request []byte) (int, error) {
	if len(request) >= 6 {
		f.keys <- int16(binary.BigEndian.Uint16(request[4:]))
	}
	return f.Conn.Write(request)
}

func (f *flipping) Read(p []byte) (int, error) {
	if len(f.frame) == 0 {
		var size [4]byte
		if _, err := io.ReadFull(f.Conn, size[:]); err != nil {
			return 0, err
		}
		f.frame = append(size[:], make([]byte, binary.BigEndian.Uint32(size[:]))...)
		if _, err := io.ReadFull(f.Conn, f.frame[4:]); err != nil {
			return 0, err
		}
		if key := <-f.keys; key != int16(kmsg.ApiVersions) && len(f.frame) > 8 {
			for range 1 + f.random.IntN(3) {
				body := f.frame[8:]
				body[f.random.IntN(len(body))] = []byte{0, 1, 0x7f, 0x80, 0xff, byte(f.random.Uint32())}[f.random.IntN(6)]
			}
		}
	}
	n := copy(p, f.frame)
	f.frame = f.frame[n:]
	return n, nil
}

// TestAnswersInWhichBytesAreFlipped sees that whatever brokers say no view panics, takes
// longer than it is given, or cannot be written as JSON.
func TestAnswersInWhichBytesAreFlipped(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	joinGroup(t, fake, "classic", 1)
	joinGroup(t, fake, "modern", 1, kgo.ServerSideBalancer())
	commit(t, fake, "empty", "orders", 0, 1)
	writeLog(t, fake, "classic", commitRecord("classic", 1), commitRecord("classic", 2))
	views := map[string]func(context.Context, *inspect.Inspector) (any, error){
		"Controller": func(ctx context.Context, in *inspect.Inspector) (any, error) { return in.Controller(ctx) },
		"Brokers":    func(ctx context.Context, in *inspect.Inspector) (any, error) { return in.Brokers(ctx) },
		"Partitions": func(ctx context.Context, in *inspect.Inspector) (any, error) { return in.Partitions(ctx) },
		"Topic": func(ctx context.Context, in *inspect.Inspector) (any, error) {
			return in.Partitions(ctx, "orders", "no")
		},
		"Coordinators": func(ctx context.Context, in *inspect.Inspector) (any, error) {
			return in.Coordinators(ctx, "a", "b", "c")
		},
		"DescribeGroups": func(ctx context.Context, in *inspect.Inspector) (any, error) {
			return in.DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true}, "classic", "modern", "empty", "none")
		},
		"all groups": func(ctx context.Context, in *inspect.Inspector) (any, error) {
			return in.DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true})
		},
		"OffsetsLog": func(ctx context.Context, in *inspect.Inspector) (any, error) {
			return in.OffsetsLog(ctx, "classic", inspect.LogRange{})
		},
	}
	const allowed = 500 * time.Millisecond
	for name, view := range views {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(12) {
				dial := func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					if err != nil {
						return nil, err
					}
					return &flipping{Conn: conn, random: rand.New(rand.NewPCG(seed, 7)), keys: make(chan int16, 1000)}, nil
				}
				client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(dial), kgo.RequestRetries(1))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), allowed)
				start := time.Now()
				answer, err := view(ctx, inspect.New(client, inspect.LogBudget(0, 0, allowed)))
				if took := time.Since(start); took > allowed+20*time.Second {
					t.Errorf("seed %d took %v", seed, took)
				}
				cancel()
				client.Close()
				if _, err := json.Marshal(answer); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
				_ = fmt.Sprint(err)
			}
		})
	}
}
