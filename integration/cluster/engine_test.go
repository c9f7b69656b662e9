package cluster

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

func TestIsLocal(t *testing.T) {
	for address, want := range map[string]bool{
		"":                                 true,
		"unix:///var/run/docker.sock":      true,
		"npipe:////./pipe/docker_engine":   true,
		"tcp://localhost:2375":             true,
		"tcp://127.0.0.1:2375":             true,
		"tcp://[::1]:2375":                 true,
		"tcp://10.0.0.7:2375":              false,
		"tcp://localhost.example.org:2375": false,
		"ssh://build@localhost":            false,
		"tcp://%":                          false,
	} {
		if got := isLocal(address); got != want {
			t.Errorf("%q: got %v, want %v", address, got, want)
		}
	}
}

// A node that was killed is stopped, also if nobody waited for its end.
func TestKillWithoutTheWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/kill"):
			w.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(r.URL.Path, "/wait"):
			cancel()
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	docker, err := client.New(client.WithHost("tcp://" + server.Listener.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	c := &Cluster{
		engine: &engine{DockerClient: &testcontainers.DockerClient{Client: docker}},
		nodes:  map[int32]*node{1: {id: 1, container: "c"}},
	}
	if err := c.Kill(ctx, 1); err == nil {
		t.Error("Kill did not tell that it had not waited")
	}
	if state := c.nodes[1].state; state != stopped {
		t.Errorf("the node is %v", state)
	}
}
