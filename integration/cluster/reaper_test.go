package cluster

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// held is a process that starts a cluster, see holdCluster.
type held struct {
	*engine
	command *exec.Cmd
	stdin   io.Closer
	reaper  int      // the pid of its reaper
	lock    *os.File // what the reaper holds while it lives
}

func hold(ctx context.Context, t *testing.T, engine *engine) *held {
	t.Helper()
	h := &held{engine: engine, command: exec.CommandContext(ctx, os.Args[0])}
	path := filepath.Join(t.TempDir(), "lock")
	var err error
	if h.lock, err = os.Create(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.lock.Close() })
	h.command.Env = append(os.Environ(), holdVariable+"=cluster", reaperLockVariable+"="+path)
	// A file, so that the end of the process is seen before that of its reaper.
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	h.command.Stderr = stderr
	stdout, err := h.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if h.stdin, err = h.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := h.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.command.Process.Kill() // it has ended unless the test has failed
		if said, err := os.ReadFile(stderr.Name()); err == nil && t.Failed() {
			t.Logf("the process said: %s", said)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if h.reaper, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return h
}

// things are the names of the containers that run, and of all networks, of the process.
func (h *held) things(ctx context.Context, t *testing.T) (containers, networks []string) {
	t.Helper()
	filter := harnessFilter().Add("label", labelPID+"="+strconv.Itoa(h.command.Process.Pid))
	list, err := h.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range list.Items {
		if each.State == container.StateRunning {
			containers = append(containers, each.ID)
		}
	}
	found, err := h.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range found.Items {
		networks = append(networks, each.ID)
	}
	return containers, networks
}

// has waits until the process has something.
func (h *held) has(ctx context.Context, t *testing.T, what string, condition func(containers, networks []string) bool) {
	t.Helper()
	err := poll(ctx, "no "+what+" of the process is there", func(ctx context.Context) error {
		if containers, networks := h.things(ctx, t); !condition(containers, networks) {
			return errors.New("it has not started that")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ended waits for the end of the process, which sig caused, or a panic if that is 0.
func (h *held) ended(t *testing.T, sig syscall.Signal) {
	t.Helper()
	var exit *exec.ExitError
	if err := h.command.Wait(); !errors.As(err, &exit) {
		t.Errorf("the process ended with %v", err)
		return
	}
	status := exit.Sys().(syscall.WaitStatus)
	if sig != 0 && status.Signal() != sig || sig == 0 && status.ExitStatus() != 2 {
		t.Errorf("the process ended with %v, want signal %d, or exit status 2 if 0", exit, sig)
	}
}

// reaped waits for the end of the reaper, as who stops an engine does.
func (h *held) reaped(ctx context.Context, t *testing.T) {
	t.Helper()
	err := poll(ctx, "the reaper has not ended", func(context.Context) error {
		return syscall.Flock(int(h.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func aContainer(containers, _ []string) bool { return len(containers) > 0 }
func aNetwork(_, networks []string) bool     { return len(networks) > 0 }

// TestAbruptEnds ends a process that has a cluster, or is about to: nothing of that
// is left once its reaper has ended.
func TestAbruptEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	engine, err := connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()

	for _, test := range []struct {
		name   string
		signal syscall.Signal // none for a panic
		group  bool           // to the reaper as well
		when   string
		begun  func(containers, networks []string) bool
	}{
		{"panic", 0, false, "container", aContainer},
		{"killed", syscall.SIGKILL, false, "container", aContainer},
		{"interrupted, and the reaper too", syscall.SIGINT, true, "container", aContainer},
		{"interrupted during the start", syscall.SIGINT, false, "network", aNetwork},
		{"terminated during the start", syscall.SIGTERM, true, "network", aNetwork},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := hold(ctx, t, engine)
			h.has(ctx, t, test.when, test.begun)
			if test.group {
				if err := syscall.Kill(h.reaper, test.signal); err != nil {
					t.Fatal(err)
				}
			}
			if test.signal == 0 {
				err = h.stdin.Close()
			} else {
				err = h.command.Process.Signal(test.signal)
			}
			if err != nil {
				t.Fatal(err)
			}
			h.ended(t, test.signal)
			h.reaped(ctx, t)
			if containers, networks := h.things(ctx, t); len(containers)+len(networks) > 0 {
				t.Errorf("left are the containers %v and the networks %v", containers, networks)
			}
		})
	}
}

// TestTheNextRunCleansUp: what nobody could clean up, the next run removes, and
// nothing of a process that lives.
func TestTheNextRunCleansUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	engine, err := connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	h := hold(ctx, t, engine)
	h.has(ctx, t, "container", aContainer)

	look := func() int {
		t.Helper()
		if err := engine.removeLeftovers(ctx, currentOwner()); err != nil {
			t.Fatal(err)
		}
		containers, networks := h.things(ctx, t)
		return len(containers) + len(networks)
	}
	if n := look(); n != 2 {
		t.Errorf("%d things of a run in progress are left, want its container and its network", n)
	}
	for _, pid := range []int{h.reaper, h.command.Process.Pid} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	h.ended(t, syscall.SIGKILL)
	h.reaped(ctx, t)
	if containers, networks := h.things(ctx, t); len(containers) != 1 || len(networks) != 1 {
		t.Errorf("left are the containers %v and the networks %v, want one of each", containers, networks)
	}
	if n := look(); n != 0 {
		t.Errorf("%d things are left after the next run", n)
	}
}

func TestReaperRemovesWhatIsLeft(t *testing.T) {
	got := readNames(strings.NewReader("+a\n+b\n-a\n+c\n-b\n+d\n"))
	if want := []string{"c", "d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// Nothing is left after most runs: it must need no engine then.
	t.Setenv("DOCKER_HOST", "unix:///nonexistent")
	if err := reap(nil); err != nil {
		t.Error(err)
	}
}

func TestInterruptible(t *testing.T) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), holdVariable+"=interruptible")
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	if line, err := lines.ReadString('\n'); err != nil || line != "begun\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); err != nil || string(rest) != "cleaned up\n" {
		t.Errorf("got %q, %v", rest, err)
	}
	err = command.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, want SIGTERM", err)
	}
}
