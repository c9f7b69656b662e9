package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/cmd/groupctl/internal/clientfile"
	"github.com/groupkit/groupkit/inspect"
)

// What kgo allows for requests that are late.
const (
	leastPatience = 100 * time.Millisecond
	mostPatience  = 15 * time.Minute
)

// question is what a command asks, and how its answer is shown. T is the type
// of the data.
type question[T any] struct {
	options []inspect.Option
	ask     func(context.Context, *inspect.Inspector) (inspect.Answer[T], error)
	// askClient is for what an Inspector cannot do, in place of ask.
	askClient func(context.Context, *kgo.Client) (inspect.Answer[T], error)
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

	var reply inspect.Answer[T]
	if q.askClient != nil {
		reply, err = q.askClient(ctx, client)
	} else {
		reply, err = q.ask(ctx, inspect.New(client, q.options...))
	}
	return conclude(command, s, q, reply, err)
}

// conclude prints what was answered and sets the exit code.
func conclude[T any](command *cobra.Command, s *session, q question[T], reply inspect.Answer[T], err error) error {
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
		err = writeTable(s.stdout, s.output == outputWide, func(t *table) { q.table(t, reply.Data) })
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
			all := "; -o json shows all"
			if s.output == outputJSON {
				all = ", which the JSON has"
			}
			fmt.Fprintf(s.stderr, "groupctl: and %d more%s\n", len(problems)-most, all)
			return
		}
		fmt.Fprintf(s.stderr, "groupctl: %s: %s\n", kind, printable(p.Message))
	}
}

// say tells people what is not in the data.
func (s *session) say(text string) { fmt.Fprintln(s.stderr, "groupctl: "+text) }

// check checks the flags that every command has.
func (s *session) check() error {
	switch s.output {
	case outputTable, outputWide, outputJSON:
	default:
		return &usageError{fmt.Sprintf("the output %q is not known; give -o table, -o wide or -o json", s.output)}
	}
	if s.timeout <= 0 {
		return &usageError{fmt.Sprintf("the timeout %v is not positive; give something like --timeout 8s", s.timeout)}
	}
	return nil
}

// connect checks the flags and makes a client. It does not dial yet.
func (s *session) connect() (*kgo.Client, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	config, err := s.clientConfig()
	if err != nil {
		return nil, err
	}
	bootstrap := cmp.Or(s.bootstrap, s.getenv(bootstrapVariable), config.Brokers)
	if s.bootstrap == "" && s.security.config != "" {
		bootstrap = cmp.Or(config.Brokers, bootstrap) // a flag wins over the environment
	}
	seeds, err := addresses(strings.Split(bootstrap, ","))
	if err != nil {
		return nil, err
	}
	if len(seeds) == 0 {
		return nil, &usageError{"no broker to ask; give -b host:port or set " + bootstrapVariable}
	}
	return s.clientFor(config, seeds)
}

// connectTo makes a client of other addresses, with the same security.
func (s *session) connectTo(named string) (*kgo.Client, error) {
	config, err := s.clientConfig()
	if err != nil {
		return nil, err
	}
	seeds, err := addresses(strings.Split(named, ","))
	if err != nil {
		return nil, err
	}
	if len(seeds) == 0 {
		return nil, &usageError{fmt.Sprintf("%q names no address; give host:port", named)}
	}
	return s.clientFor(config, seeds)
}

func (s *session) clientFor(config clientfile.Config, seeds []string) (*kgo.Client, error) {
	security, err := securityOptions(config)
	if err != nil {
		return nil, err
	}
	if config.Mechanism == "PLAIN" && !config.TLS {
		s.warnOfPassword("use --tls, or scram-sha-512")
	}
	// One broker that is gone or hangs may cost a third of the time, so that
	// there is some left to ask another.
	patience := min(max(s.timeout/3, leastPatience), mostPatience)
	client, err := kgo.NewClient(append(security,
		kgo.SeedBrokers(seeds...),
		kgo.ClientID("groupctl"),
		kgo.DialTimeout(patience),
		kgo.RequestTimeoutOverhead(patience),
		kgo.RetryTimeout(s.timeout),
		kgo.RequestRetries(4),
		kgo.DisableClientMetrics(),
	)...)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("%q cannot be used: %v", strings.Join(seeds, ","), err)}
	}
	return client, nil
}

// warnOfPassword says that a password is not protected, and what would.
func (s *session) warnOfPassword(remedy string) {
	fmt.Fprintf(s.stderr, "groupctl: warning: the password is sent as it is, for anybody on the way to read; %s\n", remedy)
}

// addresses returns the brokers that are named, without blanks and empty ones.
func addresses(named []string) ([]string, error) {
	var seeds []string
	for _, seed := range named {
		seed = strings.TrimSpace(seed)
		switch {
		case seed == "":
		case !isAddress(seed):
			return nil, &usageError{fmt.Sprintf("%q is not an address; give host:port", seed)}
		default:
			seeds = append(seeds, seed)
		}
	}
	return seeds, nil
}

// isAddress says whether a broker can be dialed at an address. The port may be
// left out, which means 9092.
func isAddress(address string) bool {
	isIP := func(s string) bool { _, err := netip.ParseAddr(s); return err == nil }
	inside, bracketed := strings.CutPrefix(address, "[")
	switch {
	case isIP(address), !strings.Contains(address, ":"):
		return isHost(address)
	case bracketed && strings.HasSuffix(inside, "]"):
		return isIP(strings.TrimSuffix(inside, "]"))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || bracketed && !isIP(host) {
		return false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0 && isHost(host)
}

func isHost(s string) bool { return s != "" && !strings.ContainsAny(s, " /@[]") }

// wantsJSON finds -o json where the flags were not parsed to the end.
func wantsJSON(command *cobra.Command, args []string) bool {
	wants := false
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		long, isLong := strings.CutPrefix(args[i], "--")
		name, value, hasValue := strings.Cut(long, "=")
		known := command.Flag(name)
		if !isLong {
			known = nil
			if short, isShort := strings.CutPrefix(args[i], "-"); isShort && short != "" {
				known = command.Flags().ShorthandLookup(short[:1])
				value, hasValue = strings.TrimPrefix(short[1:], "="), len(short) > 1
			}
		}
		if known == nil {
			continue
		}
		if !hasValue && known.NoOptDefVal == "" && i+1 < len(args) {
			i++
			value = args[i]
		}
		if known.Name == "output" {
			wants = value == outputJSON
		}
	}
	return wants
}
