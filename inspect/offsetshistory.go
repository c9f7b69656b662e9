package inspect

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// historyCollector gathers the entries of one group while a partition is read
// backwards, window by window.
type historyCollector struct {
	group string
	// within is what was asked for, with its limit.
	within LogRange
	result OffsetsHistory
	read   bool // the bounds of the log are known
	// window are the entries of the window that is being read.
	window  []sizedEntry
	entries [][]sizedEntry // of whole windows, the newest first
	count   int
	bytes   int64 // of the records that entries were made of
	// whole is the offset from which on no entry was dropped for want of room.
	whole     int64
	ends      []transactionEnd
	unknown   map[int16]*UnknownRecords
	ids       map[[16]byte]bool
	producers map[int64]bool // who committed in transactions
}

// sizedEntry is an entry, and how large its record was.
type sizedEntry struct {
	LogEntry
	size int64
}

// transactionEnd is a control record. There may be as many as records are read, most of
// them of other groups.
type transactionEnd struct {
	offset, producer int64
	written          int64 // milliseconds
	epoch            int16
	committed        bool
}

func (e transactionEnd) entry() LogEntry {
	outcome := transactionAborted
	if e.committed {
		outcome = transactionCommitted
	}
	return LogEntry{
		Offset: e.offset, Timestamp: timeOrZero(e.written), Kind: LogTransactionEnd,
		Transaction: &Transaction{ProducerID: e.producer, ProducerEpoch: e.epoch, Outcome: outcome},
	}
}

func newHistoryCollector(group string, partition int32, within LogRange) *historyCollector {
	if within.Limit <= 0 {
		within.Limit = defaultLogEntries
	}
	return &historyCollector{
		group: group, within: within,
		result:    OffsetsHistory{Group: group, Partition: partition},
		unknown:   map[int16]*UnknownRecords{},
		ids:       map[[16]byte]bool{},
		producers: map[int64]bool{},
	}
}

// collect reads as much as was asked for.
func (h *historyCollector) collect(ctx context.Context, reader *logReader) error {
	start, end, err := reader.bounds(ctx)
	if err != nil {
		return err
	}
	h.read = true
	h.result.Start, h.result.End, h.result.From = start, end, end
	low := min(max(start, h.within.From), end)
	if !h.within.Since.IsZero() {
		since, err := reader.listOffset(ctx, max(h.within.Since.UnixMilli(), 0))
		switch {
		case errors.Is(err, errNoOffset):
			low = end
		case err != nil:
			return err
		default:
			low = min(max(low, since), end)
		}
	}
	h.result.From, err = reader.backwards(ctx, end, low, h.visit, h.windowDone)
	if h.whole > h.result.From {
		h.result.From = h.whole
		if err == nil && h.count < h.within.Limit {
			err = errRoom
		}
	}
	h.result.Complete = err == nil && h.result.From <= low
	return err
}

// windowDone keeps a window that was read to its end, and says whether that is
// enough.
func (h *historyCollector) windowDone() bool {
	h.entries = append(h.entries, h.window)
	h.count += len(h.window)
	h.window = nil
	return h.count >= h.within.Limit || h.whole > 0
}

// keep takes an entry into the window. A window is read forwards, and the newest entries
// are those wanted: where there are too many for the room, its oldest are dropped.
func (h *historyCollector) keep(entry LogEntry, size int64) {
	h.window = append(h.window, sizedEntry{entry, size})
	for h.bytes += size; h.bytes > historyBytes; h.window = h.window[1:] {
		oldest := &h.window[0]
		h.bytes -= oldest.size
		h.whole = oldest.Offset + 1
		*oldest = sizedEntry{} // the array lives on
	}
}

func (h *historyCollector) visit(r *kgo.Record) {
	h.result.Records++
	if r.Attrs.IsControl() {
		h.visitControl(r)
		return
	}
	key, err := parseRecordKey(r.Key)
	if err != nil {
		h.countUnknown(key.number, errors.Is(err, errBrokenKey), r.Offset)
		return
	}
	if key.group != h.group {
		h.result.Others++
		return
	}
	if r.Attrs.IsTransactional() {
		h.producers[r.ProducerID] = true
	}
	if !h.wants(key.kind) {
		h.result.Others++
		return
	}
	h.keep(h.entry(r, key), int64(len(r.Key)+len(r.Value)))
}

func (h *historyCollector) wants(kind LogKind) bool {
	return len(h.within.Kinds) == 0 || slices.Contains(h.within.Kinds, kind)
}

