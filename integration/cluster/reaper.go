package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// reaperVariable makes a process that has this package the reaper of the one
	// that started it.
	reaperVariable = "GROUPKIT_CLUSTER_REAPER"
	// reaperLockVariable names a file that a reaper holds a shared lock on for as
	// long as it lives. Who wants to stop the engine waits for that.
	reaperLockVariable = "GROUPKIT_CLUSTER_REAPER_LOCK"

	// reapTimeout bounds what a reaper does once its process has ended. go test
	// waits at least that long, with its default timeout, for output to end.
	reapTimeout = 45 * time.Second
	// reapInterval is the time between two looks at what is left.
	reapInterval = time.Second
)

// A reaper is a second process of this program, which removes the clusters that
// the first leaves behind, whatever ends that: a signal, a panic in any
// goroutine, go test's -timeout, SIGKILL.
//
// It is told of each cluster, "+name" before that is made and "-name" after it is
// gone, through a pipe that only the first process has the other end of. It takes
// no signal of the terminal or of the process group, and it ends when the pipe
// does and nothing is left, or after 45 s.
type reaper struct {
	mu      sync.Mutex
	process *os.Process
	pipe    *os.File
}

// ourReaper is started when the first cluster is.
var ourReaper reaper

// The reaper is this program again, test binaries included, up to this line.
func init() {
	if os.Getenv(reaperVariable) == "" {
		return
	}
	// Nothing but SIGKILL may keep it from cleaning up, and it ends by itself. A
	// terminal that is gone is no reason to stop either.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	if err := reap(readNames(os.Stdin)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// expect says that a cluster is about to be made.
func (r *reaper) expect(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.start(); err != nil {
		return fmt.Errorf("start the process that cleans up after this one: %w", err)
	}
	if _, err := fmt.Fprintf(r.pipe, "+%s\n", name); err != nil {
		return fmt.Errorf("the process that cleans up after this one has ended: %w", err)
	}
	return nil
}

// forget says that the cluster is gone, or is to stay.
func (r *reaper) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe != nil {
		_, _ = fmt.Fprintf(r.pipe, "-%s\n", name) // a reaper that has ended does no harm
	}
}

// start starts the process unless it was.
func (r *reaper) start() error {
	if r.process != nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	reading, writing, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reading.Close()
	command := exec.Command(self, "cluster-reaper", "of", strconv.Itoa(os.Getpid())) // for who lists processes
	command.Env = append(os.Environ(), reaperVariable+"=1")
	command.Stdin, command.Stderr = reading, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if path := os.Getenv(reaperLockVariable); path != "" {
		// The lock is taken here and inherited, so that there is no time in which
		// this process may end and nobody holds it.
		lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return errors.Join(err, writing.Close())
		}
		defer lock.Close()
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH); err != nil {
			return errors.Join(fmt.Errorf("lock %s: %w", path, err), writing.Close())
		}
		command.ExtraFiles = []*os.File{lock}
	}
	if err := command.Start(); err != nil {
		return errors.Join(err, writing.Close())
	}
	r.process, r.pipe = command.Process, writing
	return nil
}

// readNames returns the clusters that are left when the pipe ends, sorted.
func readNames(pipe io.Reader) []string {
	left := map[string]bool{}
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "+"); ok {
			left[name] = true
		} else if name, ok := strings.CutPrefix(lines.Text(), "-"); ok {
			delete(left, name)
		}
	}
	return slices.Sorted(maps.Keys(left))
}

// reap removes the clusters, if any. It looks until it has found nothing twice:
// the engine may still be making what the process asked for last.
func reap(names []string) error {
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), reapTimeout)
	defer cancel()
	engine, err := connect(ctx)
	if err != nil {
		return fmt.Errorf("left behind are the Kafka clusters %s: %w", strings.Join(names, ", "), err)
	}
	defer engine.Close()
	for quiet := 0; ; {
		found := 0
		var errs []error
		for _, name := range names {
			n, err := engine.removeCluster(ctx, name)
			found, errs = found+n, append(errs, err)
		}
		quiet++
		if err = errors.Join(errs...); err != nil || found > 0 {
			quiet = 0
		}
		if quiet == 2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not all of the Kafka clusters %s is removed after %v: %w",
				strings.Join(names, ", "), reapTimeout, errors.Join(err, ctx.Err()))
		case <-time.After(reapInterval):
		}
	}
}
