package memberbytes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Traits are what a member of package member tells about itself, in the user data of its
// subscription; see member.Traits.
type Traits struct {
	Capacity      float64           `json:"capacity,omitempty"`
	MaxPartitions int32             `json:"maxPartitions,omitempty"`
	MaxWeight     float64           `json:"maxWeight,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Draining      bool              `json:"draining,omitempty"`
}

// Check tells what no member can be.
func (t Traits) Check() error {
	var errs []error
	for _, of := range []struct {
		what  string
		value float64
	}{{"capacity", t.Capacity}, {"maxWeight", t.MaxWeight}, {"maxPartitions", float64(t.MaxPartitions)}} {
		if !(of.value >= 0) || math.IsInf(of.value, 1) {
			errs = append(errs, fmt.Errorf("the member's %s is %v; give a finite number, 0 or more", of.what, of.value))
		}
	}
	return errors.Join(errs...)
}

// MaxTraits bounds the encoded traits, in bytes: every member's are sent to the leader in
// each round.
const MaxTraits = 16 << 10

// TraitsPrefix opens the user data: the int32 -1, then "gk" and the version. Java's
// CooperativeStickyAssignor reads the first four bytes of any user data as a generation,
// and -1 is the one that it ignores.
var TraitsPrefix = []byte{0xff, 0xff, 0xff, 0xff, 'g', 'k', 1}

// ParseTraits reads user data. It returns false for what another client put there, and for
// what makes no sense.
func ParseTraits(data []byte) (Traits, bool) {
	body, ours := bytes.CutPrefix(data, TraitsPrefix)
	if !ours || len(data) > MaxTraits {
		return Traits{}, false
	}
	var t Traits
	if err := json.Unmarshal(body, &t); err != nil || t.Check() != nil {
		return Traits{}, false
	}
	return t, true
}
