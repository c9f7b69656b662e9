package member

import (
	"bytes"
	"encoding/json"
	"strings"
)

// An announcement is what a leader tells all members in the user data of their
// assignments, where HooksConfig.Announce asks for it.
type announcement struct {
	Leader string `json:"leader"`
	Reason string `json:"reason,omitempty"`
}

// announcementPrefix opens the user data: "gk" and the version.
var announcementPrefix = []byte{'g', 'k', 1}

// The reason goes to each member of the group, and other leaders may write anything.
const (
	maxAnnouncedReason = 512
	maxAnnouncement    = 4 << 10
)

func (a announcement) encode() []byte {
	if len(a.Reason) > maxAnnouncedReason {
		a.Reason = strings.ToValidUTF8(a.Reason[:maxAnnouncedReason], "") + " …"
	}
	body, err := json.Marshal(a)
	if err != nil {
		return nil // two strings can always be encoded
	}
	return append(bytes.Clone(announcementPrefix), body...)
}

// parseAnnouncement reads the user data of an assignment; what another client put there
// announces nobody.
func parseAnnouncement(data []byte) (a announcement) {
	body, ours := bytes.CutPrefix(data, announcementPrefix)
	if !ours || len(data) > maxAnnouncement || json.Unmarshal(body, &a) != nil {
		return announcement{}
	}
	return a
}

// SetAnnounce changes whether this member announces itself when it leads, see
// HooksConfig.Announce. Where it leads it brings about a round, after which assignments
// are with an announcement or without; in other members it counts once they lead. To let
// members that speak KIP-848 in, call it with false in every member.
func (h *Hooks) SetAnnounce(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.announce == on {
		return
	}
	h.announce = on
	if h.adopted != nil || h.round != nil { // the plan that is adopted next may be on its way
		h.reasonLocked("announcements were switched")
		h.callRoundLocked(0, "")
	}
}

func (h *Hooks) announces() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.announce
}
