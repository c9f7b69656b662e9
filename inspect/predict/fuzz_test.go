package predict

import "testing"

// FuzzRun makes metadata of any bytes: whatever a broker tells, Run ends, and what it
// says of leaders holds together.
func FuzzRun(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3, 0, 1, 2, 3, 1, 1, 2, 255, 1, 0, 1, 0, 2, 2, 1, 4, 0})
	f.Add([]byte{})
	f.Add([]byte{0, 0, 255, 255, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func() int32 {
			if len(data) == 0 {
				return 0
			}
			b := int32(int8(data[0]))
			data = data[1:]
			return b
		}
		ids := func() []int32 {
			var all []int32
			for range next() & 7 {
				all = append(all, next())
			}
			return all
		}
		c := Cluster{ELR: next()&1 == 0}
		for _, id := range ids() {
			flags := next()
			c.Brokers = append(c.Brokers, Broker{ID: id, Fenced: flags&1 > 0, Down: flags&2 > 0, Stale: flags&4 > 0, Clean: flags&8 > 0, Rack: string(rune('a' + flags&3))})
		}
		for _, id := range ids() {
			c.Voters = append(c.Voters, Voter{ID: id, Down: next()&1 > 0})
		}
		for range next() & 7 {
			topic := []string{OffsetsTopic, "t"}[next()&1]
			c.Partitions = append(c.Partitions, Partition{
				Topic: topic, Partition: next(), Replicas: ids(), Leader: next(), ISR: ids(), ELR: ids(),
				LastKnownELR: ids(), MinISR: int(next()), Unclean: next()&1 > 0, FailedReplicas: ids(),
			})
		}
		c.Groups = []Group{{Name: "g", Partition: next()}}
		var steps []Step
		for range next() & 7 {
			switch kind := stepKind(next() & 7); kind {
			case electPreferred, electUnclean:
				steps = append(steps, Step{kind: kind, all: next()&1 > 0, partitions: []TopicPartition{{"t", next()}}})
			case crash, stop, comeBack:
				steps = append(steps, Step{kind: kind, nodes: ids()})
			default:
				steps = append(steps, Both(CrashRacks("a"), Crash(ids()...)), ReturnRacks("a", "b"))
			}
		}
		o, err := Run(c, steps...)
		if err != nil {
			return
		}
		if len(o.After.Partitions) != len(c.Partitions) {
			t.Fatal("partitions were lost")
		}
		for _, change := range o.Partitions {
			same := change.From == change.To || change.From != nil && change.To != nil && *change.From == *change.To
			if same && len(change.Alternatives) == 0 {
				t.Errorf("no change is told as one: %+v", change)
			}
		}
	})
}
