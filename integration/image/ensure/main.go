// Command ensure makes sure that the Kafka image of the tests is on the Docker engine,
// and prints its reference. Versions other than the default may be given as arguments.
// With -offline it does not try to pull.
//
// It exits with 3 where the image has to be built and the machine lacks a tool for
// that, which the error names, and with 1 on any other failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/testcontainers/testcontainers-go"
	containerlog "github.com/testcontainers/testcontainers-go/log"

	"github.com/groupkit/groupkit/integration/image"
)

// exitMissingTool is known to test.sh.
const exitMissingTool = 3

func main() {
	offline := flag.Bool("offline", false, "do not try to pull")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, *offline, flag.Args())
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	var missing *image.MissingToolError
	if errors.As(err, &missing) {
		os.Exit(exitMissingTool)
	}
	os.Exit(1)
}

func run(ctx context.Context, offline bool, versions []string) error {
	containerlog.SetDefault(containerlog.NewNoopLogger())
	engine, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return fmt.Errorf("no Docker engine answers; run this under integration/engine.sh: %w", err)
	}
	defer engine.Close()
	ensure := image.Ensure
	if offline {
		ensure = image.EnsureOffline
	}
	if len(versions) == 0 {
		versions = []string{image.DefaultVersion}
	}
	for _, version := range versions {
		ref, err := ensure(ctx, engine, version, func(format string, args ...any) {
			fmt.Fprintf(os.Stderr, format+"\n", args...)
		})
		if err != nil {
			return err
		}
		fmt.Println(ref)
	}
	return nil
}
