package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Engine is the part of the Docker client that Ensure uses.
type Engine interface {
	ImageInspect(ctx context.Context, ref string, options ...client.ImageInspectOption) (client.ImageInspectResult, error)
	ImagePull(ctx context.Context, ref string, options client.ImagePullOptions) (client.ImagePullResponse, error)
	ImageImport(ctx context.Context, source client.ImageImportSource, ref string, options client.ImageImportOptions) (client.ImageImportResult, error)
	ImageRemove(ctx context.Context, ref string, options client.ImageRemoveOptions) (client.ImageRemoveResult, error)
}

const (
	// firstAnswer bounds the wait for a registry to say anything at all, so
	// that a machine cut off from registries builds without much delay.
	firstAnswer = 20 * time.Second
	// wholePull bounds the download of some 400 MB.
	wholePull = 5 * time.Minute
)

// Wanted is the image asked for: what KAFKA_IMAGE names, if version is
// [DefaultVersion] or empty, and apache/kafka:VERSION otherwise.
func Wanted(version string) string {
	if version == "" || version == DefaultVersion {
		if ref := os.Getenv("KAFKA_IMAGE"); ref != "" {
			return ref
		}
		version = DefaultVersion
	}
	return "apache/kafka:" + version
}

// Ensure returns the reference of an image of that version of Kafka which is on
// the engine, and pulls or builds one where there is none. See the package
// comment for what it tries and in which order. When ctx ends, so do the tools
// that build, and their folder is removed.
//
// version is such as "4.3.0"; empty stands for [DefaultVersion]. logf is told
// about pulling and building, which take a while; nil is allowed. The error
// says what failed and what to do about it; it wraps a [MissingToolError] where
// that is a tool.
func Ensure(ctx context.Context, engine Engine, version string, logf func(format string, args ...any)) (string, error) {
	return ensure(ctx, engine, version, logf, true)
}

// EnsureOffline is Ensure without a pull: for another try after one that failed.
func EnsureOffline(ctx context.Context, engine Engine, version string, logf func(format string, args ...any)) (string, error) {
	return ensure(ctx, engine, version, logf, false)
}

func ensure(ctx context.Context, engine Engine, version string, logf func(string, ...any), online bool) (string, error) {
	if logf == nil {
		logf = func(string, ...any) {}
	}
	wanted := Wanted(version)
	if _, err := engine.ImageInspect(ctx, wanted); err == nil {
		return wanted, nil
	} else if !errdefs.IsNotFound(err) {
		return "", fmt.Errorf("cannot look for image %s on the Docker engine: %w", wanted, err)
	}

	version, buildable := strings.CutPrefix(wanted, "apache/kafka:")
	built := "groupkit/kafka:" + version
	hash := recipeHash(version)
	outdated := ""
	if buildable {
		inspected, err := engine.ImageInspect(ctx, built)
		if err == nil && inspected.Config != nil && inspected.Config.Labels[recipeLabel] == hash {
			return built, nil
		}
		outdated = inspected.ID
	}

	pullErr := errors.New("not tried again")
	if online {
		logf("pulling %s", wanted)
		if pullErr = pull(ctx, engine, wanted); pullErr == nil {
			return wanted, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("interrupted while image %s was pulled: %w", wanted, err)
	}
	if !buildable {
		return "", fmt.Errorf("image %s, named by KAFKA_IMAGE, is not on the Docker engine and cannot be pulled: %w", wanted, pullErr)
	}
	if online {
		logf("cannot pull %s (%v)", wanted, pullErr)
	}
	logf("building %s", built)
	if err := build(ctx, engine, version, built, hash); err != nil {
		return "", fmt.Errorf("image %s cannot be pulled (%w), and not be built either: %w", wanted, pullErr, err)
	}
	if outdated != "" {
		// It fails while a cluster of another process still runs the old image,
		// which then stays without a name.
		_, _ = engine.ImageRemove(ctx, outdated, client.ImageRemoveOptions{})
	}
	return built, nil
}

// pull downloads the image, and gives up if the registry is silent.
func pull(ctx context.Context, engine Engine, ref string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(firstAnswer, func() { cancel(fmt.Errorf("no answer from the registry within %v", firstAnswer)) })
	defer silent.Stop()
	slow := time.AfterFunc(wholePull, func() { cancel(fmt.Errorf("not finished within %v", wholePull)) })
	defer slow.Stop()

	response, err := engine.ImagePull(ctx, ref, client.ImagePullOptions{})
	if err != nil {
		return pullError(ctx, err)
	}
	defer response.Close()
	for message, err := range response.JSONMessages(ctx) {
		silent.Stop()
		if err != nil {
			return pullError(ctx, err)
		}
		if message.Error != nil {
			return message.Error
		}
	}
	return pullError(ctx, nil)
}

// pullError prefers the reason for which the pull was given up to the error
// that giving up caused.
func pullError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// importImage hands the engine a root file system as an image of one layer.
func importImage(ctx context.Context, engine Engine, rootfs io.Reader, ref, hash string) error {
	repository, tag, ok := strings.Cut(ref, ":")
	if !ok {
		return errors.New("image reference without a tag: " + ref)
	}
	changes := append([]string{"LABEL " + recipeLabel + "=" + hash}, imageChanges...)
	result, err := engine.ImageImport(ctx,
		client.ImageImportSource{Source: rootfs, SourceName: "-"},
		repository, client.ImageImportOptions{Tag: tag, Changes: changes, Message: "Kafka for groupkit's tests"})
	if err != nil {
		return fmt.Errorf("import into the Docker engine: %w", err)
	}
	defer result.Close()
	answer, err := io.ReadAll(result)
	if err != nil {
		return fmt.Errorf("import into the Docker engine: %w", err)
	}
	// The engine answers 200 before it has read the archive; a failure after
	// that is in the stream of messages.
	if strings.Contains(string(answer), `"errorDetail"`) {
		return fmt.Errorf("import into the Docker engine: %s", strings.TrimSpace(string(answer)))
	}
	return nil
}
