package zk_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/zk"
	"github.com/groupkit/groupkit/internal/kafkatest"
	"github.com/groupkit/groupkit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

func TestNoZooKeeperAnswers(t *testing.T) {
	bad := kafkatest.BadBrokers(t)
	frame := func(words ...uint32) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1024))
			var frame []byte
			for _, word := range words {
				frame = binary.BigEndian.AppendUint32(frame, word)
			}
			_, _ = conn.Write(frame)
			kafkatest.Silence(conn)
		}
	}
	bad["sends a frame of gigabytes"] = kafkatest.Listen(t, frame(0xfffffff0))
	bad["sends a frame of nothing"] = kafkatest.Listen(t, frame(0))
	bad["sets a session of no time"] = kafkatest.Listen(t, frame(36, 0, 0, 1, 1, 0, 0, 0, 0, 0))
	bad["answers with a short frame"] = kafkatest.Listen(t, frame(37, 0, 4000, 1, 1, 16, 0, 0, 0, 0, 0x00000000, 0x03000000))
	bad["refuses the session"] = kafkatest.Listen(t, frame(36, 0, 0, 0, 0, 16, 0, 0, 0, 0))
	for name, address := range bad {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer cancel()
			start := time.Now()
			answer, err := zk.Controller(ctx, address)
			problem, ok := errors.AsType[inspect.Problem](err)
			if !ok || problem.Code != inspect.CodeUnreachable || problem.Target != "zookeeper" || len(answer.Errors) != 1 || !strings.Contains(problem.Message, address) {
				t.Errorf("%v, %+v", err, answer)
			}
			var errs []error
			watching, stop := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer stop()
			for _, err := range zk.Watch(watching, address) {
				errs = append(errs, err)
			}
			if len(errs) != 1 || errs[0] == nil {
				t.Errorf("the watch yields %v", errs)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			t.Log(problem.Message, time.Since(start))
		})
	}
}

func TestConnectStringsThatMakeNoSense(t *testing.T) {
	for _, connect := range []string{"", ",", "/kafka", "a b:1", "a:2181/b//c", ":2181", "http://a:1"} {
		_, err := zk.Controller(t.Context(), connect)
		if problem, ok := errors.AsType[inspect.Problem](err); !ok || problem.Code != inspect.CodeInvalidName {
			t.Errorf("%q: %v", connect, err)
		}
	}
}

func TestAWatchThatIsLeftAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var codes []inspect.Code
	for _, err := range zk.Watch(ctx, kafkatest.BadBrokers(t)["says nothing"]) {
		problem, _ := errors.AsType[inspect.Problem](err)
		codes = append(codes, problem.Code)
	}
	if !slices.Equal(codes, []inspect.Code{inspect.CodeCanceled}) {
		t.Errorf("%v", codes)
	}
}
