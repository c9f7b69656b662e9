package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// holdVariable makes TestHold start a cluster and wait for its end.
const holdVariable = "GROUPKIT_TEST_HOLD"

// TestHold is what the processes of TestAbruptEnds run.
func TestHold(t *testing.T) {
	if os.Getenv(holdVariable) == "" {
		return // nothing to test by itself
	}
	c := Start(t, WithNodes(1))
	fmt.Printf("\ncluster=%s\n", c.name)
	<-t.Context().Done()
}

// TestAbruptEnds ends a process that has a cluster: an interrupt cleans up, and
// what a kill leaves is removed by the next run, not while the process lives.
func TestAbruptEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	engine, err := connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			command := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHold$")
			command.Env = append(os.Environ(), holdVariable+"=1")
			stdout, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			name := ""
			lines := bufio.NewScanner(stdout)
			for name == "" && lines.Scan() {
				name, _ = strings.CutPrefix(lines.Text(), "cluster=")
				if !strings.HasPrefix(lines.Text(), "cluster=") {
					name = ""
				}
			}
			if name == "" {
				t.Fatalf("the process has started no cluster: %v", command.Wait())
			}

			if err := engine.removeLeftovers(ctx, currentOwner()); err != nil {
				t.Fatal(err)
			}
			if got := engine.count(ctx, t, name); got != 2 {
				t.Errorf("%d things of a run in progress are left, want its container and its network", got)
			}
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := command.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != signal {
				t.Errorf("the process ended with %v, want %v", err, signal)
			}
			want := 0
			if signal == syscall.SIGKILL {
				want = 2
			}
			if got := engine.count(ctx, t, name); got != want {
				t.Errorf("%d things are left after %v, want %d", got, signal, want)
			}
			if err := engine.removeLeftovers(ctx, currentOwner()); err != nil {
				t.Fatal(err)
			}
			if got := engine.count(ctx, t, name); got != 0 {
				t.Errorf("%d things are left after the next run", got)
			}
		})
	}
}

// count is the number of containers and networks of a cluster.
func (e *engine) count(ctx context.Context, t *testing.T, name string) int {
	t.Helper()
	filter := harnessFilter().Add("label", labelCluster+"="+name)
	containers, err := e.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := e.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	if err != nil {
		t.Fatal(err)
	}
	return len(containers.Items) + len(networks.Items)
}

func TestJudge(t *testing.T) {
	self := owner{host: "here", boot: "b", pid: 7, started: "100"}
	processes := map[int]string{7: "100", 8: "200"}
	look := func(pid int) (string, bool) {
		started, ok := processes[pid]
		return started, ok
	}
	for _, test := range []struct {
		name  string
		owner owner
		want  liveness
	}{
		{"itself", self, alive},
		{"another process that runs", owner{"here", "b", 8, "200"}, alive},
		{"a pid used again", owner{"here", "b", 8, "150"}, dead},
		{"a process that has ended", owner{"here", "b", 9, "1"}, dead},
		{"before a reboot", owner{"here", "a", 7, "100"}, dead},
		{"on another machine", owner{"there", "b", 9, "1"}, unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := self.judge(test.owner.labels(), look); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
