package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

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
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(e); err != nil {
		return err
	}
	_, err := w.Write(escapeUnprintable(encoded.Bytes()))
	return err
}

// escapeUnprintable escapes in JSON what a terminal would act upon or not show,
// and encoding/json leaves as it is: DEL, the C1 controls, and what reorders or
// hides text. Outside of strings there are no such characters.
func escapeUnprintable(encoded []byte) []byte {
	safe := make([]byte, 0, len(encoded))
	for len(encoded) > 0 {
		r, size := utf8.DecodeRune(encoded)
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			safe = append(safe, encoded[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
		encoded = encoded[size:]
	}
	return safe
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
