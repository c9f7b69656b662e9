package member

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// checkGroupID refuses ids that no coordinator can answer for. Requests carry them as UTF-8,
// and the group's records, like older versions of the requests, with a length of 16 bits
// (GroupMetadataKey, kafka.apache.org/protocol: STRING). What brokers make of other ids
// says nothing of the id: they close the connection, or name no coordinator.
func checkGroupID(id string) error {
	switch {
	case len(id) > math.MaxInt16:
		return fmt.Errorf("it takes %d bytes, and Kafka's protocol has room for %d; choose a shorter one", len(id), math.MaxInt16)
	case !utf8.ValidString(id):
		return errors.New("it is not UTF-8, which Kafka's protocol asks for; choose another one")
	}
	return nil
}
