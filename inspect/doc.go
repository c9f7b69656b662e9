// Package inspect answers who decides in a Kafka cluster: which broker
// coordinates a group, which node is the controller, which brokers lead which
// partitions, and which member leads a group.
//
// It only reads. Nothing here creates a topic, moves a leader or touches a
// group, with one exception that has to be asked for: [CreateInternalTopics].
//
//	in := inspect.New(client)
//	answer, err := in.Coordinators(ctx, "orders", "billing")
//
// # What an answer promises
//
// Every method returns an [Answer] and an error. The error is set only when
// nothing at all could be found out: no broker answered, the context ended
// before the first answer, or an argument cannot name anything. It is then a
// [Problem], and the Answer holds that same Problem first in its Errors.
//
// Otherwise the error is nil and the Answer holds what is known, next to what
// is missing and why: Errors for what was asked for and is not there, Warnings
// for what a reader should know before trusting the rest. A field that is not
// known is nil, and null in JSON, never -1 and never a guess. A slice that is
// empty is known to be empty; a slice that is nil is not known.
//
// Rows come in the order of the arguments, each name once, or sorted by name
// when there were no arguments.
//
// # Time
//
// No method outlives its context by more than a moment. (A request that the client
// itself does not give up by then, such as a greeting that a broker does not
// answer, is left to the client's own timeouts and its result is dropped.) Where
// one answer needs several requests, each step takes at most a share of the time
// that is left, so that one broker that hangs costs a part of the answer and not
// the whole. Give contexts a deadline: without one, each step is bounded on its
// own, at half a minute with all of its attempts.
//
// # Freshness
//
// Leaders are read with requests of their own, past the client's metadata
// cache, so a leader that changed a moment ago does not look stale. Two brokers
// may still disagree while an election spreads.
//
// # What is trusted
//
// Nothing that a broker or another member sent: names, member metadata and log
// records are bounded, decoded one at a time, and never make a method panic or
// lose its other rows. The client (its TLS, its credentials, its limits on the
// size of a response) belongs to the caller.
//
// An Inspector holds no state between calls and may be used by many goroutines
// at once.
package inspect
