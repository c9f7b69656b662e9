package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
)

// TestEventsFromAPipeThatDoesNotEnd stops reading when the command is interrupted, and keeps
// what came until then.
func TestEventsFromAPipeThatDoesNotEnd(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	now := time.Now()
	fmt.Fprintf(w, "{\"time\":%q,\"kind\":\"left\",\"member\":\"a-1\"}\n", now.Format(time.RFC3339Nano))
	fmt.Fprintf(w, "{\"time\":%q,\"kind\":\"left\",\"member\":\"a-1\"}\n", now.Add(-time.Hour).Format(time.RFC3339Nano))
	time.AfterFunc(100*time.Millisecond, interrupt)
	files := eventFiles{paths: []string{fmt.Sprintf("/dev/fd/%d", r.Fd())}}
	said, err := files.read(ctx, "g", now.Add(-time.Minute))
	if !errors.Is(err, context.Canceled) || len(said) > 1 {
		t.Errorf("%v, %d read", err, len(said))
	}
}

// TestOneFileOfEventsThatCannotBeReadLeavesTheOthers reads what there is.
func TestOneFileOfEventsThatCannotBeReadLeavesTheOthers(t *testing.T) {
	folder := t.TempDir()
	good := filepath.Join(folder, "good.jsonl")
	if err := os.WriteFile(good, []byte(`{"time":"2026-01-02T03:04:05Z","kind":"left","member":"a-1"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	files := eventFiles{paths: []string{folder, good}}
	said, err := files.read(t.Context(), "g", time.Time{})
	if err == nil || len(said) != 1 {
		t.Errorf("%v, %d read", err, len(said))
	}
}

// TestFilesWithNothingOfTheGroupAreNamed, and lines that are not read counted.
func TestFilesWithNothingOfTheGroupAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pod-1.jsonl")
	lines := `{"time":"2026-01-02T03:04:05Z","msg":"group member left","member":"a-1","group":"billing"}` + "\nno JSON\n"
	if err := os.WriteFile(path, []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	files := eventFiles{paths: []string{path}}
	said, err := files.read(t.Context(), "orders", time.Time{})
	if err != nil || len(said) != 0 || len(files.warnings) != 2 {
		t.Fatalf("%v, %d read, %v", err, len(said), files.warnings)
	}
	for i, want := range []string{"1 of its 2 lines were skipped: no JSON object", `none of its 2 lines is about group "orders"; 1 is about "billing"`} {
		if !strings.Contains(files.warnings[i].Message, want) {
			t.Errorf("%q, want %q", files.warnings[i].Message, want)
		}
	}
}

func TestExitCodeOfWhatDoesNotExist(t *testing.T) {
	for code, want := range map[inspect.Code]int{
		inspect.CodeGroupNotFound: exitNotFound, inspect.CodeOffsetsTopicAbsent: exitNotFound, inspect.CodeStateTopicAbsent: exitNotFound,
		// What is concealed may exist.
		inspect.CodeOffsetsTopicConcealed: exitFailed, inspect.CodeNotAuthorized: exitFailed,
	} {
		if got := exitCode(false, []inspect.Problem{{Code: code}}); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

// TestInterruptionEndsTheRecordingAlone reads the log after it, as if the time were over.
func TestInterruptionEndsTheRecordingAlone(t *testing.T) {
	fake, address := newCluster(t)
	var read atomic.Bool
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	fake.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		read.Store(read.Load() || ctx.Err() != nil)
		return nil, nil, false
	})
	var looks atomic.Int32
	fake.ControlKey(int16(kmsg.DescribeGroups), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if looks.Add(1) == 3 { // of which two were taken
			time.AfterFunc(200*time.Millisecond, interrupt)
		}
		return nil, nil, false
	})
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"-b", address, "group", "explain", "workers", "--for", "1h"}, environment{&stdout, &stderr, func(string) string { return "" }})
	if strings.Contains(stderr.String(), "cancel") || strings.Contains(stderr.String(), "interrupted") || !read.Load() {
		t.Errorf("code %d, the log was read: %v: %s%s", code, read.Load(), stdout.String(), stderr.String())
	}
}
