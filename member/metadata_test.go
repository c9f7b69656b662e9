package member

import (
	"bytes"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

func protocolNamed(name string) Protocol {
	return Protocol{Assignor: assign.Balanced{}, Name: name}
}

func joined(id string, metadata []byte) *kmsg.JoinGroupResponseMember {
	m := kmsg.NewJoinGroupResponseMember()
	m.MemberID, m.ProtocolMetadata = id, metadata
	return &m
}

func TestMetadataSurvivesTheWire(t *testing.T) {
	owned := []assign.TopicPartitions{{Topic: "a", Partitions: []int32{0, 2}}, {Topic: "b", Partitions: []int32{1}}}
	traits := Traits{Capacity: 2.5, MaxPartitions: 40, MaxWeight: 1e6, Labels: map[string]string{"zone": "eu-1"}, Draining: true}
	data, err := traits.encode()
	if err != nil {
		t.Fatal(err)
	}
	want := assign.Member{ID: "m", Topics: []string{"a", "b"}, Owned: owned, Generation: 7}
	got, err := newSubscriptionReader(nil).member(protocolNamed("sticky"), joined("m", encodeSubscription(protocolNamed("sticky"), []string{"b", "a", "b"}, owned, 7, data)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("sticky: got %+v, %v, want %+v", got, err, want)
	}
	want.Capacity, want.Labels, want.Draining = traits.Capacity, traits.Labels, traits.Draining
	want.MaxPartitions, want.MaxWeight = traits.MaxPartitions, traits.MaxWeight
	got, err = newSubscriptionReader(nil).member(protocolNamed("balanced"), joined("m", encodeSubscription(protocolNamed("balanced"), []string{"b", "a", "b"}, owned, 7, data)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("balanced: got %+v, %v, want %+v", got, err, want)
	}
}

// What kgo's own sticky members send, which is what Java's StickyAssignor reads.
func TestStickyMetadataIsWhatOtherClientsSend(t *testing.T) {
	topics := []string{"a", "b"}
	current := map[string][]int32{"b": {1}, "a": {0, 2}}
	ours := encodeSubscription(protocolNamed("sticky"), topics, toTopicPartitions(current), 7, nil)
	theirs := kgo.StickyBalancer().JoinGroupMetadata(topics, current, 7)
	if !bytes.Equal(ours, theirs) {
		t.Errorf("ours   % x\ntheirs % x", ours, theirs)
	}
}

func TestCooperativeStickyMetadataDiffersInUserDataOnly(t *testing.T) {
	topics := []string{"a", "b"}
	current := map[string][]int32{"b": {1}, "a": {0, 2}}
	var ours, theirs kmsg.ConsumerMemberMetadata
	if err := ours.ReadFrom(encodeSubscription(protocolNamed("cooperative-sticky"), topics, toTopicPartitions(current), 7, nil)); err != nil {
		t.Fatal(err)
	}
	if err := theirs.ReadFrom(kgo.CooperativeStickyBalancer().JoinGroupMetadata(topics, current, 7)); err != nil {
		t.Fatal(err)
	}
	theirs.UserData = nil
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("ours   %+v\ntheirs %+v", ours, theirs)
	}
}

func TestMetadataOfOtherClientsIsRead(t *testing.T) {
	old := kmsg.NewConsumerMemberMetadata() // version 0: topics and user data
	old.Topics, old.UserData = []string{"t"}, []byte("of some other client")
	claimsV1 := old.AppendTo(nil)
	claimsV1[1] = 1 // as some clients do, without owned partitions
	newer := kmsg.NewConsumerMemberMetadata()
	newer.Version, newer.Topics, newer.Rack = 3, []string{"t"}, kmsg.StringPtr("r1")
	withMore := newer.AppendTo(nil)
	withMore[1] = 9 // a version to come only adds fields
	withMore = append(withMore, "what version 9 adds"...)
	for name, data := range map[string][]byte{"version 0": old.AppendTo(nil), "version 0 that claims to be 1": claimsV1, "a version to come": withMore} {
		m, err := newSubscriptionReader(nil).member(protocolNamed("balanced"), joined("m", data))
		if err != nil || !reflect.DeepEqual(m.Topics, []string{"t"}) {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
	}
	if m, _ := newSubscriptionReader(nil).member(protocolNamed("balanced"), joined("m", withMore)); m.Rack != "r1" {
		t.Errorf("rack %q", m.Rack)
	}
}

func TestImpossibleTopicsAreLeftOut(t *testing.T) {
	data := encodeSubscription(protocolNamed("balanced"), []string{"", ".", "..", "a b", "good.Topic_1-x", "né", "\xff\xfe", strings.Repeat("x", 250), strings.Repeat("y", 249)}, nil, -1, nil)
	m, err := newSubscriptionReader(nil).member(protocolNamed("balanced"), joined("m", data))
	if err != nil || !reflect.DeepEqual(m.Topics, []string{"good.Topic_1-x", strings.Repeat("y", 249)}) {
		t.Errorf("got %q, %v", m.Topics, err)
	}
}

// hostile is metadata that claims far more than it holds.
func hostile(topics, owned, partitions uint32) []byte {
	count := func(n uint32) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
	data := append([]byte{0, 3}, count(topics)...)
	if topics > 0 {
		return append(data, make([]byte, 100_000)...)
	}
	data = append(data, count(0xffffffff)...) // no user data
	data = append(data, count(owned)...)
	data = append(data, 0, 1, 't')
	data = append(data, count(partitions)...)
	return append(data, make([]byte, 100_000)...)
}

func TestHostileMetadataIsRefusedWithoutMuchMemory(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing":             nil,
		"one byte":            {0},
		"three bytes":         {1, 2, 3},
		"negative version":    append([]byte{0xff, 0xff}, make([]byte, 8)...),
		"many topics":         hostile(60_000, 0, 0),
		"too many topics":     hostile(1<<31-1, 0, 0),
		"many owned topics":   hostile(0, 50_000, 0),
		"many partitions":     hostile(0, 1, 90_000),
		"too many partitions": hostile(0, 1, 1<<31-1),
		"too large":           make([]byte, memberbytes.MaxSubscription+1),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := newSubscriptionReader(nil).member(protocolNamed("balanced"), joined("m", data))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("no error")
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 1_000_000 {
				t.Errorf("%d bytes were allocated for %d bytes", got, len(data))
			}
		})
	}
}

