package member

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

// A subscriptionReader reads the subscriptions of all members of a round. Most name the
// same topics, twice each, and a large group names them a hundred thousand times: it
// keeps one string of each name. What it does not know how to read well is left to
// memberbytes.Subscription, to which a fuzz test holds it.
type subscriptionReader struct {
	names map[string]string

	// The topics of the member before: most often the next has the same.
	bytes  []byte   // as they were sent
	topics []string // as they were named
	clean  []string // in order, as Member.Topics; nil when not asked for yet

	// What the round before gave, nil where it is not known. Members that still have it
	// most often tell it in the same bytes.
	before *round
}

// newSubscriptionReader takes the round before, nil where it is not known.
func newSubscriptionReader(before *round) *subscriptionReader {
	return &subscriptionReader{names: make(map[string]string), before: before}
}

// read reads a ConsumerProtocolSubscription of any version, of the member of that id. What
// the member owns is returned apart, and not to be changed.
func (s *subscriptionReader) read(id string, data []byte) (meta kmsg.ConsumerMemberMetadata, owned []assign.TopicPartitions, err error) {
	if meta, owned, ok := s.readPlain(id, data); ok {
		return meta, owned, nil
	}
	s.forget()
	meta, err = memberbytes.Subscription(data)
	return meta, claims(&meta), err
}

// forget has the topics of the next member read afresh.
func (s *subscriptionReader) forget() { s.bytes, s.topics, s.clean = nil, nil, nil }

// readPlain reads versions 0 to 3 that are complete and end where the data does.
func (s *subscriptionReader) readPlain(id string, data []byte) (meta kmsg.ConsumerMemberMetadata, owned []assign.TopicPartitions, ok bool) {
	if len(data) > memberbytes.MaxSubscription {
		return meta, nil, false
	}
	in := plainBytes{rest: data, ok: true}
	meta.Default()
	meta.Version = int16(in.uint16())
	if meta.Version < 0 || meta.Version > 3 {
		return meta, nil, false
	}
	meta.Topics = s.readTopics(&in)
	if n := int32(in.uint32()); n >= 0 {
		meta.UserData = append([]byte{}, in.bytes(int(n))...)
	}
	if meta.Version >= 1 {
		owned = s.readOwned(id, meta.Topics, &in)
	}
	if meta.Version >= 2 {
		meta.Generation = int32(in.uint32())
	}
	if meta.Version >= 3 {
		if n := int16(in.uint16()); n >= 0 {
			rack := string(in.bytes(int(n)))
			meta.Rack = &rack
		}
	}
	return meta, owned, in.ok && len(in.rest) == 0
}

// readOwned reads what the member of that id owns. likely are topics in the order in which
// it most often tells them.
func (s *subscriptionReader) readOwned(id string, likely []string, in *plainBytes) (owned []assign.TopicPartitions) {
	if sent, list := s.before.gave(id); len(list) > 0 && bytes.HasPrefix(in.rest, sent) {
		in.rest = in.rest[len(sent):]
		return list
	}
	n := in.count(6)
	if n == 0 {
		return nil
	}
	owned = make([]assign.TopicPartitions, n)
	// One array for all: what follows holds no more numbers than this.
	numbers := make([]int32, 0, (len(in.rest)-6*n)/4)
	for i := range owned {
		o := &owned[i]
		if name := in.bytes(in.length()); len(likely) > 0 && likely[0] == string(name) {
			o.Topic, likely = likely[0], likely[1:]
		} else {
			o.Topic = s.name(name)
		}
		from := len(numbers)
		for range in.count(4) {
			numbers = append(numbers, int32(in.uint32()))
		}
		if len(numbers) > from {
			o.Partitions = numbers[from:len(numbers):len(numbers)]
		}
	}
	return owned
}

// readTopics reads the topics of a subscription. They are not to be changed.
func (s *subscriptionReader) readTopics(in *plainBytes) []string {
	if len(s.bytes) > 0 && bytes.HasPrefix(in.rest, s.bytes) {
		in.rest = in.rest[len(s.bytes):]
		return s.topics
	}
	s.forget()
	from := in.rest
	var topics []string
	if n := in.count(2); n > 0 {
		topics = make([]string, n)
		for i := range topics {
			topics[i] = s.name(in.bytes(in.length()))
		}
	}
	if in.ok {
		s.bytes, s.topics = from[:len(from)-len(in.rest)], topics
	}
	return topics
}

// cleaned returns topics that read returned in the order of Member.Topics: sorted, each
// once, and without those that cannot be. Members with the same ones share the list.
func (s *subscriptionReader) cleaned(topics []string) []string {
	same := len(topics) > 0 && len(s.topics) == len(topics) && &s.topics[0] == &topics[0]
	if same && s.clean != nil {
		return s.clean
	}
	clean := slices.Clone(topics)
	slices.Sort(clean)
	clean = slices.Clip(slices.DeleteFunc(slices.Compact(clean), impossibleTopic))
	if same {
		s.clean = clean
	}
	return clean
}

// name returns the one string for these bytes.
func (s *subscriptionReader) name(b []byte) string {
	if known, ok := s.names[string(b)]; ok {
		return known
	}
	name := string(b)
	s.names[name] = name
	return name
}

// plainBytes walks through bytes; where they end too early it is not ok, and all that it
// reads is empty.
type plainBytes struct {
	rest []byte
	ok   bool
}

func (p *plainBytes) bytes(n int) []byte {
	if n > len(p.rest) {
		p.ok, p.rest = false, nil
		return nil
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func (p *plainBytes) uint16() uint16 {
	if b := p.bytes(2); len(b) == 2 {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (p *plainBytes) uint32() uint32 {
	if b := p.bytes(4); len(b) == 4 {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// length reads the length of a string; there is no null among those that call it.
func (p *plainBytes) length() int {
	n := int16(p.uint16())
	if n < 0 {
		p.ok = false
		return 0
	}
	return int(n)
}

// count reads the length of a list whose elements take so many bytes at least.
func (p *plainBytes) count(element int) int {
	n := int32(p.uint32())
	if n < 0 || int(n) > len(p.rest)/element {
		p.ok = false
		return 0
	}
	return int(n)
}

// claims returns what a subscription claims to own.
func claims(meta *kmsg.ConsumerMemberMetadata) []assign.TopicPartitions {
	if len(meta.OwnedPartitions) == 0 {
		return nil
	}
	list := make([]assign.TopicPartitions, len(meta.OwnedPartitions))
	for i, o := range meta.OwnedPartitions {
		list[i] = assign.TopicPartitions{Topic: o.Topic, Partitions: o.Partitions}
	}
	return list
}
