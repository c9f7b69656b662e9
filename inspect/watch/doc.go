// Package watch turns looks at a cluster into events: what changed between one
// look and the next, and why, as far as the looks tell.
//
// It does no I/O and reads no clock. [Differ] is fed with looks, each of a part of
// the cluster (partitions, controller, groups, offsets), and returns the events that
// each look adds. Package inspect does the looking; whoever has the same answers
// from elsewhere can feed them here.
//
// # What a look can and cannot tell
//
// A look shows a state, not how it came about. So an event carries two times: After,
// when the state before was last seen, and At, when the new one was. Between two
// looks things may happen twice; where a counter (a leader's epoch, a group's
// generation) says so, Unseen counts what passed without being seen, and the change
// is not shown as a single one.
//
// A cause is named only where the looks leave no other, and Evidence says what was
// seen. Else it is [CauseUnknown], and Evidence says what is missing.
//
// What is told once is not told again: a look that is older than what is known, such
// as metadata of a broker that lags behind, changes nothing.
package watch
