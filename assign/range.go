package assign

// Range returns the assignor "range": each topic on its own is cut into runs of
// neighbouring partitions, one run for each subscriber, the first ones larger by one
// where the number does not divide. Partitions of the same number in topics with
// the same subscribers and size so meet on one member.
//
// Where racks make a difference, because a topic has partitions without a replica in
// some rack of its subscribers, members first get partitions with a replica in their
// own rack, as far as their even share goes, and runs are cut from the rest (KIP-881).
// Topics with the same subscribers and size are matched together, and still meet. A
// replica counts wherever it stands in Topic.Racks; a member without a rack matches
// every partition.
//
// It follows org.apache.kafka.clients.consumer.RangeAssignor of Kafka 4.3 plan for
// plan. It takes no notice of what members own, of weights, capacities or draining.
func Range() Assignor { return New("range", assignRange) }

func assignRange(g Group) (Plan, error) {
	if err := g.Check(); err != nil {
		return Plan{}, err
	}
	ix := newIndex(g)
	tb := ix.newTable()
	sets := coPartitioned(ix)
	// As in Java, one topic that needs racks has all that share their
	// subscribers and size with others matched.
	useRacks := false
	for _, set := range sets {
		for _, t := range set {
			useRacks = useRacks || needsRacks(ix, t)
		}
	}
	for _, set := range sets {
		// All topics of a set get the same: the first is planned, the others
		// copy it.
		r := newRanges(ix, set)
		switch {
		case !useRacks:
		case len(set) > 1:
			r.matchTogether()
		case needsRacks(ix, set[0]):
			r.match()
		}
		r.cut()
		for _, t := range set {
			copy(tb[t], r.placed)
		}
	}
	return ix.plan(tb), nil
}

// coPartitioned groups the topics that have the same subscribers and size.
func coPartitioned(ix *index) [][]int {
	type likeness struct {
		partitions  int32
		subscribers int
		first, last int32
	}
	var sets [][]int
	alike := make(map[likeness][]int) // numbers of sets
	for t, topic := range ix.topics {
		list := ix.subscribers[t]
		key := likeness{topic.Partitions, len(list), list[0], list[len(list)-1]}
		found := false
		for _, s := range alike[key] {
			if found = sameList(ix.subscribers[sets[s][0]], list); found {
				sets[s] = append(sets[s], t)
				break
			}
		}
		if !found {
			alike[key] = append(alike[key], len(sets))
			sets = append(sets, []int{t})
		}
	}
	return sets
}

// needsRacks tells whether the racks of a topic make a difference: subscribers and
// replicas have one in common, and not every partition has a replica in every rack
// that the topic has replicas in.
func needsRacks(ix *index, topic int) bool {
	partitions := ix.topics[topic].Racks
	if len(partitions) == 0 {
		return false
	}
	all := make(map[string]bool)
	for p := range ix.topics[topic].Partitions {
		for _, rack := range racksOf(ix.topics[topic], p) {
			if rack != "" {
				all[rack] = true
			}
		}
	}
	shared := false
	for _, m := range ix.subscribers[topic] {
		shared = shared || all[ix.members[m].Rack]
	}
	if !shared {
		return false
	}
	for p := range ix.topics[topic].Partitions {
		for rack := range all {
			if !hasRack(racksOf(ix.topics[topic], p), rack) {
				return true
			}
		}
	}
	return false
}

// racksOf returns the racks of a partition's replicas, nil where nothing is known.
func racksOf(t *Topic, partition int32) []string {
	if int(partition) < len(t.Racks) {
		return t.Racks[partition]
	}
	return nil
}

func hasRack(racks []string, rack string) bool {
	for _, r := range racks {
		if r == rack {
			return true
		}
	}
	return false
}

// ranges plans one set of co-partitioned topics.
type ranges struct {
	ix          *index
	topics      []int
	subscribers []int32
	placed      []int32 // partition → member
	counts      []int32 // subscriber, by place → partitions it has
	each        int32   // what every subscriber gets
	extra       int32   // how many may still get one more
}

