package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/explain"
)

func newGroupExplainCommand(s *session) *cobra.Command {
	var lasts time.Duration
	var since string
	var events []string
	command := &cobra.Command{
		Use:   "explain GROUP",
		Short: "Say why a group keeps rebalancing, and what to change",
		Long: `Say why a group keeps rebalancing: verdicts, most likely first, each with its
evidence and with what to change.

What the group did in the last hour (--since) is read from __consumer_offsets, and its
coordinator is asked for five seconds how it is. Times are UTC. Where that topic may not be read, or
where no rebalance completes, give more time (--for 2m): what the coordinator answers
meanwhile is all that there is to judge by. Ctrl-C ends the asking, and what was seen is
judged, with the log; a second one ends all.

--events FILE reads what members say of themselves: a log of groupkit's members, written
with slog's JSON handler, or a JSON object a line such as {"time": "2026-01-02T15:04:05Z",
"member": "...", "kind": "lost", "error": "..."}. The fields have to be those of the line
itself: give members no logger in a slog group. Give --events once for each file. Where
__consumer_offsets may not be read, members' logs tell the past; and who is refused is seen
by the one that is refused alone.

Needs DESCRIBE on the group and its topics, and for the log DESCRIBE and READ on the
topic __consumer_offsets.`,
		Example: `  groupctl -b localhost:9092 group explain orders
  groupctl -b localhost:9092 group explain orders --events pod-1.jsonl --events pod-2.jsonl
  groupctl -b localhost:9092 group explain orders --since 2026-01-31T12:00:00Z
  groupctl -b localhost:9092 -o json group explain orders | jq -r '.data.verdicts[0].says'`,
		Annotations: map[string]string{schemaAnnotation: "group-explain"},
		Args: func(command *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{fmt.Sprintf("'%s' needs one group; see '%s --help'", command.CommandPath(), command.CommandPath())}
			}
			return nil
		},
	}
	command.Flags().DurationVar(&lasts, "for", 5*time.Second, "how long to ask the coordinator, such as 2m")
	command.Flags().StringVar(&since, "since", "1h", "read the log and --events from so long ago, such as 30m, or from a time such as 2026-01-31T12:00:00Z")
	command.Flags().StringArrayVar(&events, "events", nil, "a file of what members said, a JSON object a line; may be repeated")
	command.RunE = func(command *cobra.Command, args []string) error {
		if lasts <= 0 {
			return &usageError{"--for has to be more than 0; give something like --for 2m"}
		}
		now := time.Now()
		from, err := sinceFlag(since, now)
		if err != nil {
			return err
		}
		if !from.Before(now) {
			return notPast(since)
		}
		how := inspect.Explaining{For: lasts, Since: now.Sub(from)}
		for _, path := range events {
			if _, err := os.Stat(path); err != nil {
				return &usageError{fmt.Sprintf("cannot read --events: %v", err)}
			}
		}
		files := eventFiles{paths: events}
		if len(events) > 0 {
			how.Said = func(ctx context.Context, since time.Time) ([]explain.Observation, error) {
				return files.read(ctx, args[0], since)
			}
		}
		usual := s.timeout
		s.timeout += lasts
		how.Stop = command.Context().Done()
		ctx, done := finishing(command.Context(), usual)
		defer done()
		command.SetContext(ctx)
		return answer(command, s, question[explain.Diagnosis]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[explain.Diagnosis], error) {
				reply, err := in.Explain(ctx, args[0], how)
				reply.Warnings = append(reply.Warnings, files.warnings...)
				return reply, err
			},
			hasData: func(d explain.Diagnosis) bool {
				return d.State != "" || d.Rebalances > 0 || len(d.Verdicts) > 0 && isTrouble(d.Verdicts[0].Cause)
			},
			table: diagnosisText,
		})
	}
	return command
}

// finishing is a context that outlives an interruption of another by a time, for what is
// to be done after it. A second interruption ends it.
func finishing(parent context.Context, within time.Duration) (ctx context.Context, done context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(again)
		late := time.NewTimer(within)
		defer late.Stop()
		select {
		case <-again:
		case <-late.C:
		case <-ctx.Done():
		}
		cancel()
	})
	return ctx, func() { stop(); cancel() }
}

// isTrouble says whether a cause is one, which members' events alone may tell.
func isTrouble(c explain.Cause) bool {
	return c != explain.Fine && c != explain.Empty && c != explain.Unexplained
}

// eventFiles are files of what members log, and what is to be known of them.
type eventFiles struct {
	paths    []string
	warnings []inspect.Problem
}

