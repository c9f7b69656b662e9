package inspect

import (
	"errors"
	"time"
)

// Answer is what could be found out, and what could not.
type Answer[T any] struct {
	// ClusterID is the cluster's own identifier, nil if the broker that
	// answered did not tell it.
	ClusterID *string `json:"clusterId"`
	// ObservedAt is this machine's time, in UTC, when the answer was begun.
	// Nothing in the answer is older.
	ObservedAt time.Time `json:"observedAt"`
	// Data is the answer proper. Where nothing is known it is T's zero value:
	// a nil slice, or a struct of nils.
	Data T `json:"data"`
	// Warnings are what a reader should know before trusting Data. They do
	// not mean that something asked for is missing, only that a detail is.
	// Never nil.
	Warnings []Problem `json:"warnings"`
	// Errors are what was asked for and is missing from Data, each with the
	// reason. Never nil.
	Errors []Problem `json:"errors"`
}

// Err returns nil if there are no Errors, and all of them joined otherwise, for
// callers to whom a partial answer is as good as none.
func (a Answer[T]) Err() error {
	all := make([]error, 0, len(a.Errors))
	for _, p := range a.Errors {
		all = append(all, p)
	}
	return errors.Join(all...)
}

func newAnswer[T any]() Answer[T] {
	return Answer[T]{
		ObservedAt: time.Now().UTC(),
		Warnings:   []Problem{},
		Errors:     []Problem{},
	}
}

// fail is the one way in which a method gives up.
func (a Answer[T]) fail(p Problem) (Answer[T], error) {
	a.Errors = append(a.Errors, p)
	return a, p
}

func (a *Answer[T]) missing(p ...Problem) { a.Errors = append(a.Errors, p...) }
func (a *Answer[T]) warn(p ...Problem)    { a.Warnings = append(a.Warnings, p...) }
