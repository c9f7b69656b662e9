package cluster

import (
	"context"
	"testing"
)

// Start starts a cluster for one test and removes it when the test and its
// subtests are over, or the process ends. If the test has failed by then, what
// the ends of all nodes' logs have to say is printed.
//
// Where no Docker engine answers the test fails; it is never skipped.
func Start(t testing.TB, options ...Option) *Cluster {
	t.Helper()
	c, err := start(t.Context(), "", t.Logf, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.logFailure(t)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// logFailure prints the nodes' logs if the test has failed.
func (c *Cluster) logFailure(t testing.TB) {
	if t.Failed() {
		t.Logf("Kafka cluster %s:\n%s", c.name, c.logTails(context.Background()))
	}
}
