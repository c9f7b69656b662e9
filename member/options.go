package member

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ownedOptions are the kgo options that a Member sets itself, and what to do instead.
var ownedOptions = map[string]string{
	"ConsumerGroup":               "set Config.Group",
	"ShareGroup":                  "use a client of your own for share groups",
	"GroupProtocol":               "use Hooks or Elect for groups of another protocol type",
	"ConsumeTopics":               "set Config.Topics",
	"ConsumePartitions":           "set Config.Topics; the group's leader or broker decides about partitions",
	"Balancers":                   "set Config.Protocols",
	"ServerSideBalancer":          "set Config.GroupProtocol to ConsumerProtocol",
	"OnPartitionsAssigned":        "use Config.OnEvent",
	"OnPartitionsRevoked":         "use Config.OnEvent",
	"OnPartitionsLost":            "use Config.OnEvent",
	"OnPartitionsCallbackBlocked": "leave it out, for polls block no rebalance",
	"BlockRebalanceOnPoll":        "leave it out, for handlers are drained before their partition is given up",
	"DisableAutoCommit":           "leave it out, for the member commits what was handled",
	"AutoCommitMarks":             "leave it out, for the member commits what was handled",
	"AutoCommitInterval":          "set Config.CommitInterval",
	"AutoCommitCallback":          "use Config.OnEvent",
	"GreedyAutoCommit":            "leave it out, for the member commits what was handled",
	"TransactionalID":             "use Hooks with a kgo.GroupTransactSession of your own",
}

// checkNoneNil refuses options of Client that are nil, on which kgo panics. whose is the
// member or the election.
func checkNoneNil(whose string, opts []kgo.Opt) error {
	var errs []error
	for i, opt := range opts {
		if opt == nil {
			errs = append(errs, fmt.Errorf("option %d of the %s's Client is nil; leave it out", i, whose))
		}
	}
	return errors.Join(errs...)
}

// checkOptions refuses options that the member sets itself, each by its name.
func checkOptions(opts []kgo.Opt) error {
	var errs []error
	if err := checkNoneNil("member", opts); err != nil {
		errs = append(errs, err)
	}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		name := optionName(opt)
		if instead, owned := ownedOptions[name]; owned {
			errs = append(errs, fmt.Errorf("the member's Client has kgo.%s, which is the member's own; %s", name, instead))
		}
	}
	return errors.Join(errs...)
}

// optionName returns the name of the kgo function that made the option, or "". An
// option is a struct around a function literal, and the runtime knows in which function
// that stands. A client made to compare OptValue with would call the user's hooks, and
// callbacks cannot be compared.
func optionName(opt kgo.Opt) string {
	v := reflect.ValueOf(opt)
	if v.Kind() != reflect.Struct || v.NumField() != 1 || v.Field(0).Kind() != reflect.Func || v.Field(0).IsNil() {
		return ""
	}
	f := runtime.FuncForPC(v.Field(0).Pointer())
	if f == nil {
		return ""
	}
	// The last part is the literal's: "…/kgo.Balancers.func1". Where the call was inlined
	// it is "main.main.Balancers.func1", and "main.main.func1.Balancers.2" within another
	// literal.
	path := strings.Split(f.Name(), ".")
	if len(path) < 2 {
		return ""
	}
	return path[len(path)-2]
}
