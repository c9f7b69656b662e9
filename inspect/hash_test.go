package inspect

import (
	"strings"
	"testing"
	"unicode/utf16"
)

func TestHashIsJavas(t *testing.T) {
	// The numbers are those of java.lang.String.hashCode.
	for _, test := range []struct {
		name      string
		hash      int32
		partition int32 // of 50
	}{
		{"", 0, 0},
		{" ", 32, 32},
		{"a", 97, 47},
		{"hello", 99162322, 22},
		{"orders", -1008770331, 31},
		{"Aa", 2112, 12},
		{"BB", 2112, 12},
		{"polygenelubricants", -2147483648, 0},
		{"GydZG_", -2147483648, 0},
		{"DESIGNING WORKHOUSES", -2147483648, 0},
		{"日本", 835047, 47},
		{"消费者组", 871131088, 38},
		{"😀", 1772899, 49},
		{"🦜 parrots 🦜", -1664428349, 49},
		{"𝔾𝕣𝕠𝕦𝕡", -1021025889, 39},
		{"Ω≈ç√", 36363794, 44},
		{"e\u0301", 3900, 0},
		{"\x00", 0, 0},
		{"\uffff", 65535, 35},
		{"tab\there", -986752764, 14},
		{strings.Repeat("z", 249), -1151263366, 16},
	} {
		if got := Hash(test.name); got != test.hash {
			t.Errorf("Hash(%q) = %d, want %d", test.name, got, test.hash)
		}
		if got := OffsetsPartition(test.name, 50); got != test.partition {
			t.Errorf("OffsetsPartition(%q, 50) = %d, want %d", test.name, got, test.partition)
		}
	}
}

// slowHash is the definition, written out: units, powers and a sum.
func slowHash(s string) int32 {
	units := utf16.Encode([]rune(s))
	var sum int32
	for i, unit := range units {
		power := int32(1)
		for range len(units) - 1 - i {
			power *= 31
		}
		sum += int32(unit) * power
	}
	return sum
}

func FuzzHash(f *testing.F) {
	f.Add("orders", int32(50))
	f.Add("🦜 and 日本", int32(1))
	f.Add(strings.Repeat("z", 249), int32(7))
	f.Add("polygenelubricants", int32(50))
	f.Fuzz(func(t *testing.T, name string, partitions int32) {
		if got, want := Hash(name), slowHash(name); got != want {
			t.Errorf("Hash(%q) = %d, want %d", name, got, want)
		}
		if partitions <= 0 {
			return
		}
		if p := OffsetsPartition(name, partitions); p < 0 || p >= partitions {
			t.Errorf("OffsetsPartition(%q, %d) = %d", name, partitions, p)
		}
	})
}

func TestOffsetsPartitionNeedsPartitions(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for a topic without partitions")
		}
	}()
	OffsetsPartition("orders", 0)
}
