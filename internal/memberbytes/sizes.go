package memberbytes

import (
	"encoding/binary"
	"errors"
)

var errSizes = errors.New("a length in it is more than the bytes that follow")

// kmsg trusts the length of a list as long as one byte follows for each element, and
// allocates up to forty bytes for it. The functions below hold lengths to what their
// elements take at least, before anything is allocated.

// checkSubscription checks a ConsumerProtocolSubscription of any version.
func checkSubscription(data []byte) error {
	s := sizes{rest: data}
	version := int16(s.number(2))
	for range s.list(2) { // topics
		s.skip(int(int16(s.number(2))))
	}
	s.skip(int(int32(s.number(4)))) // user data
	if version >= 1 {
		s.topicPartitions()
	}
	return s.err // what else is wrong kmsg tells
}

// checkSticky checks a StickyAssignorUserData of any version.
func checkSticky(data []byte) error {
	s := sizes{rest: data}
	s.topicPartitions()
	return s.err
}

// CheckAssignment checks the lengths in a ConsumerProtocolAssignment of any version, for
// those who decode it by other means.
func CheckAssignment(data []byte) error {
	s := sizes{rest: data}
	s.number(2)
	s.topicPartitions()
	return s.err
}

// sizes walks through bytes from the wire. After an error all it reads is 0.
type sizes struct {
	rest []byte
	err  error
}

// number reads a big-endian integer of 2 or 4 bytes.
func (s *sizes) number(bytes int) uint32 {
	if s.err != nil || len(s.rest) < bytes {
		s.err = errSizes
		return 0
	}
	taken := s.rest[:bytes]
	s.rest = s.rest[bytes:]
	if bytes == 2 {
		return uint32(binary.BigEndian.Uint16(taken))
	}
	return binary.BigEndian.Uint32(taken)
}

// skip passes over that many bytes; a negative number stands for null.
func (s *sizes) skip(bytes int) {
	if s.err != nil || bytes > len(s.rest) {
		s.err = errSizes
		return
	}
	s.rest = s.rest[max(bytes, 0):]
}

// list reads the length of a list whose elements take so many bytes at least.
func (s *sizes) list(element int) int {
	n := int(int32(s.number(4)))
	if n > len(s.rest)/element {
		s.err = errSizes
	}
	if s.err != nil {
		return 0
	}
	return max(n, 0)
}

// topicPartitions passes over a list of topics with their partitions.
func (s *sizes) topicPartitions() {
	for range s.list(6) {
		s.skip(int(int16(s.number(2))))
		s.skip(4 * s.list(4))
		if s.err != nil {
			return
		}
	}
}
