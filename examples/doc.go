// Package examples holds small programs, one in each folder, for what the leader of a
// group is good for. docs/leader-hook.md tells about each. They begin alike, and each is
// whole, to be copied and changed. They take -brokers, and `go run ./examples/NAME -help`
// tells the rest; the topic has to exist.
package examples
