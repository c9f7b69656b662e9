// Package explain answers why a group keeps rebalancing: from observations of it over
// some time, whoever made them, it draws verdicts with their evidence.
//
// It does no I/O. An [Observation] is something that was seen of the group: a record of
// its log in __consumer_offsets, an answer of its coordinator, a commit, the size of a
// topic, or what a member said of itself. Package inspect makes them; members' events
// can be read from a file of JSON Lines with [ReadSaid].
//
// # How it judges
//
// The observations are put in order as rounds: rebalances that completed, each with who
// was there before and after. Each round is attributed to what differs between the two;
// each member that is gone is looked at for how it went. Verdicts gather the rounds of
// one cause, and say how many of all they explain; each round counts once, and
// [Diagnosis.Accounts] add up to all of them. Who makes a round long is told apart from
// why it began. They come most likely first: by how sure they are, then by how many rounds
// they explain. What became of a member that went is judged by what followed.
//
// What could be due to several causes is not given to one by guess: a verdict is
// [Certain] where the observations leave no other, [Likely] where another would take a
// coincidence, and else [Possible]. A rebalance that nothing explains is counted in
// [Unexplained]. A group in which members only joined or left once, as when it is
// scaled, and one that did not rebalance at all are [Fine].
package explain
