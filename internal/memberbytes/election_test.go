package memberbytes

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestVerdictsAreReadStrictly(t *testing.T) {
	const ok = ""
	for name, c := range map[string]struct {
		data, wants string
		why         string
	}{
		"a leader":                   {`{"number":7,"leader":"a","payload":"eA=="}`, "a", ok},
		"nobody":                     {`{"number":7}`, "", ok},
		"of a later version":         {` {"number":7,"leader":"a","mood":"fine"}`, "a", ok},
		"nothing":                    {``, "", "told this member nothing"},
		"null":                       {`null`, "", "no JSON object"},
		"a list":                     {`[]`, "", "no JSON object"},
		"a consumer's assignment":    {"\x00\x00\x00\x00\x00\x00", "", "no JSON object"},
		"cut off":                    {`{"number":7,"leader":"a"`, "", "cannot be read"},
		"more than one":              {`{"number":7}{"number":8}`, "", "cannot be read"},
		"a number that is none":      {`{"number":"7"}`, "", "cannot be read"},
		"a number that is too large": {`{"number":9223372036854775808}`, "", "cannot be read"},
		"a negative number":          {`{"number":-1}`, "", "makes no sense"},
		"a leader without a number":  {`{"leader":"a"}`, "", "makes no sense"},
		"an id that is too long":     {`{"number":7,"leader":"` + strings.Repeat("a", MaxElectionMemberID+1) + `"}`, "", "may take 1024"},
		"a payload that is too long": {`{"number":7,"payload":"` + strings.Repeat("AAAA", MaxElectionPayload/3+1) + `"}`, "", "may take 1024"},
		"too much":                   {`{"number":7,"mood":"` + strings.Repeat("a", maxElection) + `"}`, "", "larger than"},
	} {
		v, err := ParseVerdict([]byte(c.data))
		switch {
		case c.why == ok && (err != nil || v.Leader != c.wants):
			t.Errorf("%s: %+v, %v", name, v, err)
		case c.why != ok && (err == nil || !strings.Contains(err.Error(), c.why) || !reflect.DeepEqual(v, Verdict{})):
			t.Errorf("%s: %+v, %v, and not because it %s", name, v, err, c.why)
		}
	}
	if _, err := ParseVerdict(nil); !errors.Is(err, ErrUntold) {
		t.Error(err)
	}
	for _, data := range []string{"", "null", `{"last":{"number":-1}}`, `{"last":{"leader":"a"}}`, `{"priority":2147483648}`} {
		if c, err := ParseCandidacy([]byte(data)); err == nil {
			t.Errorf("%q is read as %+v", data, c)
		}
	}
}

// What is read is within its bounds, and reads the same when it is written again.
func FuzzElection(f *testing.F) {
	f.Add(Candidacy{Candidate: true, Priority: -3, Payload: []byte("x"), Last: Ballot{Number: 5, Leader: "a", Clean: true}, Holds: true}.Encode())
	f.Add(Verdict{Ballot: Ballot{Number: 5, Leader: "b"}, Yields: true, Priority: 2, Payload: []byte("10.0.0.7:8080")}.Encode())
	f.Add([]byte{1, 2, 3})
	f.Add([]byte(`{"number":9223372036854775807,"leader":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := ParseVerdict(data); err == nil {
			if v.Number < 0 || len(v.Leader) > MaxElectionMemberID || len(v.Payload) > MaxElectionPayload {
				t.Errorf("out of bounds: %+v", v)
			}
			if back, err := ParseVerdict(v.Encode()); err != nil || back.Ballot != v.Ballot || string(back.Payload) != string(v.Payload) {
				t.Errorf("%+v reads as %+v, %v", v, back, err)
			}
		}
		if c, err := ParseCandidacy(data); err == nil {
			if c.Last.Number < 0 || len(c.Last.Leader) > MaxElectionMemberID || len(c.Payload) > MaxElectionPayload {
				t.Errorf("out of bounds: %+v", c)
			}
			if back, err := ParseCandidacy(c.Encode()); err != nil || back.Last != c.Last || back.Priority != c.Priority || string(back.Payload) != string(c.Payload) {
				t.Errorf("%+v reads as %+v, %v", c, back, err)
			}
		}
	})
}
