package assign

import "slices"

// network is a directed graph for minimum-cost maximum flows with small costs that
// are whole numbers. Arcs are added first; then run may be called, more capacity be
// given by widen, and run be called again.
//
// It is the primal-dual method: shortest paths by costs that node potentials keep
// from being negative, then a blocking flow over all paths of that length, until
// the sink cannot be reached. Unit costs keep the number of different lengths, and
// with it the number of rounds, small.
type network struct {
	nodes int
	to    []int32 // arc → node; arc 2i+1 is the reverse of arc 2i
	room  []int32 // arc → capacity that is left
	cost  []int32

	first     []int32 // node → place in order of its first arc
	order     []int32 // arcs by node
	potential []int32
	distance  []int32
	level     []int32
	next      []int32 // node → place in order of the arc to look at next
	buckets   [][]int32
	queue     []int32
}

func newNetwork(nodes, arcs int) *network {
	return &network{
		nodes: nodes,
		to:    make([]int32, 0, 2*arcs),
		room:  make([]int32, 0, 2*arcs),
		cost:  make([]int32, 0, 2*arcs),
	}
}

// add adds an arc of a cost of at least 0 and returns its number.
func (n *network) add(from, to, capacity, cost int32) int32 {
	arc := int32(len(n.to))
	n.to = append(n.to, to, from)
	n.room = append(n.room, capacity, 0)
	n.cost = append(n.cost, cost, -cost)
	return arc
}

// from returns the node that the arc leaves.
func (n *network) from(arc int32) int32 { return n.to[arc^1] }

// flow returns what flows through the arc.
func (n *network) flow(arc int32) int32 { return n.room[arc^1] }

// widen gives an arc more capacity. Its cost must be 0 and it must lead to the sink.
func (n *network) widen(arc, more int32) { n.room[arc] += more }

// prepare builds the lists of arcs by node.
func (n *network) prepare() {
	n.first = make([]int32, n.nodes+1)
	for arc := range n.to {
		n.first[n.from(int32(arc))+1]++
	}
	for i := range n.nodes {
		n.first[i+1] += n.first[i]
	}
	n.order = make([]int32, len(n.to))
	place := slices.Clone(n.first[:n.nodes])
	for arc := range n.to {
		from := n.from(int32(arc))
		n.order[place[from]] = int32(arc)
		place[from]++
	}
	n.potential = make([]int32, n.nodes)
	n.distance = make([]int32, n.nodes)
	n.level = make([]int32, n.nodes)
	n.next = make([]int32, n.nodes)
}

// unreached is a distance beyond all others.
const unreached = int32(1) << 30

// run sends as much as possible from source to sink, at the least cost, and returns
// how much that was.
func (n *network) run(source, sink int32) (sent int32) {
	if n.first == nil {
		n.prepare()
	} else {
		// Widened arcs end in the sink and may make it nearer than its
		// potential says; nothing ever leaves the sink.
		for arc, to := range n.to {
			if to == sink && n.room[arc] > 0 {
				n.potential[sink] = min(n.potential[sink], n.cost[arc]+n.potential[n.from(int32(arc))])
			}
		}
	}
	for n.shorten(source, sink) {
		for n.layer(source, sink) {
			for {
				pushed := n.push(source, sink, unreached)
				if pushed == 0 {
					break
				}
				sent += pushed
			}
		}
	}
	return sent
}

// shorten finds the distances from the source and moves the potentials so that
// exactly the arcs of shortest paths have a reduced cost of 0.
func (n *network) shorten(source, sink int32) bool {
	for i := range n.distance {
		n.distance[i] = unreached
	}
	n.distance[source] = 0
	n.buckets = append(n.buckets[:0], []int32{source})
	for d := 0; d < len(n.buckets); d++ {
		for i := 0; i < len(n.buckets[d]); i++ {
			node := n.buckets[d][i]
			if n.distance[node] != int32(d) || node == sink {
				continue
			}
			for _, arc := range n.order[n.first[node]:n.first[node+1]] {
				if n.room[arc] == 0 {
					continue
				}
				to := n.to[arc]
				reached := int32(d) + n.cost[arc] + n.potential[node] - n.potential[to]
				if reached < n.distance[to] {
					n.distance[to] = reached
					for int(reached) >= len(n.buckets) {
						n.buckets = append(n.buckets, nil)
					}
					n.buckets[reached] = append(n.buckets[reached], to)
				}
			}
		}
		if n.distance[sink] == int32(d) {
			break
		}
	}
	if n.distance[sink] == unreached {
		return false
	}
	for i := range n.potential {
		n.potential[i] += min(n.distance[i], n.distance[sink])
	}
	return true
}

// open tells whether the arc has room and lies on a shortest path.
func (n *network) open(arc int32) bool {
	return n.room[arc] > 0 && n.cost[arc]+n.potential[n.from(arc)] == n.potential[n.to[arc]]
}

// layer numbers the nodes by their steps from the source over open arcs, and tells
// whether the sink is reached.
func (n *network) layer(source, sink int32) bool {
	for i := range n.level {
		n.level[i] = -1
	}
	n.level[source] = 0
	n.queue = append(n.queue[:0], source)
	for i := 0; i < len(n.queue); i++ {
		node := n.queue[i]
		if node == sink {
			continue
		}
		for _, arc := range n.order[n.first[node]:n.first[node+1]] {
			if to := n.to[arc]; n.level[to] < 0 && n.open(arc) {
				n.level[to] = n.level[node] + 1
				n.queue = append(n.queue, to)
			}
		}
	}
	if n.level[sink] < 0 {
		return false
	}
	copy(n.next, n.first[:n.nodes])
	return true
}

// push sends up to limit along one path of open arcs, each a layer further, and
// returns how much it sent.
func (n *network) push(node, sink, limit int32) int32 {
	if node == sink {
		return limit
	}
	for ; n.next[node] < n.first[node+1]; n.next[node]++ {
		arc := n.order[n.next[node]]
		to := n.to[arc]
		if n.level[to] != n.level[node]+1 || !n.open(arc) {
			continue
		}
		if pushed := n.push(to, sink, min(limit, n.room[arc])); pushed > 0 {
			n.room[arc] -= pushed
			n.room[arc^1] += pushed
			return pushed
		}
	}
	return 0
}

// reachable returns the nodes that can be reached from the node over arcs with room.
func (n *network) reachable(node int32) []bool {
	return n.flood(node, func(arc int32) (room int32) { return n.room[arc] })
}

// reaching returns the nodes from which the node can be reached over arcs with room.
func (n *network) reaching(node int32) []bool {
	return n.flood(node, func(arc int32) (room int32) { return n.room[arc^1] })
}

func (n *network) flood(node int32, room func(arc int32) int32) []bool {
	seen := make([]bool, n.nodes)
	seen[node] = true
	n.queue = append(n.queue[:0], node)
	for i := 0; i < len(n.queue); i++ {
		at := n.queue[i]
		for _, arc := range n.order[n.first[at]:n.first[at+1]] {
			if to := n.to[arc]; !seen[to] && room(arc) > 0 {
				seen[to] = true
				n.queue = append(n.queue, to)
			}
		}
	}
	return seen
}
