//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestAPipeThatNobodyWritesToEndsWithTheCommand waits for a writer that does not come, and
// for one that does.
func TestAPipeThatNobodyWritesToEndsWithTheCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, wait := range []time.Duration{0, 100 * time.Millisecond} {
		ctx, interrupt := context.WithTimeout(t.Context(), wait)
		said, err := (&eventFiles{paths: []string{path}}).read(ctx, "g", time.Time{})
		interrupt()
		if !errors.Is(err, context.DeadlineExceeded) || len(said) > 0 {
			t.Errorf("%v, %d read", err, len(said))
		}
	}
	wrote := make(chan error, 1)
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = fmt.Fprintln(w, `{"time":"2026-01-02T03:04:05Z","kind":"left","member":"a-1"}`)
			err = errors.Join(err, w.Close())
		}
		wrote <- err
	}()
	said, err := (&eventFiles{paths: []string{path}}).read(t.Context(), "g", time.Time{})
	if err != nil || len(said) != 1 {
		t.Errorf("%v, %d read", err, len(said))
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}
