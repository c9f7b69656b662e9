package member

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// recordSize is about what a round makes the coordinator write: one record with what each
// member sent and what it gets (GroupMetadataValue).
type recordSize struct {
	bytes        int
	largest      string // the member that sent most
	largestBytes int
}

// perMember is what the record has of a member beside that: ids, host, timeouts.
const perMember = 128

func (s *recordSize) sent(m *kmsg.JoinGroupResponseMember) {
	n := len(m.ProtocolMetadata)
	s.bytes += perMember + n
	if n > s.largestBytes {
		s.largest, s.largestBytes = m.MemberID, n
	}
}

func (s *recordSize) gets(assignments []kmsg.SyncGroupRequestGroupAssignment) {
	for i := range assignments {
		s.bytes += len(assignments[i].MemberAssignment)
	}
}

// explain adds to an error of group management what its code leaves out. A coordinator
// that cannot write the group's record because it is too large fails SyncGroup for all
// members with UNKNOWN_SERVER_ERROR, round after round, and only the leader of the round
// can know why. It runs on the goroutine that manages the group.
func (h *Hooks) explain(err error) error {
	h.mu.Lock()
	r := h.round
	h.mu.Unlock()
	if r == nil || !r.planned || !errors.Is(err, kerr.UnknownServerError) {
		return err
	}
	return fmt.Errorf("the coordinator refused the plan of generation %d: %w. The record of the group takes about %d bytes, the metadata of member %s %d of them; "+
		"if that is more than max.message.bytes of __consumer_offsets (1 MiB by default), have members send less or raise it",
		r.info.Generation, err, r.size.bytes, r.size.largest, r.size.largestBytes)
}