func newRanges(ix *index, topics []int) *ranges {
	subscribers := ix.subscribers[topics[0]]
	size := ix.topics[topics[0]].Partitions
	r := &ranges{
		ix: ix, topics: topics, subscribers: subscribers,
		placed: make([]int32, size), counts: make([]int32, len(subscribers)),
		each: size / int32(len(subscribers)), extra: size % int32(len(subscribers)),
	}
	for p := range r.placed {
		r.placed[p] = unassigned
	}
	return r
}

// room is how many partitions more the subscriber may get. Once it is 0 it stays so.
func (r *ranges) room(subscriber int) int32 {
	limit := r.each
	if r.extra > 0 {
		limit++
	}
	return max(limit-r.counts[subscriber], 0)
}

func (r *ranges) give(partition int32, subscriber int) {
	r.placed[partition] = r.subscribers[subscriber]
	r.counts[subscriber]++
	if r.counts[subscriber] > r.each {
		r.extra--
	}
}

// rack returns the rack of a subscriber; it is empty for one that matches everything.
func (r *ranges) rack(subscriber int) string { return r.ix.members[r.subscribers[subscriber]].Rack }

// matchTogether gives each partition, in order, to the first subscriber with room that
// has a replica of it in its rack in every topic of the set.
func (r *ranges) matchTogether() {
	waiting := make(map[string][]int) // rack → subscribers that may still have room, in order
	for i := range r.subscribers {
		waiting[r.rack(i)] = append(waiting[r.rack(i)], i)
	}
	if len(waiting[""]) == len(r.subscribers) {
		return
	}
	for p := range int32(len(r.placed)) {
		best := -1
		offer := func(rack string) {
			list := waiting[rack]
			for len(list) > 0 && r.room(list[0]) == 0 {
				list = list[1:]
			}
			waiting[rack] = list
			if len(list) > 0 && (best < 0 || list[0] < best) {
				best = list[0]
			}
		}
		offer("")
		for _, rack := range racksOf(r.ix.topics[r.topics[0]], p) {
			everywhere := rack != ""
			for _, t := range r.topics[1:] {
				everywhere = everywhere && hasRack(racksOf(r.ix.topics[t], p), rack)
			}
			if everywhere {
				offer(rack)
			}
		}
		if best >= 0 {
			r.give(p, best)
		}
	}
}

// match gives each subscriber, in order, the first partitions that have a replica in
// its rack, as many as it has room for.
func (r *ranges) match() {
	topic := r.ix.topics[r.topics[0]]
	free := make(map[string][]int32) // rack → partitions with a replica there, from the first that may be free
	for p := range topic.Partitions {
		racks := racksOf(topic, p)
		for i, rack := range racks {
			if rack != "" && !hasRack(racks[:i], rack) {
				free[rack] = append(free[rack], p)
			}
		}
		free[""] = append(free[""], p)
	}
	for i := range r.subscribers {
		rack := r.rack(i)
		r.take(i, free[rack], func(rest []int32) { free[rack] = rest })
	}
}

// cut gives each subscriber, in order, the first partitions that are left, as many as
// it has room for.
func (r *ranges) cut() {
	free := make([]int32, len(r.placed))
	for p := range free {
		free[p] = int32(p)
	}
	for i := range r.subscribers {
		r.take(i, free, func(rest []int32) { free = rest })
	}
}

// take gives the subscriber partitions of the list that nobody has, as many as it has
// room for, and leaves the rest of the list.
func (r *ranges) take(subscriber int, list []int32, leave func(rest []int32)) {
	for room := r.room(subscriber); room > 0 && len(list) > 0; list = list[1:] {
		if p := list[0]; r.placed[p] == unassigned {
			r.give(p, subscriber)
			room--
		}
	}
	leave(list)
}
