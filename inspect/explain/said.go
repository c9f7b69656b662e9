package explain

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// mostSaid bounds how many lines are read, and mostLine one of them.
const (
	mostSaid = 1_000_000
	mostLine = 1 << 20
)

// ReadSaid reads what members said, a JSON object a line. A line has the fields of
// [Said], with "time" in RFC 3339; lines of slog's JSON handler are read too, with the
// kind in "kind", "event" or the message, and the error in "error" or "err". Lines of
// other groups, where a line names its "group", are passed over, as are lines that are
// no JSON object or have no time: skipped counts these.
func ReadSaid(r io.Reader, group string) (all []Observation, skipped int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, mostLine)
	for lines.Scan() {
		var line struct {
			Said
			Time  time.Time `json:"time"`
			Group string    `json:"group"`
			Event string    `json:"event"`
			Msg   string    `json:"msg"`
			Err   string    `json:"err"`
		}
		if len(all) == mostSaid {
			return all, skipped, fmt.Errorf("there are more than %d lines of members' events; give those of the time in question", mostSaid)
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Time.IsZero() {
			skipped++
			continue
		}
		if line.Group != "" && line.Group != group {
			continue
		}
		said := line.Said
		for _, kind := range []string{line.Event, line.Msg} {
			if said.Kind == "" {
				said.Kind = strings.ToLower(kind)
			}
		}
		if said.Error == "" {
			said.Error = line.Err
		}
		all = append(all, Observation{At: line.Time, Source: SourceMember, Said: &said})
	}
	if err := lines.Err(); err != nil {
		return all, skipped, fmt.Errorf("cannot read members' events after %d lines: %w", len(all)+skipped, err)
	}
	return all, skipped, nil
}
