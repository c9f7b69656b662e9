package member

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// polled is a poll of the records with these offsets, to excluded.
func polled(from, to int64) kgo.FetchPartition {
	f := kgo.FetchPartition{HighWatermark: to}
	for at := from; at < to; at++ {
		f.Records = append(f.Records, &kgo.Record{Offset: at})
	}
	return f
}

// A log that lost records, because an unclean leader did not have them, goes on before
// what was committed.
func TestCommitsGoOnAfterTheLogLostRecords(t *testing.T) {
	const share = 1 << 40
	p := newPartition(topicPartition{"t", 0})
	commit := func(want int64) {
		t.Helper()
		position, dirty := p.toCommit()
		if !dirty || position.Offset != want {
			t.Errorf("%d is to be committed: %t; want %d", position.Offset, dirty, want)
		}
		if err := p.committedTo(position, nil); err != nil {
			t.Error(err)
		}
		if _, dirty := p.toCommit(); dirty {
			t.Error("it is to be committed again")
		}
	}
	p.add(polled(0, 1000), share)
	p.handled(1000, share)
	commit(1000)
	p.add(polled(1000, 1100), share) // of which the worker is handling the first
	p.add(polled(1100, 1200), share)
	p.add(polled(1200, 1300), share)
	p.add(polled(1150, 1160), share)
	p.handled(100, share)
	commit(1100)
	p.handled(len(p.next(0)), share)
	commit(1150)
	if records := p.next(0); len(records) != 10 || records[0].Offset != 1150 {
		t.Errorf("%d records come next, from %d on", len(records), records[0].Offset)
	}
	p.handled(10, share)
	commit(1160)
	p.add(polled(900, 950), share)
	p.handled(50, share)
	commit(950)
	if p.bytes != 0 {
		t.Errorf("%d bytes are counted of an empty queue", p.bytes)
	}
}

// A broker that answers that there is no such topic may have lagged behind.
func TestAPartitionIsCommittedAgainOnceItsTopicIsKnown(t *testing.T) {
	const share = 1 << 40
	p := newPartition(topicPartition{"t", 0})
	p.add(polled(0, 10), share)
	p.handled(10, share)
	position, _ := p.toCommit()
	if err := p.committedTo(position, kerr.UnknownTopicOrPartition); err == nil {
		t.Error("the error is not told")
	}
	if _, dirty := p.toCommit(); dirty {
		t.Error("it is committed again and again")
	}
	p.add(polled(10, 20), share)
	if position, dirty := p.toCommit(); !dirty || position.Offset != 10 {
		t.Errorf("%d is to be committed: %t; want 10", position.Offset, dirty)
	}
}

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
