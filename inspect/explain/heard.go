package explain

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// mostSaid bounds how many lines are kept, mostLine one of them, and mostOthers how many
// other groups are told apart.
const (
	mostSaid   = 1_000_000
	mostLine   = 1 << 20
	mostOthers = 100
)

// Heard is what a file has of what the members of one group said.
type Heard struct {
	// Said is what they said, in the order of the file.
	Said []Observation
	// Lines is how many lines were read, Skipped how many of them are no JSON object, have
	// no time or are longer than 1 MiB, and Early how many tell of the group before the
	// time from which on it was asked for.
	Lines, Skipped, Early int
	// Others is how many lines tell of each other group, of the first hundred that there
	// are, and MoreOthers how many of still others.
	Others     map[string]int
	MoreOthers int
}

// Without says in one sentence why there is nothing in it of a group; it is empty where
// there is something.
func (h Heard) Without(group string) string {
	const most = 5
	lines := many(h.Lines, "line")
	switch {
	case len(h.Said) > 0:
		return ""
	case h.Lines == 0:
		return "it is empty"
	case h.Early > 0:
		return fmt.Sprintf("%d of its %s %s about group %q, and none is recent enough; read further back (--since)", h.Early, lines, plural(h.Early, "is", "are"), group)
	case len(h.Others) == 0:
		return fmt.Sprintf("none of its %s is about membership of group %q; give what its members log, with slog's JSON handler", lines, group)
	}
	names := slices.SortedFunc(maps.Keys(h.Others), func(a, b string) int {
		return cmp.Or(cmp.Compare(h.Others[b], h.Others[a]), cmp.Compare(a, b))
	})
	var quoted []string
	for _, name := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	if more := len(names) - len(quoted); more > 0 || h.MoreOthers > 0 {
		quoted = append(quoted, plural(more, "1 other group", fmt.Sprintf("%d other groups", more)))
		if h.MoreOthers > 0 {
			quoted[len(quoted)-1] = fmt.Sprintf("%d or more other groups", more+1)
		}
	}
	of := 0
	for _, n := range h.Others {
		of += n
	}
	return fmt.Sprintf("none of its %s is about group %q; %d %s about %s", lines, group, of+h.MoreOthers, plural(of+h.MoreOthers, "is", "are"), listed(quoted))
}

// ReadSaid reads what members said, a JSON object a line. A line has the fields of
// [Said], with "time" in RFC 3339, the kind in "kind" or "event", and the error in "error"
// or "err". What the logger of package member writes with slog's JSON handler is such a
// line, with "group member" or "election" and the kind for its message. So a service's whole
// log may be given: lines of other groups, where a line names its "group", those of before
// since, and those that say nothing of membership are passed over, and counted. The fields
// have to be those of the line itself, and not of an object in it. Lines that are no JSON
// object, have no time or are longer than 1 MiB are skipped. A million lines are kept at
// most; there is an error where there are more, and where r fails, beside what was read
// until then.
func ReadSaid(r io.Reader, group string, since time.Time) (heard Heard, err error) {
	lines := bufio.NewReaderSize(r, mostLine)
	for {
		raw, err := readLine(lines)
		if err == io.EOF {
			return heard, nil
		}
		if err != nil {
			return heard, fmt.Errorf("cannot read members' events after %d of them: %w", len(heard.Said), err)
		}
		heard.Lines++
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
			heard.Skipped++
			continue
		}
		said := line.Said
		said.Error = cmp.Or(said.Error, line.Err)
		said.Kind = cmp.Or(said.Kind, line.Event)
		if said.Kind == "" {
			said.Kind = kindIn(line.Msg)
		}
		said.nameByID()
		if named := said.Member != "" || said.ClientID != "" || said.Instance != ""; !named && !namesError(said.Error) || !saidKinds[said.Kind] && !namesError(said.Error) {
			continue // of something else, or of nobody
		}
		switch {
		case line.Group != "" && line.Group != group:
			heard.other(line.Group)
		case line.Time.Before(since):
			heard.Early++
		case len(heard.Said) == mostSaid:
			return heard, fmt.Errorf("members tell of more than %d events; ask for those of a shorter time", mostSaid)
		default:
			heard.Said = append(heard.Said, Observation{At: line.Time, Source: SourceMember, Said: &said})
		}
	}
}

func (h *Heard) other(group string) {
	if _, known := h.Others[group]; !known && len(h.Others) == mostOthers {
		h.MoreOthers++
		return
	}
	if h.Others == nil {
		h.Others = map[string]int{}
	}
	h.Others[group]++
}

// kindIn is the kind that a message of the log of package member has.
func kindIn(message string) string {
	message = strings.ToLower(message)
	for _, who := range []string{"group member ", "election "} {
		if kind, found := strings.CutPrefix(message, who); found {
			return kind
		}
	}
	return message
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
