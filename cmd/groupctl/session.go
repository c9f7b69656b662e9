package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
)

// question is what a command asks, and how its answer is shown. T is the type
// of the data.
type question[T any] struct {
	options []inspect.Option
	ask     func(context.Context, *inspect.Inspector) (inspect.Answer[T], error)
	// hasData is whether anything of what was asked for was found.
	hasData func(T) bool
	table   func(*table, T)
}

// answer runs a question: it connects, asks, prints and sets the exit code.
func answer[T any](command *cobra.Command, s *session, q question[T]) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(command.Context(), s.timeout)
	defer cancel()

	reply, err := q.ask(ctx, inspect.New(client, q.options...))
	if problem, ok := errors.AsType[inspect.Problem](err); ok && problem.Code == inspect.CodeInvalidName {
		return &usageError{problem.Message}
	}
	failed := err != nil
	s.exit = exitFailed
	if !failed {
		s.exit = exitCode(q.hasData(reply.Data), reply.Errors)
	}
	err = nil
	switch {
	case s.output == outputJSON:
		err = writeEnvelope(s.stdout, envelopeOf(schemaOf(command), reply, failed))
	case s.exit == exitFound, s.exit == exitPartial:
		err = writeTable(s.stdout, func(t *table) { q.table(t, reply.Data) })
	}
	s.note("warning", reply.Warnings)
	s.note("error", reply.Errors)
	if err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	return nil
}

// note tells people of problems, also where the JSON tells programs.
func (s *session) note(kind string, problems []inspect.Problem) {
	const most = 20
	for i, p := range problems {
		if i == most {
			fmt.Fprintf(s.stderr, "groupctl: and %d more; -o json shows all\n", len(problems)-most)
			return
		}
		fmt.Fprintf(s.stderr, "groupctl: %s: %s\n", kind, printable(p.Message))
	}
}

// connect checks the flags and makes a client. It does not dial yet.
func (s *session) connect() (*kgo.Client, error) {
	if s.output != outputTable && s.output != outputJSON {
		return nil, &usageError{fmt.Sprintf("the output %q is not known; give -o table or -o json", s.output)}
	}
	if s.timeout <= 0 {
		return nil, &usageError{fmt.Sprintf("the timeout %v is not positive; give something like --timeout 8s", s.timeout)}
	}
	bootstrap := s.bootstrap
	if bootstrap == "" {
		bootstrap = s.getenv(bootstrapVariable)
	}
	seeds := strings.Split(bootstrap, ",")
	for i := range seeds {
		seeds[i] = strings.TrimSpace(seeds[i])
	}
	seeds = slices.DeleteFunc(seeds, func(seed string) bool { return seed == "" })
	if len(seeds) == 0 {
		return nil, &usageError{"no broker to ask; give -b host:port or set " + bootstrapVariable}
	}
	// One broker that is gone or hangs may cost a third of the time, so that
	// there is some left to ask another.
	patience := max(s.timeout/3, 100*time.Millisecond)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(seeds...),
		kgo.ClientID("groupctl"),
		kgo.DialTimeout(patience),
		kgo.RequestTimeoutOverhead(patience),
		kgo.RetryTimeout(s.timeout),
		kgo.RequestRetries(4),
		kgo.DisableClientMetrics(),
	)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("the brokers %q cannot be used: %v", bootstrap, err)}
	}
	return client, nil
}

// wantsJSON finds -o json where the flags as a whole could not be parsed.
func wantsJSON(args []string) bool {
	wants := false
	for i, arg := range args {
		if arg == "--" {
			break
		}
		switch arg {
		case "-ojson", "-o=json", "--output=json":
			wants = true
		case "-o", "--output":
			wants = i+1 < len(args) && args[i+1] == outputJSON
		}
	}
	return wants
}
