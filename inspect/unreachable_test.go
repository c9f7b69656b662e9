package inspect_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

func TestNoBrokerAnswers(t *testing.T) {
	for name, address := range kafkatest.BadBrokers(t) {
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
				"Brokers": func(ctx context.Context) ([]inspect.Problem, error) {
					a, err := in.Brokers(ctx)
					return a.Errors, err
				},
				"Predict": func(ctx context.Context) ([]inspect.Problem, error) {
					a, err := in.Predict(ctx, predict.Crash(1))
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
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("%s took %v", method, took)
				}
			}
		})
	}
}

func TestTheMessageSaysWhatTheClientSpeaks(t *testing.T) {
	address := kafkatest.BadBrokers(t)["hangs up"]
	plain := plain.Auth{User: "a", Pass: "b"}.AsMechanism()
	for want, options := range map[string][]kgo.Opt{
		"set up for neither":   nil,
		"set up for TLS only":  {kgo.DialTLS()},
		"set up for SASL only": {kgo.SASL(plain)},
		"set up for both":      {kgo.DialTLS(), kgo.SASL(plain)},
	} {
		client, err := kgo.NewClient(append(options, kgo.SeedBrokers(address))...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := inspect.New(client).Partitions(ctx); err == nil || !strings.Contains(err.Error(), want) && strings.Contains(err.Error(), "TLS or SASL") {
			t.Errorf("%v, want %q", err, want)
		}
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
