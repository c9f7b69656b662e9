// Package wire is the form in which problems go to a planner in a process of its own
// and results come back: JSON Lines on its standard input and output. Kafka's
// assignors behind Java (package oracle) and the Go peers speak it alike, so that
// every planner is run, measured and cut off in the same way.
package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/groupkit/groupkit/assign"
)

// A Problem is a group, the planners to ask and how often.
type Problem struct {
	ID string `json:"id"`
	assign.Group
	Assignors []string `json:"assignors"`

	// Planning is done WarmUp and then Repeat times, once at least, and no more
	// once BudgetMillis have passed.
	WarmUp       int   `json:"warmUp,omitempty"`
	Repeat       int   `json:"repeat,omitempty"`
	BudgetMillis int64 `json:"budgetMillis,omitempty"`
}

// A Result is what one planner made of a Problem.
type Result struct {
	ID         string            `json:"id"`
	Assignor   string            `json:"assignor"`
	Assignment assign.Assignment `json:"assignment,omitempty"`
	Error      string            `json:"error,omitempty"`

	// ElapsedNs are the times of planning alone, from the planner's own form
	// of input in memory to its own form of plan, warm-up included.
	ElapsedNs []int64 `json:"elapsedNs,omitempty"`

	// Allocs and Bytes are what the last planning allocated; Go planners only.
	Allocs uint64 `json:"allocs,omitempty"`
	Bytes  uint64 `json:"bytes,omitempty"`
}

// A Planner is a process that answers problems.
type Planner struct {
	command *exec.Cmd
	in      io.WriteCloser
	writer  *bufio.Writer
	results *json.Decoder
}

// Start starts the command as a planner. Stop must be called.
func Start(command *exec.Cmd) (*Planner, error) {
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the planner: %w", err)
	}
	return &Planner{command, in, bufio.NewWriterSize(in, 1<<20), json.NewDecoder(bufio.NewReaderSize(out, 1<<20))}, nil
}

// Stop ends the process, whatever it is doing.
func (p *Planner) Stop() {
	p.in.Close()
	_ = p.command.Process.Kill() // it may have ended by itself
	_ = p.command.Wait()         // killed: the error says so
}

// Ask sends the problem and returns one result for each assignor that it names. When
// ctx ends first, the process is killed and the planner cannot be used again.
func (p *Planner) Ask(ctx context.Context, problem Problem) ([]Result, error) {
	stop := context.AfterFunc(ctx, func() { _ = p.command.Process.Kill() })
	defer stop()
	if err := p.Send(problem); err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	results := make([]Result, len(problem.Assignors))
	for i := range results {
		var err error
		if results[i], err = p.Receive(); err != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
	}
	return results, nil
}

// Send sends a problem and does not wait for its results. Who sends many must
// receive at the same time, or both sides wait for ever.
func (p *Planner) Send(problem Problem) error {
	if err := json.NewEncoder(p.writer).Encode(problem); err != nil {
		return fmt.Errorf("send problem %s: %w", problem.ID, err)
	}
	if err := p.writer.Flush(); err != nil {
		return fmt.Errorf("send problem %s: %w", problem.ID, err)
	}
	return nil
}

// Receive returns the next result.
func (p *Planner) Receive() (Result, error) {
	var r Result
	if err := p.results.Decode(&r); err != nil {
		return r, fmt.Errorf("read a result: %w", err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("%s of problem %s: %s", r.Assignor, r.ID, r.Error)
	}
	return r, nil
}
