// Package act asks the controller of a cluster for elections, and shows beforehand
// what they will do. Package inspect only reads; what changes a cluster is here.
//
//	actor := act.New(client)
//	preview, err := actor.Preview(ctx, act.Preferred())
//	…
//	result, err := actor.Elect(ctx, act.Preferred())
//
// A preferred election gives each partition back to its first replica, where that is
// in sync and up. Nothing is lost by it; clients of the partition ask for the new
// leader and go on.
//
// An unclean election gives a leader to a partition that has none, in sync or not.
// Every record that the new leader does not have is lost for good, and consumers may be
// ahead of the log. It takes an explicit word: [RecordsMayBeLost].
package act
