package inspect

import (
	"encoding/binary"
	"iter"
)

// What the answer to a fetch holds, as it lies there (DefaultRecordBatch in
// Kafka): the first offset in 8 bytes, the length of all that follows in 4, and
// more, of which the magic number and the number of records are read here. Older
// formats begin alike.
const (
	batchHead    = 12
	batchMagic   = 16
	batchRecords = 57
)

// batchesOf cuts an answer into its batches, so that no more than one is
// decompressed at a time. What is left when no whole batch follows comes last;
// whoever decodes it sees that it is cut off.
func batchesOf(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(raw) > 0 {
			end := len(raw)
			if len(raw) > batchHead {
				length := int64(int32(binary.BigEndian.Uint32(raw[8:]))) + batchHead
				if length > batchHead && length < int64(len(raw)) {
					end = int(length)
				}
			}
			if !yield(raw[:end]) {
				return
			}
			raw = raw[end:]
		}
	}
}

// recordsIn returns how many records a batch says that it holds, and 0 if it does
// not say so: in formats before the present one, or where it is cut off.
func recordsIn(batch []byte) int32 {
	if len(batch) < batchRecords+4 || batch[batchMagic] < 2 {
		return 0
	}
	return int32(binary.BigEndian.Uint32(batch[batchRecords:]))
}
