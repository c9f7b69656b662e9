package member

// Moves is the table of states, for tests.
var Moves = moves
