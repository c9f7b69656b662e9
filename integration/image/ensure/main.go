// Command ensure makes sure that the Kafka image of the tests is on the Docker engine,
// and prints its reference. Versions other than the default may be given as arguments.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/testcontainers/testcontainers-go"
	containerlog "github.com/testcontainers/testcontainers-go/log"

	"github.com/groupkit/groupkit/integration/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, versions []string) error {
	containerlog.SetDefault(containerlog.NewNoopLogger())
	engine, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return fmt.Errorf("no Docker engine answers; run this under integration/engine.sh: %w", err)
	}
	defer engine.Close()
	if len(versions) == 0 {
		versions = []string{image.DefaultVersion}
	}
	for _, version := range versions {
		ref, err := image.Ensure(ctx, engine, version, func(format string, args ...any) {
			fmt.Fprintf(os.Stderr, format+"\n", args...)
		})
		if err != nil {
			return err
		}
		fmt.Println(ref)
	}
	return nil
}
