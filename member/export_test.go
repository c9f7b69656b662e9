package member

// Moves is the table of states, for tests.
var Moves = moves

// AssignedInWords is how the log names partitions.
var AssignedInWords = assignedInWords
