// Package offline puts problems of package assign, and what assignors make of them, into
// JSON Lines: one problem a line in, one result a line out, so that plans can be made,
// compared and kept without a cluster. "groupctl plan --input" is [Solver.Run] on files.
//
// A problem:
//
//	{"id":"x",
//	 "topics":[{"name":"t","partitions":3,"weights":[1,2.5,0],"class":"c",
//	            "racks":[["a","b"],["b","c"],["c","a"]]}],
//	 "members":[{"id":"m1","instance":"i1","rack":"a","topics":["t"],
//	             "owned":[{"topic":"t","partitions":[0]}],"generation":4,
//	             "capacity":2,"maxPartitions":50,"maxWeight":1e6,"labels":{"tier":"gold"},"draining":false}],
//	 "assignors":["balanced","range"],
//	 "options":{"perTopic":true,"racks":true,"tolerance":0.05,"maxMoves":10,
//	            "coPartition":[["t","u"]],
//	            "pins":[{"topic":"t","partitions":[0],"instance":"i1"}]}}
//
// Required are "id", a topic's "name" and "partitions", a member's "id" and "topics". The
// rest means what the fields of [assign.Group] and [Options] mean. A field that is not
// known, is given twice or has the wrong type is an error, and so is anything behind the
// object; names are case-sensitive; null stands for a field left out and nothing else.
//
// A result, or what is wrong with the line:
//
//	{"id":"x","results":{"balanced":{"assignment":{…},"stats":{…},"unmet":[]}}}
//	{"id":"x","error":"members[0].capacity is \"2\"; give a number"}
//
// The package does no I/O but through the reader and writer that it is given, and takes
// nothing from the world but the time that a plan takes.
package offline
