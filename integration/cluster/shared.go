package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// shared is the cluster of this test binary.
var shared struct {
	mu       sync.Mutex
	expected bool // Main runs, so that somebody will close it
	cluster  *Cluster
	err      error
}

// Shared returns the cluster that all tests of the package share, and starts it
// when the first asks: three nodes of the default version. Tests must not take
// its nodes down, and choose names for topics and groups that no other test has.
//
// The package's TestMain must call [Main]. If the cluster does not start, each
// test that asks for it fails, with the same error and no new try.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.expected {
		t.Fatal("cluster.Shared needs a TestMain that calls cluster.Main, which removes the cluster at the end")
	}
	if shared.cluster == nil && shared.err == nil {
		// Not the test's context: the cluster outlives the test.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		shared.cluster, shared.err = startShared(ctx, t.Logf)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	c := shared.cluster
	t.Cleanup(func() { c.logFailure(t) })
	return c
}

func startShared(ctx context.Context, logf func(string, ...any)) (*Cluster, error) {
	if mode := os.Getenv(keepVariable); mode == "1" {
		return startKept(ctx, logf)
	}
	return start(ctx, "", logf, nil)
}

// Main runs the tests of a package, removes the shared cluster and exits. If a
// panic or a signal ends the tests, the cluster is removed after them.
//
//	func TestMain(m *testing.M) { cluster.Main(m) }
func Main(m *testing.M) {
	code, err := runMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func runMain(m *testing.M) (code int, err error) {
	shared.mu.Lock()
	shared.expected = true
	shared.mu.Unlock()
	if os.Getenv(keepVariable) == "remove" {
		if err := removeKept(context.Background()); err != nil && !errors.Is(err, ErrNoEngine) {
			return 1, err
		}
	}
	code = m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.cluster != nil {
		err = shared.cluster.Close()
	}
	return code, err
}
