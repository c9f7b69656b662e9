package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
)

// One broker of three that answers one kind of request late, not at all, or with bytes of
// something else costs what it alone knows, within the time given.
func TestABadBrokerCostsItsOwnGroupsAndPartitions(t *testing.T) {
	const bad = 1
	faults := map[string]func(*kfake.Cluster) (kmsg.Response, error){
		"silent":  func(*kfake.Cluster) (kmsg.Response, error) { return nil, nil },
		"closing": func(*kfake.Cluster) (kmsg.Response, error) { return nil, errors.New("closed by the test") },
		"garbage": func(fake *kfake.Cluster) (kmsg.Response, error) {
			garbage := kmsg.NewPtrMetadataResponse()
			garbage.ClusterID = kmsg.StringPtr(strings.Repeat("\xff\x7f", 500))
			return garbage, nil
		},
	}
	for _, key := range []kmsg.Key{kmsg.ListGroups, kmsg.DescribeGroups, kmsg.OffsetFetch, kmsg.ListOffsets, kmsg.Fetch} {
		for name, fault := range faults {
			t.Run(fmt.Sprintf("%s of %s", name, key.Name()), func(t *testing.T) {
				t.Parallel()
				fake := newFake(t, kfake.SeedTopics(40, "orders"), kfake.SeedTopics(50, offsetsTopic))
				var groups []string
				good := 0
				for i := range 12 {
					group := fmt.Sprintf("group-%d", i)
					commit(t, fake, group, "orders", make([]int64, 40)...)
					groups = append(groups, group)
					if fake.CoordinatorFor(group) != bad {
						good++
					}
				}
				fake.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
					fake.KeepControl()
					if fake.CurrentNode() != bad {
						return nil, nil, false
					}
					resp, err := fault(fake)
					return resp, err, true
				})
				client := newClient(t, fake, kgo.RequestRetries(1), kgo.RequestTimeoutOverhead(time.Second), kgo.RetryTimeout(time.Second))
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				answer, err := inspect.New(client, inspect.LogBudget(0, 0, 500*time.Millisecond)).DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true}, groups...)
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("it took %v of 10s", took)
				}
				if err != nil {
					t.Fatal(err)
				}
				whole := 0
				for _, g := range answer.Data {
					if g.Lag != nil && len(g.Lag.Partitions) > 0 && g.Coordinator != nil && *g.Coordinator != bad {
						whole++
					}
				}
				if whole != good {
					t.Errorf("%d groups of good coordinators are described with lag, want %d; %v", whole, good, answer.Errors)
				}
				problems := append(slices.Clone(answer.Errors), answer.Warnings...)
				if key != kmsg.Fetch && key != kmsg.ListGroups && len(answer.Errors) == 0 {
					t.Errorf("nothing is said to be missing: %+v", answer.Warnings)
				}
				for _, p := range problems {
					if p.Message == "" || p.Target == "" || !slices.Contains([]inspect.Code{inspect.CodeTimeout, inspect.CodeUnreachable, inspect.CodeRequestFailed, inspect.CodeRecordNotFound}, p.Code) {
						t.Errorf("%s of %q: %s", p.Code, p.Target, p.Message)
					}
				}
			})
		}
	}
}
