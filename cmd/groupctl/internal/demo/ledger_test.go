package demo

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTally(t *testing.T) {
	l := newLedger()
	record := func(partition int32, offset int64) *kgo.Record {
		return &kgo.Record{Partition: partition, Offset: offset}
	}
	l.add("ann", []*kgo.Record{record(0, 0), record(0, 1)})
	l.add("bob", []*kgo.Record{record(0, 1), record(1, 0)})
	got := l.tally([]int64{3, 1})
	if got.records != 4 || got.once != 2 || got.again != 1 || got.missed != 1 {
		t.Errorf("got %+v", got)
	}
	if got.repeats["ann, then bob"] != 1 || got.byMember["ann"] != 2 || got.byMember["bob"] != 1 {
		t.Errorf("got %+v", got)
	}
}