// read reads those lines that are about a group.
func (f *eventFiles) read(ctx context.Context, group string, since time.Time) (all []explain.Observation, err error) {
	for _, path := range f.paths {
		heard, failed := readEvents(ctx, path, group, since)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", path, failed))
		}
		warn := func(text string) {
			f.warnings = append(f.warnings, inspect.Problem{Code: inspect.CodeEventsSkipped, Target: group, Message: fmt.Sprintf("--events %s: %s", path, text)})
		}
		if heard.Skipped > 0 {
			warn(fmt.Sprintf("%d of its %s skipped: no JSON object, without a time, or longer than 1 MiB", heard.Skipped, wereLines(heard.Lines)))
		}
		if why := heard.Without(group); why != "" && failed == nil {
			warn(why)
		}
		all = append(all, heard.Said...)
	}
	return all, err
}

func wereLines(n int) string {
	if n == 1 {
		return "1 line was"
	}
	return fmt.Sprintf("%d lines were", n)
}

func readEvents(ctx context.Context, path, group string, since time.Time) (explain.Heard, error) {
	file, err := openEvents(ctx, path)
	if err != nil {
		return explain.Heard{}, err
	}
	defer file.Close()
	defer context.AfterFunc(ctx, func() { file.Close() })() // a pipe may never end
	heard, err := explain.ReadSaid(file, group, since)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return heard, err
}

// textWidth is how wide the sentences of a diagnosis are.
const textWidth = 88

// diagnosisText shows a diagnosis as text: verdicts are read, and not compared.
func diagnosisText(t *table, d explain.Diagnosis) {
	members := ""
	if d.Members != nil {
		members = ", " + counted(*d.Members, "member")
	}
	state := d.State
	if state == "" {
		state = "state unknown"
	}
	lasted := strings.Replace(d.To.Sub(d.From).Round(time.Second).String(), "m0s", "m", 1)
	t.row(fmt.Sprintf("%s: %s%s; %s seen in %s", name(d.Group), printable(state), members, counted(d.Rebalances, "rebalance"), lasted))
	accounts(t, d)
	for i, v := range d.Verdicts {
		t.gap()
		t.row(fmt.Sprintf("%d. %s (%s%s)", i+1, strings.ToUpper(words(v.Cause)), v.Sure, shares(v, d.Rebalances)))
		paragraph(t, "   ", "   ", v.Says)
		for _, e := range v.Evidence {
			paragraph(t, fmt.Sprintf("   %s  ", clock(e.At, "")), "              ", e.Text)
		}
		paragraph(t, "   → ", "     ", v.Do)
	}
	if len(d.Unknown) > 0 {
		t.gap()
		for _, u := range d.Unknown {
			paragraph(t, "not seen: ", "          ", u)
		}
	}
}

// shares say what a verdict has to do with how many of some rebalances.
func shares(v explain.Verdict, of int) string {
	rebalances := counted(of, "rebalance")
	switch {
	case v.Explains > 0 && v.Cause == explain.Unexplained:
		return fmt.Sprintf(", %d of %s", v.Explains, rebalances)
	case v.Explains > 0 && v.Prolongs > 0:
		return fmt.Sprintf(", accounts for %d and prolonged %d of %s", v.Explains, v.Prolongs, rebalances)
	case v.Explains > 0:
		return fmt.Sprintf(", accounts for %d of %s", v.Explains, rebalances)
	case v.Prolongs > 0:
		return fmt.Sprintf(", prolonged %d of %s", v.Prolongs, rebalances)
	}
	return ""
}

// accounts shows what accounts for how many of the rebalances, where that is not one thing.
func accounts(t *table, d explain.Diagnosis) {
	if len(d.Accounts) < 2 && d.Unseen == 0 || d.Rebalances == 0 {
		return
	}
	line := func(n int, what string) { t.row(fmt.Sprintf("%6d  %s", n, what)) }
	for _, a := range d.Accounts {
		switch {
		case a.Cause == explain.Fine:
			line(a.Rebalances, "members came, went or asked for it: nothing is wrong with that")
		case a.Verdict != nil:
			line(a.Rebalances, fmt.Sprintf("verdict %d, %s", *a.Verdict+1, words(a.Cause)))
		}
	}
	if d.Unseen > 0 {
		line(d.Unseen, "more, of which only the numbers of the generations tell")
	}
}

func words(c explain.Cause) string { return strings.ReplaceAll(string(c), "-", " ") }

// paragraph breaks text between words.
func paragraph(t *table, first, other, text string) {
	line, indent := "", first
	for _, word := range strings.Fields(printable(text)) {
		if line != "" && len(indent)+len(line)+1+len(word) > textWidth {
			t.row(indent + line)
			line, indent = "", other
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	t.row(indent + line)
}
