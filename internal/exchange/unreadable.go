package exchange

import (
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errUnreadable is how answers fail that do not decode. kmsg does not export it, and it is
// another error than that of kbin, with which their headers fail.
var errUnreadable = kmsg.NewPtrHeartbeatResponse().ReadFrom(nil)

// IsUnreadable says whether there was an answer, and it is none of Kafka's.
func IsUnreadable(err error) bool {
	if errors.Is(err, kbin.ErrNotEnoughData) || errors.Is(err, errUnreadable) {
		return true
	}
	// kgo exports nothing for a size that cannot be.
	return err != nil && strings.Contains(err.Error(), "response size ")
}
