package member

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

// Traits are what a member tells the leader about itself beyond its topics. They
// travel in the user data of its subscription, and may take 16 KiB there, encoded.
type Traits struct {
	// Capacity is how much load the member takes in relation to the others;
	// 0 means 1. See assign.Member.
	Capacity float64 `json:"capacity,omitempty"`

	// MaxPartitions and MaxWeight are the most that the member takes, of
	// partitions and of the weight that the leader goes by; 0 means any. See
	// assign.Member. A leader that does not know of them takes no notice.
	MaxPartitions int32   `json:"maxPartitions,omitempty"`
	MaxWeight     float64 `json:"maxWeight,omitempty"`

	// Labels are facts about the member for assignors and hooks to go by. The label
	// "groupkit.refused" is taken: in it a [Member] asks for what StallRelease does, if
	// there is room for it beside the rest.
	Labels map[string]string `json:"labels,omitempty"`

	// Draining asks the leader to give this member nothing more.
	Draining bool `json:"draining,omitempty"`
}

func (t Traits) zero() bool {
	return t.Capacity == 0 && t.MaxPartitions == 0 && t.MaxWeight == 0 && len(t.Labels) == 0 && !t.Draining
}

// Apply writes the traits into what an assignor knows of the member.
func (t Traits) Apply(m *assign.Member) {
	m.Capacity, m.MaxPartitions, m.MaxWeight = t.Capacity, t.MaxPartitions, t.MaxWeight
	m.Labels, m.Draining = t.Labels, t.Draining
	m.Refused = parseRefused(t.Labels[refusedLabel])
}

// encode returns the user data for t, nil when t tells nothing.
func (t Traits) encode() ([]byte, error) {
	if err := memberbytes.Traits(t).Check(); err != nil {
		return nil, err
	}
	if t.zero() {
		return nil, nil
	}
	body, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("the member's traits cannot be encoded: %w", err)
	}
	data := append(bytes.Clone(memberbytes.TraitsPrefix), body...)
	if len(data) > memberbytes.MaxTraits {
		return nil, fmt.Errorf("the member's traits take %d bytes and may take %d; use fewer or shorter labels", len(data), memberbytes.MaxTraits)
	}
	return data, nil
}

// ParseTraits reads the traits in the user data of a member's subscription, as a leader
// does. What another client put there, or what makes no sense, counts as no traits.
func ParseTraits(data []byte) Traits {
	t, _ := memberbytes.ParseTraits(data)
	return Traits(t)
}
