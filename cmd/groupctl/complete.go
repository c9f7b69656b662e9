package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

const (
	// completionTimeout is how long a shell waits for names at most.
	completionTimeout = 2 * time.Second
	// completionsShown is how many names a shell is given at most.
	completionsShown = 1000
)

// addCompletions lets a shell complete the names of groups and topics, which the brokers
// are asked for, and the values of flags that have a few.
func addCompletions(s *session, root *cobra.Command) {
	names := map[string]func(context.Context, *inspect.Inspector) []string{
		"group describe": groupNames, "group explain": groupNames, "group coordinator": groupNames,
		"offsets dump": groupNames, "plan": groupNames, "topic leaders": topicNames,
		"elect preferred": topicNames, "elect unclean": topicNames,
	}
	values := map[string][]string{
		"output": {outputTable, outputWide, outputJSON, outputJSONLines}, "sasl": {"plain", "scram-sha-256", "scram-sha-512"},
		"type": groupTypes, "state": groupStates, "kind": strings.Split(kindNames(), ", "),
	}
	var add func(*cobra.Command)
	add = func(command *cobra.Command) {
		for flag, of := range values {
			if command.LocalNonPersistentFlags().Lookup(flag) != nil || command == root && command.PersistentFlags().Lookup(flag) != nil {
				_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp)) // it exists
			}
		}
		ask := names[strings.TrimPrefix(command.CommandPath(), root.Name()+" ")]
		if command.RunE != nil && command.ValidArgsFunction == nil && command.Name() != "completion" {
			command.ValidArgsFunction = func(command *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
				ask := ask
				if command.Name() == "watch" {
					switch {
					case len(args) == 0:
						return []string{"elections", "groups"}, cobra.ShellCompDirectiveNoFileComp
					case args[0] == "elections":
						ask = topicNames
					case args[0] == "groups":
						ask = groupNames
					}
				}
				if ask == nil || command.Flags().Changed("transactional-id") || command.Flags().Changed("share") {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return s.complete(command.Context(), ask, args, prefix), cobra.ShellCompDirectiveNoFileComp
			}
		}
		for _, child := range command.Commands() {
			add(child)
		}
	}
	add(root)
}

// complete asks the brokers for names, and returns none where they do not answer.
func (s *session) complete(ctx context.Context, ask func(context.Context, *inspect.Inspector) []string, given []string, prefix string) []string {
	s.timeout = min(s.timeout, completionTimeout)
	client, err := s.connect()
	if err != nil {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	all := ask(ctx, inspect.New(client, inspect.SkipMinISR()))
	all = slices.DeleteFunc(all, func(name string) bool {
		// A name that a terminal would not show as it is cannot be completed to.
		return !strings.HasPrefix(name, prefix) || slices.Contains(given, name) || strings.HasPrefix(name, "-") || printable(name) != name
	})
	return all[:min(len(all), completionsShown)]
}

func groupNames(ctx context.Context, in *inspect.Inspector) []string {
	answer, _ := in.DescribeGroups(ctx, inspect.GroupDetails{}) // what there is will do
	names := make([]string, len(answer.Data))
	for i, g := range answer.Data {
		names[i] = g.Group
	}
	return names
}

func topicNames(ctx context.Context, in *inspect.Inspector) []string {
	answer, _ := in.Partitions(ctx)
	var names []string
	for _, p := range answer.Data {
		names = append(names, p.Topic)
	}
	return slices.Compact(names)
}
