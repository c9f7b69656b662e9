package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// javaAssignors are the classes of Kafka's own assignors, by the names of their protocols.
var javaAssignors = map[string]string{
	"range":              "org.apache.kafka.clients.consumer.RangeAssignor",
	"roundrobin":         "org.apache.kafka.clients.consumer.RoundRobinAssignor",
	"sticky":             "org.apache.kafka.clients.consumer.StickyAssignor",
	"cooperative-sticky": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
}

// renamedAssignors are the assignors of Kafka that tests run under a name of our own.
var renamedAssignors = map[string]string{
	"balanced": "cooperative-sticky",
	"ranged":   "range",
}

// assignorClass returns the class that plans for a protocol, and, where it is not Kafka's
// own, a shell command that puts it into a folder, where it begins with the prefix.
func assignorClass(protocol, folder, prefix string) (class, install string) {
	if class, ok := javaAssignors[protocol]; ok {
		return class, ""
	}
	class = strings.ReplaceAll(prefix+"_"+protocol, "-", "_")
	var escaped strings.Builder
	for _, b := range subclassWithName(class, javaAssignors[renamedAssignors[protocol]], protocol) {
		fmt.Fprintf(&escaped, "\\%03o", b)
	}
	return class, fmt.Sprintf("printf '%s' > %s/%s.class", &escaped, folder, class)
}

// subclassWithName returns the class file of
//
//	public class CLASS extends PARENT { public String name() { return "NAME"; } }
//
// for no Java compiler can be counted on. See chapter 4 of the Java Virtual Machine
// Specification.
func subclassWithName(class, parent, name string) []byte {
	var b bytes.Buffer
	var put func(values ...any)
	put = func(values ...any) {
		for _, v := range values {
			if s, ok := v.(string); ok { // CONSTANT_Utf8
				put(uint8(1), uint16(len(s)), []byte(s))
				continue
			}
			_ = binary.Write(&b, binary.BigEndian, v) // which fails for no fixed size alone
		}
	}
	put(uint32(0xCAFEBABE), uint16(0), uint16(52)) // of Java 8
	put(uint16(14),
		class, uint8(7), uint16(1), // 2: the class
		strings.ReplaceAll(parent, ".", "/"), uint8(7), uint16(3), // 4: its parent
		"<init>", "()V", uint8(12), uint16(5), uint16(6), // 7: the constructor's name and type
		uint8(10), uint16(4), uint16(7), // 8: the parent's constructor
		"Code", "name", "()Ljava/lang/String;", // 9 to 11
		name, uint8(8), uint16(12)) // 13: the name, as a constant
	const public, super = 0x0001, 0x0020
	put(uint16(public|super), uint16(2), uint16(4), uint16(0), uint16(0), uint16(2))
	method := func(called, typed uint16, code ...byte) {
		put(uint16(public), called, typed, uint16(1), uint16(9), uint32(12+len(code)), // one attribute, its code
			uint16(1), uint16(1), uint32(len(code)), code, uint16(0), uint16(0))
	}
	method(5, 6, 0x2a, 0xb7, 0, 8, 0xb1) // aload_0; invokespecial 8; return
	method(10, 11, 0x12, 13, 0xb0)       // ldc 13; areturn
	put(uint16(0))
	return b.Bytes()
}
