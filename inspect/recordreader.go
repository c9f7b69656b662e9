package inspect

import (
	"encoding/base64"
	"errors"

	"github.com/twmb/franz-go/pkg/kbin"
)

var errRecordEnds = errors.New("it ends too early, or a length in it is more than the bytes that follow")

// recordReader reads a key or a value of __consumer_offsets. Its strings and
// lists are compact, and its structs end in tags, in the versions that Kafka calls
// flexible. After an error, all it reads is zero.
type recordReader struct {
	kbin.Reader
	flexible bool
}

func (r *recordReader) fail() { r.Span(len(r.Src) + 1) }

func (r *recordReader) string() string {
	if r.flexible {
		return r.CompactString()
	}
	return r.String()
}

func (r *recordReader) nullableString() *string {
	if r.flexible {
		return r.CompactNullableString()
	}
	return r.NullableString()
}

// bytes returns what lies in the record; it is not copied.
func (r *recordReader) bytes() []byte {
	if r.flexible {
		return r.CompactNullableBytes()
	}
	return r.NullableBytes()
}

// list returns the length of a list whose elements take so many bytes at least,
// before anything is allocated for it.
func (r *recordReader) list(element int) int {
	n := 0
	if r.flexible {
		n = int(r.CompactArrayLen())
	} else {
		n = int(r.ArrayLen())
	}
	if n > len(r.Src)/element {
		r.fail()
		return 0
	}
	return max(n, 0)
}

func (r *recordReader) strings() []string {
	all := make([]string, r.list(1))
	for i := range all {
		all[i] = r.string()
	}
	return all
}

func (r *recordReader) int32s() []int32 {
	all := make([]int32, r.list(4))
	for i := range all {
		all[i] = r.Int32()
	}
	return all
}

// tags reads the tagged fields that end a struct. each may be nil.
func (r *recordReader) tags(each func(tag uint32, field *recordReader)) {
	if !r.flexible {
		return
	}
	n := int(r.Uvarint())
	if n > len(r.Src)/2 {
		r.fail()
		return
	}
	for range n {
		tag := r.Uvarint()
		field := r.Span(int(r.Uvarint()))
		if !r.Ok() {
			return
		}
		if each != nil {
			each(tag, &recordReader{Reader: kbin.Reader{Src: field}, flexible: true})
		}
	}
}

// topicID is the text by which Kafka shows a topic's ID.
func topicID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// partitionsByID reads a list of topics, by their IDs, with partitions. ids
// collects the IDs.
func (r *recordReader) partitionsByID(ids map[[16]byte]bool) []TopicPartitions {
	read := topicPartitions{}
	for range r.list(18) {
		id := r.Uuid()
		partitions := r.int32s()
		r.tags(nil)
		if !r.Ok() {
			break
		}
		ids[id] = true
		read.add(topicID(id), partitions...)
	}
	return read.sorted()
}

// tasks reads the tasks of subtopologies.
func (r *recordReader) tasks() []TopicPartitions {
	read := topicPartitions{}
	for range r.list(3) {
		subtopology := r.string()
		partitions := r.int32s()
		r.tags(nil)
		if !r.Ok() {
			break
		}
		read.add(subtopology, partitions...)
	}
	return read.sorted()
}
