package inspect

import "unicode/utf16"

// Hash returns the number from which Kafka derives a group's partition of
// __consumer_offsets: Java's String.hashCode, that is
// s[0]*31^(n-1) + … + s[n-1] over UTF-16 code units in 32-bit arithmetic that
// wraps. A character outside the basic plane, such as an emoji, counts as two
// units.
//
// It is defined for valid UTF-8, which is all that a group's name can be.
func Hash(group string) int32 {
	var hash int32
	for _, r := range group {
		if high, low := utf16.EncodeRune(r); high != '\uFFFD' {
			hash = 31*hash + high
			hash = 31*hash + low
		} else {
			hash = 31*hash + r
		}
	}
	return hash
}

// OffsetsPartition returns the partition of __consumer_offsets whose leader
// coordinates a group: abs(hash) % partitions, as Utils.abs and
// GroupMetadataManager.partitionFor do it. partitions is how many partitions
// that topic has, 50 by default.
//
// abs(MinInt32) is 0, as in Kafka: there is no positive twin of that number.
// Masking the sign bit instead, as is often advised, gives another partition
// for every negative hash.
//
// It panics if partitions is not positive.
func OffsetsPartition(group string, partitions int32) int32 {
	if partitions <= 0 {
		panic("inspect: the number of partitions must be positive")
	}
	hash := Hash(group)
	switch {
	case hash == -1<<31:
		hash = 0
	case hash < 0:
		hash = -hash
	}
	return hash % partitions
}
