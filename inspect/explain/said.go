package explain

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// Said is what a member, or a client that is none yet, said of itself. Its JSON is a
// line of [ReadSaid].
type Said struct {
	// Member is the member's ID, empty if it has none yet.
	Member string `json:"member,omitempty"`
	// Instance, ClientID and Host are what else names it.
	Instance string `json:"instance,omitempty"`
	ClientID string `json:"clientId,omitempty"`
	Host     string `json:"host,omitempty"`
	// Kind is what happened, as the kinds of events of package member: of these "joining",
	// "syncing", "elected", "planned", "assigned", "isolated", "fenced", "lost",
	// "leaderless", "led" and "closed" are understood, and "left".
	Kind string `json:"kind"`
	// Subject is the member that it is about, where that is another.
	Subject string `json:"subject,omitempty"`
	// Generation is the one that it is about, 0 if not known.
	Generation int32 `json:"generation,omitempty"`
	// Error is the error's text, empty for none. Kafka's names of errors in it, such as
	// UNKNOWN_MEMBER_ID, are understood.
	Error string `json:"error,omitempty"`
	// Protocol is the assignor's name, and Topics what the member subscribes to.
	Protocol string   `json:"protocol,omitempty"`
	Topics   []string `json:"topics,omitempty"`
	// SessionTimeout and RebalanceTimeout are what it joins with, 0 if not told.
	SessionTimeout   watch.Millis `json:"sessionTimeoutMs,omitempty"`
	RebalanceTimeout watch.Millis `json:"rebalanceTimeoutMs,omitempty"`
	// Causes are why a round happened, as its leader knows.
	Causes []SaidCause `json:"causes,omitempty"`
}

// SaidCause is one reason for a round, as member.Cause has it.
type SaidCause struct {
	Kind   string `json:"kind"`
	Member string `json:"member,omitempty"`
	Topic  string `json:"topic,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// String returns it in a few words.
func (c SaidCause) String() string {
	words := c.Kind
	if subject := cmp.Or(c.Member, c.Topic); subject != "" {
		words += fmt.Sprintf(" %q", subject)
	}
	if c.Detail != "" {
		words += ": " + c.Detail
	}
	return words
}

// mostSaid bounds how many lines are read, and mostLine one of them.
const (
	mostSaid = 1_000_000
	mostLine = 1 << 20
)

// ReadSaid reads what members said, a JSON object a line. A line has the fields of
// [Said], with "time" in RFC 3339, the kind in "kind" or "event", and the error in "error"
// or "err". What the logger of package member writes with slog's JSON handler is such a
// line, with "group member" and the kind for its message. So a service's whole log may be
// given: lines of other groups, where a line names its "group", those of before since, and
// those that say nothing of membership are passed over. The fields have to be those of the
// line itself, and not of an object in it. Lines that are no JSON object, have no time or
// are longer than 1 MiB are skipped, and counted. A million lines are kept at most; there is
// an error where there are more, and where r fails, beside what was read until then.
func ReadSaid(r io.Reader, group string, since time.Time) (all []Observation, skipped int, err error) {
	lines := bufio.NewReaderSize(r, mostLine)
	for {
		raw, err := readLine(lines)
		if err == io.EOF {
			return all, skipped, nil
		}
		if err != nil {
			return all, skipped, fmt.Errorf("cannot read members' events after %d of them: %w", len(all), err)
		}
		var line struct {
			Said
			Time  time.Time `json:"time"`
			Group string    `json:"group"`
			Event string    `json:"event"`
			Msg   string    `json:"msg"`
			Err   string    `json:"err"`
		}
		// Fields of other types are somebody else's.
		if err := json.Unmarshal(raw, &line); err != nil && !isOfAnotherType(err) || line.Time.IsZero() {
			skipped++
			continue
		}
		if line.Time.Before(since) || line.Group != "" && line.Group != group {
			continue
		}
		said := line.Said
		said.Error = cmp.Or(said.Error, line.Err)
		said.Kind = cmp.Or(said.Kind, line.Event)
		if said.Kind == "" {
			said.Kind = strings.TrimPrefix(strings.ToLower(line.Msg), "group member ")
		}
		said.nameByID()
		if named := said.Member != "" || said.ClientID != "" || said.Instance != ""; !named && !namesError(said.Error) || !saidKinds[said.Kind] && !namesError(said.Error) {
			continue // of something else, or of nobody
		}
		if len(all) == mostSaid {
			return all, skipped, fmt.Errorf("members tell of more than %d events; ask for those of a shorter time", mostSaid)
		}
		all = append(all, Observation{At: line.Time, Source: SourceMember, Said: &said})
	}
}

// readLine returns the next line, valid until the one after it, and nothing for one that is
// too long.
func readLine(lines *bufio.Reader) ([]byte, error) {
	line, goesOn, err := lines.ReadLine()
	if !goesOn {
		return line, err
	}
	for goesOn && err == nil {
		_, goesOn, err = lines.ReadLine()
	}
	return nil, err
}

func isOfAnotherType(err error) bool {
	_, is := errors.AsType[*json.UnmarshalTypeError](err)
	return is
}

// saidKinds are what a message may be that says something of membership.
var saidKinds = map[string]bool{
	"joining": true, "syncing": true, "elected": true, "planned": true, "assigned": true, "isolated": true,
	"fenced": true, "lost": true, "leaderless": true, "led": true, "closed": true, "left": true,
}

// namesError says whether a text names one of Kafka's errors that tell of membership.
func namesError(text string) bool {
	for _, name := range []string{"INCONSISTENT_GROUP_PROTOCOL", "UNKNOWN_MEMBER_ID", "FENCED_INSTANCE_ID", "custom assignor"} {
		if strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// nameByID takes from the member's ID what it is called, where that is not told.
func (s *Said) nameByID() {
	if s.ClientID == "" && s.Instance == "" {
		s.ClientID = nameIn(s.Member)
	}
}

// nameIn is what the coordinator makes a classic member's ID of, beside a UUID: its
// instance, or else its client's ID (GroupMetadataManager.generateMemberId). It is empty
// where the ID is not such a one.
func nameIn(id string) string {
	const uuid = len("-00000000-0000-0000-0000-000000000000")
	if len(id) <= uuid {
		return ""
	}
	name, rest := id[:len(id)-uuid], id[len(id)-uuid:]
	for i, c := range rest {
		dash := i == 0 || i == 9 || i == 14 || i == 19 || i == 24
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return ""
		}
	}
	return name
}
