package act_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// TestElectionsAtBrokersThatMisbehave has all brokers misbehave at each request that an
// election takes: it ends in bounded time, an election that may have been held is not told
// as refused, and nothing is asked for again and again.
func TestElectionsAtBrokersThatMisbehave(t *testing.T) {
	t.Parallel()
	const allowed = 2 * time.Second
	for _, key := range []kmsg.Key{kmsg.Metadata, kmsg.DescribeTopicPartitions, kmsg.ElectLeaders} {
		for _, how := range kafkatest.Faults() {
			t.Run(fmt.Sprintf("%s at %s", how, key.Name()), func(t *testing.T) {
				t.Parallel()
				fake, elected := newFake(t, grant)
				m := &kafkatest.Misbehaving{Key: key, Fault: how}
				m.Begin()
				client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(m.Dial))
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				allowed := allowed
				if how == kafkatest.AnswersLate {
					allowed = time.Minute // it is done well before, on a busy machine too
				}
				ctx, cancel := context.WithTimeout(t.Context(), allowed)
				defer cancel()
				began := time.Now()
				answer, err := act.New(client).Elect(ctx, act.Preferred(), orders(0)...)
				if took := time.Since(began); took > allowed+20*time.Second {
					t.Errorf("it took %v", took)
				}
				if how == kafkatest.AnswersLate {
					if err != nil || len(answer.Data) != 1 || !answer.Data[0].Done || answer.Data[0].To == nil || *answer.Data[0].To != 0 {
						t.Errorf("%v, %+v", err, answer)
					}
					return
				}
				problem, ok := errors.AsType[inspect.Problem](err)
				if !ok || problem.Message == "" || len(answer.Errors) == 0 {
					t.Fatalf("%v, %+v", err, answer)
				}
				t.Log(problem.Code, problem.Message)
				if key == kmsg.ElectLeaders {
					if len(answer.Data) != 1 || answer.Data[0].Done || answer.Data[0].Result != act.ResultUnknown || !strings.Contains(problem.Message, "may have been done all the same") && !strings.Contains(problem.Message, "whether it was done is not known") {
						t.Errorf("%s, %+v", problem.Message, answer.Data)
					}
				} else if n := elected.Load(); n > 0 {
					t.Errorf("%d elections were asked for without a preview", n)
				}
				if hits := m.Hits(); hits > 20 {
					t.Errorf("it was asked for %d times", hits)
				}
			})
		}
	}
}
