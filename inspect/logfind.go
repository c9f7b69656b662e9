package inspect

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// foundRecord is the newest record of one group, or why it says nothing.
type foundRecord struct {
	record groupRecord
	err    error
}

// newest looks for the newest record of each group that tells its generation, from
// the end of the log backwards, so that the first one found is the newest. groups
// holds the kind of record that is looked for. It returns those found and why it
// stopped looking for the others: nil if there are no others.
func (l *logReader) newest(ctx context.Context, groups map[string]recordType) (map[string]foundRecord, error) {
	found := make(map[string]foundRecord, len(groups))
	start, end, err := l.bounds(ctx)
	if err != nil {
		return found, err
	}
	inWindow := map[string]foundRecord{}
	visit := func(r *kgo.Record) {
		if r.Attrs.IsControl() {
			return
		}
		key, err := parseRecordKey(r.Key)
		if err != nil || key.kind != LogGeneration && key.kind != LogEpoch {
			return
		}
		wanted, ok := groups[key.group]
		if !ok || key.recordType != wanted {
			return
		}
		decode := decodeEpochRecord
		if key.kind == LogGeneration {
			decode = decodeGroupRecord
		}
		record, err := decode(r.Value)
		if record.since < 0 && !record.tombstone {
			record.since = r.Timestamp.UnixMilli()
		}
		inWindow[strings.Clone(key.group)] = foundRecord{record, err}
	}
	_, err = l.backwards(ctx, end, start, visit, func() bool {
		for group, record := range inWindow {
			if _, newer := found[group]; !newer {
				found[group] = record
			}
		}
		clear(inWindow)
		return len(found) == len(groups)
	})
	switch {
	case len(found) == len(groups):
		return found, nil
	case err == nil:
		err = errLogStart
	}
	// What was found in a part of a window may not be the newest, and is dropped.
	return found, err
}
