package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/groupkit/groupkit/assign/offline"
)

// planOffline solves the problems of a file. Its result is JSON Lines, whatever --output
// says.
func (s *session) planOffline(ctx context.Context, flags planFlags) error {
	if s.output != outputTable && s.output != outputJSON && s.output != outputJSONLines {
		return &usageError{fmt.Sprintf("the output %q is not known; with --input it is JSON Lines in any case", s.output)}
	}
	var in io.Reader = os.Stdin
	if flags.input != "-" {
		file, err := os.Open(flags.input)
		if err != nil {
			return &usageError{fmt.Sprintf("cannot read --input: %v; name a file that exists, or - for standard input", err)}
		}
		defer file.Close()
		in = file
	}
	type end struct {
		counts offline.Counts
		err    error
	}
	// Reading may block for ever, and an assignor does not look at ctx: whoever
	// interrupts the program does not wait for either.
	ended := make(chan end, 1)
	go func() {
		counts, err := offline.Solver{Settle: flags.settle}.Run(ctx, in, s.stdout)
		ended <- end{counts, err}
	}()
	s.exit = exitFailed
	select {
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case e := <-ended:
		if e.err != nil {
			return e.err
		}
		if e.counts.Failed > 0 {
			fmt.Fprintf(s.stderr, "groupctl: %d of %d problems have no plan; each of their lines has an \"error\"\n", e.counts.Failed, e.counts.Problems)
			return nil
		}
		s.exit = exitFound
		return nil
	}
}
