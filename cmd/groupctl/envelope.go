package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

// schemaAnnotation is where a command keeps the name of its JSON's shape.
const schemaAnnotation = "schema"

// schemaPrefix ends in the version of all shapes: fields may be added within
// one, and nothing else.
const schemaPrefix = "groupctl/v1/"

// envelope is the one JSON object that a run prints.
type envelope struct {
	Schema     string            `json:"schema"`
	ClusterID  *string           `json:"clusterId"`
	ObservedAt time.Time         `json:"observedAt"`
	Data       any               `json:"data"`
	Warnings   []inspect.Problem `json:"warnings"`
	Errors     []inspect.Problem `json:"errors"`
}

func envelopeOf[T any](schema string, reply inspect.Answer[T], failed bool) envelope {
	e := envelope{
		Schema:     schema,
		ClusterID:  reply.ClusterID,
		ObservedAt: reply.ObservedAt,
		Data:       reply.Data,
		Warnings:   reply.Warnings,
		Errors:     reply.Errors,
	}
	if failed {
		e.Data = nil
	}
	return e
}

func writeEnvelope(w io.Writer, e envelope) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(e)
}

func schemaOf(command *cobra.Command) string {
	if command != nil && command.Annotations[schemaAnnotation] != "" {
		return schemaPrefix + command.Annotations[schemaAnnotation]
	}
	return schemaPrefix + "error"
}

// reportUsage tells what is wrong with the command line. command is the one
// that the line named, as far as it did.
func (s *session) reportUsage(command *cobra.Command, usage *usageError, asJSON bool) int {
	if asJSON {
		err := writeEnvelope(s.stdout, envelope{
			Schema:     schemaOf(command),
			ObservedAt: time.Now().UTC(),
			Warnings:   []inspect.Problem{},
			Errors:     []inspect.Problem{{Code: "USAGE", Target: "command line", Message: usage.message}},
		})
		if err != nil {
			fmt.Fprintf(s.stderr, "groupctl: cannot write the answer: %v\n", err)
		}
	}
	fmt.Fprintf(s.stderr, "groupctl: %s\n", printable(usage.message))
	return exitUsage
}
