package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	containerlog "github.com/testcontainers/testcontainers-go/log"
)

// ErrNoEngine is returned where no Docker engine answers.
var ErrNoEngine = errors.New("no Docker engine answers: start Docker or set DOCKER_HOST, " +
	"or run the tests with `make test` or `integration/engine.sh run -- go test ./...`, " +
	"which install and start an engine on Debian as root")

// localhost is the only address of this machine that the clusters listen on.
const localhost = "127.0.0.1"

// engine is the Docker engine that clusters run on.
type engine struct {
	*testcontainers.DockerClient
	host string // where published ports are reached
}

// connect finds the engine as testcontainers does, and makes sure that it
// answers.
func connect(ctx context.Context) (*engine, error) {
	address := os.Getenv("DOCKER_HOST")
	local := address == "" || strings.HasPrefix(address, "unix://") || strings.HasPrefix(address, "npipe://")
	// testcontainers reads these once, when it is first used. The harness cleans
	// up itself and needs no reaper, whose image could not be pulled everywhere;
	// and inside a container a local engine would be taken for a remote one.
	settings := map[string]string{"TESTCONTAINERS_RYUK_DISABLED": "true"}
	if local {
		settings["TESTCONTAINERS_HOST_OVERRIDE"] = localhost
	}
	for key, value := range settings {
		if err := os.Setenv(key, value); err != nil {
			return nil, fmt.Errorf("set %s: %w", key, err)
		}
	}
	// Its remarks on every container would bury what the tests print.
	containerlog.SetDefault(containerlog.NewNoopLogger())

	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNoEngine, firstLine(err))
	}
	defer provider.Close()
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNoEngine, firstLine(err))
	}
	if _, err := docker.Ping(ctx, client.PingOptions{}); err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNoEngine, firstLine(err))
	}
	host := localhost
	if !local {
		if host, err = provider.DaemonHost(ctx); err != nil {
			return nil, fmt.Errorf("find the address of the Docker engine: %w", err)
		}
	}
	return &engine{DockerClient: docker, host: host}, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