func (h *historyCollector) entry(r *kgo.Record, key recordKey) LogEntry {
	entry := LogEntry{
		Offset: r.Offset, Timestamp: timeOrZero(r.Timestamp.UnixMilli()), Kind: key.kind,
		Type: nonEmpty(key.groupType), Deleted: len(r.Value) == 0,
	}
	if key.rest == restMember {
		member := strings.Clone(key.name)
		entry.Member = &member
	}
	if key.kind == LogCommit {
		entry.Commit = &LoggedCommit{Topic: strings.Clone(key.topic), Partition: key.partition}
	}
	if r.Attrs.IsTransactional() {
		entry.Transaction = &Transaction{ProducerID: r.ProducerID, ProducerEpoch: r.ProducerEpoch, Outcome: transactionOpen}
	}
	if !entry.Deleted {
		if err := decodeRecord(&entry, key, r.Value, h.ids); err != nil {
			why := err.Error()
			entry.Unreadable = &why
		}
	}
	return entry
}

// visitControl notes that a transaction of some producer ended. Whether it is one of
// the group's is known when all is read.
func (h *historyCollector) visitControl(r *kgo.Record) {
	kind := uint16(math.MaxUint16)
	if len(r.Key) >= 4 {
		kind = binary.BigEndian.Uint16(r.Key[2:])
	}
	if kind > 1 { // neither an abort nor a commit
		h.countUnknown(-1, false, r.Offset)
		return
	}
	h.ends = append(h.ends, transactionEnd{
		offset: r.Offset, producer: r.ProducerID, epoch: r.ProducerEpoch,
		written: r.Timestamp.UnixMilli(), committed: kind == 1,
	})
}

func (h *historyCollector) countUnknown(number int16, broken bool, offset int64) {
	u := h.unknown[number]
	if u == nil {
		u = &UnknownRecords{Known: broken && number >= 0, Newest: offset}
		if number >= 0 {
			u.Type = &number
		}
		h.unknown[number] = u
	}
	u.Count++
	u.Newest = max(u.Newest, offset)
}

// history returns what was gathered, nil if the log was never reached.
func (h *historyCollector) history() *OffsetsHistory {
	if !h.read {
		return nil
	}
	entries := make([]LogEntry, 0, h.count)
	for _, window := range slices.Backward(h.entries) {
		for _, entry := range window {
			entries = append(entries, entry.LogEntry)
		}
	}
	for _, end := range h.ends {
		if !h.producers[end.producer] || end.offset < h.result.From {
			h.result.Others++
			continue
		}
		entries = append(entries, end.entry())
	}
	slices.SortFunc(entries, func(a, b LogEntry) int { return cmp.Compare(a.Offset, b.Offset) })
	settleTransactions(entries)
	tellJoinedAndLeft(entries)
	entries = slices.DeleteFunc(entries, func(e LogEntry) bool { return e.Kind == LogTransactionEnd && !h.wants(e.Kind) })
	if over := len(entries) - h.within.Limit; over > 0 {
		entries = slices.Clone(entries[over:])
		h.result.From, h.result.Complete = entries[0].Offset, false
	}
	h.result.Entries = entries
	h.result.Unknown = []UnknownRecords{}
	for _, number := range sortedKeys(h.unknown) {
		h.result.Unknown = append(h.result.Unknown, *h.unknown[number])
	}
	return &h.result
}

// settleTransactions says of commits in transactions what became of them. A producer
// has one transaction at a time, so that its next end is that of all its commits
// before it.
func settleTransactions(entries []LogEntry) {
	open := map[int64][]*Transaction{}
	for i := range entries {
		t := entries[i].Transaction
		switch {
		case t == nil:
		case entries[i].Kind == LogTransactionEnd:
			for _, commit := range open[t.ProducerID] {
				commit.Outcome = t.Outcome
			}
			delete(open, t.ProducerID)
		default:
			open[t.ProducerID] = append(open[t.ProducerID], t)
		}
	}
}

// tellJoinedAndLeft compares each generation of a classic group with the one before.
func tellJoinedAndLeft(entries []LogEntry) {
	var before []LoggedMember
	known := false
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Kind != LogGeneration:
			continue
		case e.Deleted:
			before, known = nil, true // whoever comes next has joined
		case e.Generation == nil:
			known = false
		default:
			if known {
				e.Generation.Joined = idsWithout(e.Generation.Members, before)
				e.Generation.Left = idsWithout(before, e.Generation.Members)
			}
			before, known = e.Generation.Members, true
		}
	}
}

// idsWithout returns the IDs in one list that are not in the other, sorted as the
// lists are.
func idsWithout(members, others []LoggedMember) []string {
	ids := []string{}
	for _, m := range members {
		if _, found := slices.BinarySearchFunc(others, m.ID, func(o LoggedMember, id string) int { return cmp.Compare(o.ID, id) }); !found {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
