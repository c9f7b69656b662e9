package memberbytes

import (
	"bytes"
	"encoding/json"
	"math"
)

// Traits are what a member of package member tells about itself, in the user data of its
// subscription; see member.Traits.
type Traits struct {
	Capacity float64           `json:"capacity,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Draining bool              `json:"draining,omitempty"`
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
	if err := json.Unmarshal(body, &t); err != nil || !(t.Capacity >= 0) || math.IsInf(t.Capacity, 0) {
		return Traits{}, false
	}
	return t, true
}
