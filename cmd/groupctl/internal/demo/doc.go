// Package demo is `groupctl demo`: a consumer group at work, told as it happens.
//
// It is a play. The stage is a Kafka cluster, in this process or a real one. The
// cast are members of two groups, who call the library as any user would:
//
//	group billing   ann, bob, cid, later dan and eve   share the work (point-to-point)
//	group audit     zoe                                gets all again (publish/subscribe)
//
// Each step of the play says what it expects, waits until it was observed, and
// tells the evidence: events of the members, the coordinator's own description of
// the group, records that were handled. A step that is not seen in time tells what
// was missing, and the play ends there.
//
// What to read as an example of the library:
//
//	assignor.go   an assignor of one's own
//	hook.go       what the leader decides beyond it: weights, and a changed plan
//	actor.go      a member, with both
//	deciders.go   questions to package inspect
package demo
