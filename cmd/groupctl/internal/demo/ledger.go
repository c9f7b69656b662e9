package demo

import (
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ledger holds which members of a group handled which record.
type ledger struct {
	mu       sync.Mutex
	handlers map[place][]string // in the order of handling
}

type place struct {
	partition int32
	offset    int64
}

func newLedger() *ledger { return &ledger{handlers: make(map[place][]string)} }

func (l *ledger) add(name string, records []*kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		at := place{r.Partition, r.Offset}
		l.handlers[at] = append(l.handlers[at], name)
	}
}

// count returns how many records were handled, each counted once.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.handlers)
}

// tally is what a ledger comes to.
type tally struct {
	records  int64          // that were written
	once     int64          // handled once
	again    int64          // handled more than once
	missed   int64          // never handled
	byMember map[string]int // records, by the member that handled them first
	repeats  map[string]int // records handled more than once, by "ann, then bob"
}

// tally compares the ledger with how many records each partition holds.
func (l *ledger) tally(counts []int64) tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := tally{byMember: make(map[string]int), repeats: make(map[string]int)}
	for p, n := range counts {
		t.records += n
		for offset := range n {
			switch names := l.handlers[place{int32(p), offset}]; len(names) {
			case 0:
				t.missed++
				continue
			case 1:
				t.once++
				t.byMember[names[0]]++
			default:
				t.again++
				t.byMember[names[0]]++
				t.repeats[strings.Join(names, ", then ")]++
			}
		}
	}
	return t
}
