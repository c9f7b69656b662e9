package offline

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	member := func(s string) string { return `{"id":"x","topics":[],"members":[{"id":"m","topics":[]` + s + `}]}` }
	topic := func(s string) string { return `{"id":"x","topics":[{"name":"t","partitions":1` + s + `}]}` }
	options := func(s string) string { return `{"id":"x","topics":[],"options":{` + s + `}}` }
	for _, test := range []struct{ line, says string }{
		{``, "not one JSON object"},
		{`[]`, "the line is a list; give an object"},
		{`"x"`, `the line is "x"; give an object`},
		{`null`, "the line is null; give an object"},
		{`{"id":"x","topics":[]`, "at byte 21"},
		{`{"id":"x","topics":[]}]`, "at byte 23"},
		{`{"id":"x","topics":[],}`, "not one JSON object"},
		{"{\"id\":\"\xff\",\"topics\":[]}", "not valid UTF-8"},
		{"{\"id\":\"\n\",\"topics\":[]}", "not one JSON object"},
		{`{}`, `the line has no "id"; give one`},
		{`{"id":null,"topics":[]}`, `has no "id"`},
		{`{"id":"x"}`, `has no "topics"`},
		{`{"Id":"x","topics":[]}`, `the field "Id", which is not known; the fields are id, topics`},
		{`{"id":"x","id":"x","topics":[]}`, `the field "id" twice`},
		{`{"id":"x","topics":[],"a\u001b\u202e":1}`, `the field "a\x1b\u202e", which`},
		{`{"id":1,"topics":[]}`, "id is 1; give a string"},
		{`{"id":"x","topics":{}}`, "topics is an object; give a list"},
		{`{"id":"x","topics":[null]}`, "topics[0] is null; give an object"},
		{`{"id":"x","topics":[{}]}`, `topics[0] has no "name"`},
		{`{"id":"x","topics":[{"name":"t"}]}`, `topics[0] has no "partitions"`},
		{`{"id":"x","topics":[{"name":"t","partitions":1.0}]}`, "topics[0].partitions is 1.0; give a whole number"},
		{`{"id":"x","topics":[{"name":"t","partitions":2147483648}]}`, "int32"},
		{`{"id":"x","topics":[{"name":"t","partitions":-1}]}`, "has -1 partitions"},
		{`{"id":"x","topics":[{"name":"t","partitions":2147483647}]}`, "may have 10000000"},
		{`{"id":"x","topics":[{"name":"","partitions":1}]}`, "has no name"},
		{topic(`,"weights":[1,null]`), "topics[0].weights[1] is null; give a number"},
		{topic(`,"weights":[-1]`), "has weight -1"},
		{topic(`,"weights":[1e999]`), "topics[0].weights[0] is 1e999; give a number that a float64 can hold"},
		{topic(`,"racks":["a"]`), `topics[0].racks[0] is "a"; give a list`},
		{topic(`,"racks":[["a",true]]`), "topics[0].racks[0][1] is true; give a string"},
		{topic(`,"class":["` + strings.Repeat("é", 50) + `"]`), "topics[0].class is a list; give a string"},
		{member(`,"rack":` + strings.Repeat("1", 99)), "members[0].rack is " + strings.Repeat("1", 40) + "…; give a string"},
		{member(`,"capacity":"` + strings.Repeat("é", 50) + `"`), "é\"…; give a number"},
		{member(`,"capacity":-2`), "capacity -2"},
		{member(`,"maxPartitions":-2`), "maxPartitions -2"},
		{member(`,"maxPartitions":2.5`), "members[0].maxPartitions is 2.5"},
		{member(`,"maxWeight":-2`), "maxWeight -2"},
		{member(`,"draining":"no"`), `members[0].draining is "no"; give true or false`},
		{member(`,"labels":[]`), "members[0].labels is a list; give an object"},
		{member(`,"labels":{"a":1}`), `members[0].labels."a" is 1; give a string`},
		{member(`,"labels":{"a":"1","a":"1"}`), `members[0].labels has the label "a" twice`},
		{member(`,"owned":[{"topic":"t"}]`), `members[0].owned[0] has no "partitions"`},
		{member(`,"owned":[{"topic":"t","partitions":[0,"1"]}]`), `members[0].owned[0].partitions[1] is "1"; give a whole number`},
		{member(`,"generation":true`), "members[0].generation is true"},
		{`{"id":"x","topics":[],"members":[{"id":"m"}]}`, `members[0] has no "topics"`},
		{`{"id":"x","topics":[],"members":[{"id":"m","topics":[]},{"id":"m","topics":[]}]}`, `"m" is in the group twice`},
		{`{"id":"x","topics":[],"members":[{"id":"","topics":[]},{"id":"","topics":[]}]}`, "has no id; give each member one (and 1 more)"},
		{`{"id":"x","topics":[],"assignors":[]}`, "assignors is empty"},
		{`{"id":"x","topics":[],"assignors":"range"}`, `assignors is "range"; give a list`},
		{`{"id":"x","topics":[],"assignors":["range","Range"]}`, `"Range" is not known; name one of balanced, cooperative-sticky, failover, keep, range,`},
		{options(`"speed":1`), `options has the field "speed"`},
		{options(`"perTopic":1`), "options.perTopic is 1; give true or false"},
		{options(`"tolerance":-1`), "the tolerance is -1"},
		{options(`"maxMoves":-1`), "maxMoves is -1"},
		{options(`"maxMoves":0`), "options.maxMoves is 0; give 1 or more"},
		{options(`"coPartition":["t"]`), `options.coPartition[0] is "t"; give a list`},
		{options(`"pins":[{"instance":"i"}]`), `options.pins[0] has no "topic"`},
		{options(`"pins":[{"topic":"t"}]`), "needs either an instance or a label"},
		{options(`"pins":[{"topic":"t","label":"gold"}]`), "write it as key=value"},
		{options(`"pins":[{"topic":"t","instance":"i","partitions":[]}]`), "options.pins[0].partitions is empty"},
	} {
		_, err := Parse([]byte(test.line))
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.ContainsAny(err.Error(), "\n\x1b\u202e") {
			t.Errorf("%s: %v; want %q in it", test.line, err, test.says)
		}
	}
}

