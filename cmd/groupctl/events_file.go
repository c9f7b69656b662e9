package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

func nobodyWrote(ctx context.Context) error {
	return fmt.Errorf("nobody has opened the named pipe to write: %w", ctx.Err())
}

// openEvents opens a file to read. To open a named pipe is to wait until somebody opens it
// to write, which may be never: where ctx ends before, so does the opening.
func openEvents(ctx context.Context, path string) (*os.File, error) {
	if info, err := os.Stat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return os.Open(path)
	}
	type result struct {
		file *os.File
		err  error
	}
	opened := make(chan result, 1)
	go func() {
		file, err := os.Open(path)
		opened <- result{file, err}
	}()
	select {
	case r := <-opened:
		return r.file, r.err
	case <-ctx.Done():
	}
	// What it waits for, this process does. Where it may not write to the pipe, the
	// goroutine stays until the program ends.
	for {
		writer, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			writer.Close()
		}
		if err != nil && !errors.Is(err, syscall.ENXIO) {
			return nil, nobodyWrote(ctx)
		}
		select {
		case r := <-opened:
			if r.err == nil {
				r.file.Close()
			}
			return nil, nobodyWrote(ctx)
		case <-time.After(10 * time.Millisecond): // it does not wait for it yet
		}
	}
}