func TestTraitsPrefixIsAGenerationThatJavaIgnores(t *testing.T) {
	data, err := Traits{Capacity: 2}.encode()
	if err != nil {
		t.Fatal(err)
	}
	// CooperativeStickyAssignor.memberData reads the user data as
	// {"generation": int32} when the subscription has no generation of its
	// own, and takes -1 (DEFAULT_GENERATION) for none.
	if want := append([]byte{0xff, 0xff, 0xff, 0xff}, "gk\x01{\"capacity\":2}"...); !bytes.Equal(data, want) {
		t.Errorf("got %q", data)
	}
}

func TestTraitsOfOthersAreNone(t *testing.T) {
	with := func(body string) []byte { return append(bytes.Clone(memberbytes.TraitsPrefix), body...) }
	for name, data := range map[string][]byte{
		"none":              nil,
		"prefix only":       with(""),
		"other client":      []byte("sarama"),
		"sticky":            {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
		"not JSON":          with("{"),
		"trailing bytes":    with(`{"capacity":2}x`),
		"negative capacity": with(`{"capacity":-1}`),
		"huge capacity":     with(`{"capacity":1e999}`),
		"negative ceiling":  with(`{"maxPartitions":-1}`),
		"huge ceiling":      with(`{"maxPartitions":3000000000}`),
		"no weight":         with(`{"maxWeight":-0.1}`),
		"wrong type":        with(`{"labels":[1]}`),
		"deep":              with(strings.Repeat("[", 15_000)),
		"too long":          with(`{"labels":{"a":"` + strings.Repeat("x", memberbytes.MaxTraits) + `"}}`),
	} {
		if got := ParseTraits(data); !got.zero() {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func FuzzTraits(f *testing.F) {
	data, _ := Traits{Capacity: 2, Labels: map[string]string{"a": "b"}, Draining: true}.encode()
	f.Add(data)
	f.Add(append(bytes.Clone(memberbytes.TraitsPrefix), `{"capacity":1e308,"labels":{"`...))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := ParseTraits(data)
		again, err := got.encode()
		if err != nil && len(data) < memberbytes.MaxTraits/8 { // escapes can make it longer
			t.Fatalf("%+v cannot be encoded: %v", got, err)
		}
		if err == nil && !reflect.DeepEqual(ParseTraits(again), got) && len(got.Labels) > 0 {
			t.Fatalf("%+v became %+v", got, ParseTraits(again))
		}
	})
}

func FuzzDecodeMember(f *testing.F) {
	owned := []assign.TopicPartitions{{Topic: "a", Partitions: []int32{0, 2}}}
	for _, name := range []string{"balanced", "sticky"} {
		f.Add(name == "sticky", encodeSubscription(protocolNamed(name), []string{"a", "b"}, owned, 7, memberbytes.TraitsPrefix))
	}
	f.Add(false, []byte{1, 2, 3})
	f.Add(false, hostile(0, 1, 30)[:50])
	f.Fuzz(func(t *testing.T, sticky bool, data []byte) {
		protocol := protocolNamed("balanced")
		if sticky {
			protocol = protocolNamed("sticky")
		}
		before := bytes.Clone(data)
		m, err := newSubscriptionReader(nil).member(protocol, joined("m", data))
		if !bytes.Equal(before, data) {
			t.Fatal("the metadata was changed")
		}
		if err != nil {
			return
		}
		// Whatever was read can be planned for.
		g := assign.Group{Members: []assign.Member{m}, Topics: []assign.Topic{{Name: "a", Partitions: 3}}}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		if err := assign.Validate(g, assign.Keep(g)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzAssignment(f *testing.F) {
	f.Add([]byte(nil))
	for _, a := range encodeAssignment([]string{"m"}, assign.Assignment{"m": {{Topic: "t", Partitions: []int32{1, 2}}}}, nil) {
		f.Add(a.MemberAssignment)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		hooks, err := NewHooks(HooksConfig{Protocols: []Protocol{{Assignor: assign.Balanced{}}}})
		if err != nil {
			panic(err)
		}
		b := &balancer{hooks: hooks, protocol: hooks.cfg.Protocols[0], first: true}
		assigned, err := b.ParseSyncAssignment(data)
		if err == nil && len(data) > 0 {
			hooks.cfg.Protocols[0].Eager = true
			b.JoinGroupMetadata([]string{"t"}, assigned, 1)
		}
	})
}

// What is written by hand is what kmsg writes.
func TestAssignmentsAreEncodedAsKmsgDoes(t *testing.T) {
	a := assign.Assignment{"b": {{Topic: "t", Partitions: []int32{0, 7}}, {Topic: "longer", Partitions: []int32{1 << 30}}}, "a": nil}
	for _, userData := range [][]byte{nil, {}, []byte("gk")} {
		got := encodeAssignment([]string{"b", "c", "a"}, a, userData)
		for i, id := range []string{"a", "b", "c"} {
			wire := kmsg.ConsumerMemberAssignment{UserData: userData}
			for _, tp := range a[id] {
				wire.Topics = append(wire.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: tp.Topic, Partitions: tp.Partitions})
			}
			if got[i].MemberID != id || !bytes.Equal(got[i].MemberAssignment, wire.AppendTo(nil)) {
				t.Errorf("%s: got %x for %s", id, got[i].MemberAssignment, got[i].MemberID)
			}
		}
	}
}

// What is read fast is read as kmsg reads it.
func FuzzSubscriptionReader(f *testing.F) {
	owned := []assign.TopicPartitions{{Topic: "a", Partitions: []int32{0, 2}}, {Topic: "b"}}
	f.Add(encodeSubscription(protocolNamed("balanced"), []string{"a", "b"}, owned, 7, memberbytes.TraitsPrefix))
	f.Add(encodeSubscription(protocolNamed("sticky"), nil, owned, 7, nil))
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0x80, 0, 'a', 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(hostile(0, 1, 30)[:50])
	f.Fuzz(func(t *testing.T, data []byte) {
		reader := newSubscriptionReader(nil)
		fast, owned, ok := reader.readPlain("m", data)
		if !ok {
			return
		}
		if again, ownedAgain, ok := reader.readPlain("m", data); !ok || !reflect.DeepEqual(again, fast) || !reflect.DeepEqual(ownedAgain, owned) {
			t.Fatalf("got %+v, %+v, and the second time %+v, %+v", fast, owned, again, ownedAgain)
		}
		for _, gave := range [][]assign.TopicPartitions{owned, {{Topic: "a", Partitions: []int32{0, 2}}}, {{Topic: "b"}}} {
			before := gaveBefore("m", gave, data[:len(data)%3])
			again, ownedAgain, ok := newSubscriptionReader(before).readPlain("m", data)
			same := func(l, r assign.TopicPartitions) bool {
				return l.Topic == r.Topic && slices.Equal(l.Partitions, r.Partitions)
			}
			if !ok || !reflect.DeepEqual(again, fast) || !slices.EqualFunc(owned, ownedAgain, same) {
				t.Fatalf("got %+v, %+v, and where the round before gave %v %+v, %+v", fast, owned, gave, again, ownedAgain)
			}
		}
		for _, tp := range owned {
			o := kmsg.NewConsumerMemberMetadataOwnedPartition()
			o.Topic, o.Partitions = tp.Topic, tp.Partitions
			fast.OwnedPartitions = append(fast.OwnedPartitions, o)
		}
		slow, err := memberbytes.Subscription(data)
		if err != nil || !bytes.Equal(fast.AppendTo(nil), slow.AppendTo(nil)) {
			t.Fatalf("got %+v, and %+v, %v", fast, slow, err)
		}
	})
}

// gaveBefore is a round that gave a member a list.
func gaveBefore(id string, list []assign.TopicPartitions, userData []byte) *round {
	r := &round{sent: assign.Plan{Assignment: assign.Assignment{id: list}}, sentUserData: len(userData)}
	r.sentBytes = encodeAssignment([]string{id, "another"}, r.sent.Assignment, userData)
	return r
}

// A member that has what it was given tells it in the bytes that it got; these are not
// read once more.
func TestWhatAMemberWasGivenIsNotReadAgain(t *testing.T) {
	protocol := protocolNamed("balanced")
	list := []assign.TopicPartitions{{Topic: "a", Partitions: []int32{0, 2}}, {Topic: "b", Partitions: []int32{1}}}
	for _, userData := range [][]byte{nil, {}, []byte("reason")} {
		reader := newSubscriptionReader(gaveBefore("m", list, userData))
		for _, c := range []struct {
			id    string
			owned []assign.TopicPartitions
			same  bool
		}{
			{"m", list, true},
			{"m", list[:1], false},
			{"m", list[1:], false},
			{"m", []assign.TopicPartitions{list[1], list[0]}, false},
			{"m", append(slices.Clone(list), assign.TopicPartitions{Topic: "c", Partitions: []int32{0}}), false},
			{"m", nil, false},
			{"another", list, false},
			{"stranger", list, false},
		} {
			data := joined(c.id, encodeSubscription(protocol, []string{"a", "b"}, c.owned, 4, nil))
			m, err := reader.member(protocol, data)
			alone, _ := newSubscriptionReader(nil).member(protocol, data)
			if err != nil || !reflect.DeepEqual(m, alone) || identical(m.Owned, list) != c.same {
				t.Errorf("%s owns %v: read %+v, %v, alone %+v", c.id, c.owned, m, err, alone)
			}
		}
	}
}

func TestWhatMembersSendIsReadFast(t *testing.T) {
	rack := kmsg.NewConsumerMemberMetadata()
	rack.Version, rack.Topics, rack.Rack = 3, []string{"t"}, kmsg.StringPtr("r1")
	for _, data := range [][]byte{
		encodeSubscription(protocolNamed("balanced"), []string{"a"}, []assign.TopicPartitions{{Topic: "a", Partitions: []int32{1}}}, 7, []byte("x")),
		encodeSubscription(protocolNamed("sticky"), []string{"a"}, nil, -1, nil),
		rack.AppendTo(nil),
		{0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 0}, // version 0
	} {
		if _, _, ok := newSubscriptionReader(nil).readPlain("m", data); !ok {
			t.Errorf("%x is left to the slow way", data)
		}
	}
}

// Members that subscribe to the same topics, as they most often do, are read as each
// alone would be; so is one after a member that cannot be read.
func TestMembersAreReadOneAfterAnother(t *testing.T) {
	protocol := protocolNamed("balanced")
	one := []assign.TopicPartitions{{Topic: "b", Partitions: []int32{1}}, {Topic: "a", Partitions: []int32{0}}}
	same := encodeSubscription(protocol, []string{"b", "a", "b", "not/possible"}, one, 1, nil)
	sent := [][]byte{
		same, same,
		encodeSubscription(protocol, nil, nil, 1, nil),
		encodeSubscription(protocol, []string{"b", "a"}, one[1:], 1, nil),
		same[:12], same,
		encodeSubscription(protocol, []string{"b", "a", "b", "not/possible", "c"}, one, 1, nil),
		{0, 1, 2}, same,
	}
	reader := newSubscriptionReader(nil)
	for i, data := range sent {
		got, err := reader.member(protocol, joined("m", data))
		alone, errAlone := newSubscriptionReader(nil).member(protocol, joined("m", data))
		if !reflect.DeepEqual(got, alone) || (err == nil) != (errAlone == nil) {
			t.Errorf("%d: got %+v, %v, alone %+v, %v", i, got, err, alone, errAlone)
		}
		if err == nil && cap(got.Topics) != len(got.Topics) {
			t.Errorf("%d: what is appended to %v would be another member's", i, got.Topics)
		}
	}
}
