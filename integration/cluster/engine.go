package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
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
	local := isLocal(os.Getenv("DOCKER_HOST"))
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
		return nil, errors.Join(fmt.Errorf("%w (%v)", ErrNoEngine, firstLine(err)), docker.Close())
	}
	host := localhost
	if !local {
		if host, err = provider.DaemonHost(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("find the address of the Docker engine: %w", err), docker.Close())
		}
	}
	return &engine{DockerClient: docker, host: host}, nil
}

// isLocal tells whether the engine at that DOCKER_HOST publishes ports on this
// machine.
func isLocal(address string) bool {
	if address == "" {
		return true
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch parsed.Scheme {
	case "unix", "npipe":
		return true
	case "tcp", "http", "https":
		ip, err := netip.ParseAddr(parsed.Hostname())
		return parsed.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	default:
		return false
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