func TestNullStandsForAFieldLeftOut(t *testing.T) {
	p, err := Parse([]byte(`{"id":"x","topics":[{"name":"t","partitions":1,"weights":null,"racks":null,"class":null}],
		"members":[{"id":"m","topics":["t"],"instance":null,"capacity":null,"labels":null,"owned":null}],
		"assignors":null,"options":{"tolerance":null,"maxMoves":null,"pins":null,"perTopic":null}}`))
	if err != nil || !reflect.DeepEqual(p.Options, DefaultOptions()) || p.Assignors != nil || p.Group.Topics[0].Weights != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestReadID(t *testing.T) {
	for line, want := range map[string]string{
		`{"topics":[{"id":"inner"}],"id":"x","frob":1}`: "x",
		`{"id":"x","topics":[}`:                         "x",
		`{"id":"x"} trailing`:                           "x",
		`{"topics":[1,],"id":"x"}`:                      "-",
		`{"id":1}`:                                      "-",
		`["id","x"]`:                                    "-",
		"{\"id\":\"\xff\"}":                             "-",
		``:                                              "-",
	} {
		got := "-"
		if id := readID([]byte(line)); id != nil {
			got = *id
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// FuzzParse holds the reader to encoding/json: what Parse takes, encoding/json takes too,
// with the same values, and writing it and reading that gives the same problem.
func FuzzParse(f *testing.F) {
	problems, err := os.ReadFile(filepath.Join("testdata", "problems.jsonl"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(problems) {
		f.Add(line)
	}
	f.Add([]byte(`{"id":"\ud800\\\"","topics":[{"name":"a\/b","partitions":0,"weights":[-0,1E+2,1e-400]}],"members":[{"id":" ","topics":[],"labels":{"":"\u0000"}}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := Parse(line)
		if err != nil {
			if text := err.Error(); text == "" || strings.ContainsAny(text, "\n\r\x1b\x00") {
				t.Errorf("the error %q", text)
			}
			_ = readID(line)
			return
		}
		var peer struct {
			ID      string
			Topics  json.RawMessage
			Members json.RawMessage
		}
		if err := json.Unmarshal(line, &peer); err != nil || peer.ID != p.ID {
			t.Fatalf("encoding/json reads the id %q, not %q: %v", peer.ID, p.ID, err)
		}
		group := p.Group.Clone()
		group.Members, group.Topics = nil, nil
		if err := json.Unmarshal(peer.Topics, &group.Topics); err != nil || !sameJSON(t, group.Topics, p.Group.Topics) {
			t.Errorf("encoding/json reads topics %+v, not %+v: %v", group.Topics, p.Group.Topics, err)
		}
		if peer.Members != nil {
			if err := json.Unmarshal(peer.Members, &group.Members); err != nil || !sameJSON(t, group.Members, p.Group.Members) {
				t.Errorf("encoding/json reads members %+v, not %+v: %v", group.Members, p.Group.Members, err)
			}
		}
		written, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(written)
		if err != nil || !sameJSON(t, p, again) {
			t.Errorf("written as %s: %v", written, err)
		}
	})
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}
