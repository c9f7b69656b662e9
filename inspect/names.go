package inspect

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// uniqueNames returns names in their order, each once. It refuses what Kafka's
// protocol cannot carry as a name, before anything is sent.
func uniqueNames(kind string, names []string) ([]string, *Problem) {
	seen := make(map[string]bool, len(names))
	unique := make([]string, 0, len(names))
	for _, name := range names {
		if !utf8.ValidString(name) {
			return nil, &Problem{
				Code: CodeInvalidName, Target: fmt.Sprintf("%+q", name),
				Message: fmt.Sprintf("%+q is not valid UTF-8, so it cannot be the name of a %s", name, kind),
			}
		}
		if name == "" && kind == "topic" { // brokers refuse it with all others
			return nil, &Problem{Code: CodeInvalidName, Target: `""`, Message: "a topic's name is not empty, and one given is"}
		}
		// Strings have a signed 16-bit length in the protocol.
		if len(name) > math.MaxInt16 {
			return nil, &Problem{
				Code: CodeInvalidName, Target: name[:16],
				Message: fmt.Sprintf("the name of a %s is at most %d bytes long, and one given has %d", kind, math.MaxInt16, len(name)),
			}
		}
		if !seen[name] {
			seen[name] = true
			unique = append(unique, name)
		}
	}
	return unique, nil
}
