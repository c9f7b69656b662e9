// Package together holds tests of members of other Go clients and ours in one group.
package together
