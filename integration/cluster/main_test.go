package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"
)

// holdVariable makes the test binary one of the programs that TestAbruptEnds ends.
const holdVariable = "GROUPKIT_TEST_HOLD"

// TestMain is the entry of two programs: the tests, and those that tests end.
func TestMain(m *testing.M) {
	switch os.Getenv(holdVariable) {
	case "":
		Main(m)
	case "cluster":
		holdCluster()
	case "interruptible":
		holdInterruptible()
	}
	os.Exit(1)
}

// holdCluster starts a cluster and has it for as long as its standard input is
// open; then it panics.
func holdCluster() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		panic("standard input has ended")
	}()
	if err := ourReaper.start(); err != nil {
		panic(err)
	}
	fmt.Println(ourReaper.process.Pid)
	if _, err := New(context.Background(), WithNodes(1)); err != nil {
		panic(err)
	}
	time.Sleep(5 * time.Minute)
}

// holdInterruptible tells when it waits for a signal, and that it has seen it.
func holdInterruptible() {
	_ = interruptible(context.Background(), func(ctx context.Context) error {
		fmt.Println("begun")
		<-ctx.Done()
		fmt.Println("cleaned up")
		return nil
	})
	fmt.Println("not ended by the signal")
}
