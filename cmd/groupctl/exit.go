package main

import (
	"slices"

	"github.com/groupkit/groupkit/inspect"
)

const (
	exitFound    = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3
	exitPartial  = 5
)

// usageError is a command line that makes no sense.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// exitCode judges an answer by whether it holds anything of what was asked for,
// and by what it is missing.
func exitCode(hasData bool, missing []inspect.Problem) int {
	switch {
	case len(missing) == 0:
		return exitFound
	case hasData:
		return exitPartial
	case slices.ContainsFunc(missing, func(p inspect.Problem) bool { return !isAbsence(p) }):
		return exitFailed
	}
	return exitNotFound
}

func isAbsence(p inspect.Problem) bool {
	return p.Code == inspect.CodeGroupNotFound || p.Code == inspect.CodeTopicNotFound || p.Code == inspect.CodeNodeNotFound ||
		p.Code == inspect.CodeOffsetsTopicAbsent || p.Code == inspect.CodeStateTopicAbsent
}
