package inspect_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
)

// badBrokers are listeners that are no brokers, each in its way.
func badBrokers(t *testing.T) map[string]string {
	t.Helper()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	return map[string]string{
		"refuses": closed.Addr().String(),
		"hangs up": listen(t, func(conn net.Conn) {
			conn.Close()
		}),
		"says nothing": listen(t, func(conn net.Conn) {
			buffer := make([]byte, 1024)
			for {
				if _, err := conn.Read(buffer); err != nil {
					conn.Close()
					return
				}
			}
		}),
		"talks garbage": listen(t, func(conn net.Conn) {
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}),
		"answers with nonsense": listen(t, func(conn net.Conn) {
			defer conn.Close()
			request := make([]byte, 1024)
			_, _ = conn.Read(request)
			_, _ = conn.Write(append([]byte{0, 0, 0, 12}, append(request[8:12], 9, 9, 9, 9, 9, 9, 9, 9)...))
		}),
	}
}

func TestNoBrokerAnswers(t *testing.T) {
	for name, address := range badBrokers(t) {
		t.Run(name, func(t *testing.T) {
			client, err := kgo.NewClient(kgo.SeedBrokers(address))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			in := inspect.New(client)
			for method, ask := range map[string]func(context.Context) ([]inspect.Problem, error){
				"Coordinators": func(ctx context.Context) ([]inspect.Problem, error) {
					a, err := in.Coordinators(ctx, "orders")
					return a.Errors, err
				},
				"Controller": func(ctx context.Context) ([]inspect.Problem, error) {
					a, err := in.Controller(ctx)
					return a.Errors, err
				},
				"Partitions": func(ctx context.Context) ([]inspect.Problem, error) {
					a, err := in.Partitions(ctx)
					return a.Errors, err
				},
				"Groups": func(ctx context.Context) ([]inspect.Problem, error) {
					a, err := in.Groups(ctx)
					return a.Errors, err
				},
			} {
				ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
				start := time.Now()
				problems, err := ask(ctx)
				cancel()
				problem, ok := errors.AsType[inspect.Problem](err)
				if !ok || problem.Code != inspect.CodeUnreachable || problem.Target != "cluster" || len(problems) != 1 {
					t.Errorf("%s: %v, %+v", method, err, problems)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("%s took %v", method, took)
				}
			}
		})
	}
}

func TestCanceledBeforeTheFirstAnswer(t *testing.T) {
	in := inspect.New(newClient(t, newFake(t)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := in.Partitions(ctx)
	if problem, ok := errors.AsType[inspect.Problem](err); !ok || problem.Code != inspect.CodeCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
