package member

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What waits is bounded also where records have neither keys nor values, or all that they
// have is in headers.
func TestEmptyRecordsFillTheBuffer(t *testing.T) {
	for name, c := range map[string]struct {
		record kgo.Record
		bytes  int64
	}{
		"empty":   {kgo.Record{}, recordBytes},
		"value":   {kgo.Record{Key: make([]byte, 3), Value: make([]byte, 4)}, recordBytes + 7},
		"headers": {kgo.Record{Headers: []kgo.RecordHeader{{Key: "key", Value: make([]byte, 1000)}, {}}}, recordBytes + 2*headerBytes + 1003},
	} {
		p := newPartition(topicPartition{"t", 0})
		const n = 100
		share := n * c.bytes
		records := make([]*kgo.Record, n)
		for i := range records {
			records[i] = &c.record
		}
		if p.add(kgo.FetchPartition{Records: records}, share) {
			t.Errorf("%s: paused at %d bytes of %d", name, p.bytes, share)
		}
		if !p.add(kgo.FetchPartition{Records: records[:1]}, share) {
			t.Errorf("%s: not paused at %d bytes of %d", name, p.bytes, share)
		}
		if p.handled(n-1, share) || !p.handled(1, share) || p.bytes != c.bytes {
			t.Errorf("%s: %d bytes are left, paused: %t", name, p.bytes, p.paused)
		}
	}
}
