// Package memberbytes reads what members of classic groups write about themselves and
// each other: subscriptions, assignments and user data. The bytes come from other
// processes, of any client and version, so they are bounded before anything is allocated
// for them.
package memberbytes

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// MaxSubscription bounds what one member may send about itself, in bytes. A member that
// owns 100,000 partitions sends about 400 KB.
const MaxSubscription = 4 << 20

// ErrSubscriptionSize is the error of a subscription that is longer than that.
var ErrSubscriptionSize = fmt.Errorf("the member's metadata is larger than %d bytes", MaxSubscription)

// Subscription reads a ConsumerProtocolSubscription of any version.
func Subscription(data []byte) (kmsg.ConsumerMemberMetadata, error) {
	meta := kmsg.NewConsumerMemberMetadata()
	if len(data) > MaxSubscription {
		return meta, ErrSubscriptionSize
	}
	err := checkSubscription(data)
	if err == nil {
		err = meta.ReadFrom(data)
	}
	if err != nil && len(data) >= 2 && data[0] == 0 && data[1] == 1 {
		// Some clients claim version 1 and send version 0, without the
		// owned partitions; what is there is read all the same.
		data = slices.Clone(data)
		data[1] = 0
		meta = kmsg.NewConsumerMemberMetadata()
		if err = checkSubscription(data); err == nil {
			err = meta.ReadFrom(data)
		}
	}
	if err != nil {
		return meta, fmt.Errorf("the member's metadata, %d bytes, cannot be decoded: %w", len(data), err)
	}
	if meta.Version < 0 {
		return meta, errors.New("the member's metadata has a negative version")
	}
	return meta, nil
}

// Assignment reads a ConsumerProtocolAssignment of any version.
func Assignment(data []byte) (kmsg.ConsumerMemberAssignment, error) {
	assignment := kmsg.NewConsumerMemberAssignment()
	err := CheckAssignment(data)
	if err == nil {
		err = assignment.ReadFrom(data)
	}
	if err != nil {
		return assignment, fmt.Errorf("the member's assignment, %d bytes, cannot be decoded: %w", len(data), err)
	}
	return assignment, nil
}

// Sticky reads the user data of the sticky assignor, StickyAssignorUserData of any
// version: what the member owns, and since which generation. It returns false where the
// bytes are not that.
func Sticky(data []byte) (kmsg.StickyMemberMetadata, bool) {
	sticky := kmsg.NewStickyMemberMetadata()
	if len(data) == 0 || checkSticky(data) != nil || sticky.ReadFrom(data) != nil {
		return sticky, false
	}
	return sticky, true
}
