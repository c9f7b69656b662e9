package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/client"
)

// fakeEngine has some images and cannot get any others.
type fakeEngine struct {
	images map[string]string // reference to recipe
	pulled []string
}

func (f *fakeEngine) ImageInspect(_ context.Context, ref string, _ ...client.ImageInspectOption) (client.ImageInspectResult, error) {
	recipe, ok := f.images[ref]
	if !ok {
		return client.ImageInspectResult{}, errdefs.ErrNotFound
	}
	var result client.ImageInspectResult
	result.Config = &dockerspec.DockerOCIImageConfig{}
	result.Config.Labels = map[string]string{recipeLabel: recipe}
	return result, nil
}

var errNoRegistry = errors.New("no registry")

func (f *fakeEngine) ImagePull(_ context.Context, ref string, _ client.ImagePullOptions) (client.ImagePullResponse, error) {
	f.pulled = append(f.pulled, ref)
	return nil, errNoRegistry
}

func (f *fakeEngine) ImageImport(context.Context, client.ImageImportSource, string, client.ImageImportOptions) (client.ImageImportResult, error) {
	return nil, errors.New("not in this test")
}

func (f *fakeEngine) ImageRemove(context.Context, string, client.ImageRemoveOptions) (client.ImageRemoveResult, error) {
	return client.ImageRemoveResult{}, nil
}

func TestEnsureUsesWhatIsThere(t *testing.T) {
	for _, test := range []struct {
		name, variable, version string
		images                  map[string]string
		want                    string
	}{
		{"official", "", "4.3.0", map[string]string{"apache/kafka:4.3.0": "", "groupkit/kafka:4.3.0": recipeHash("4.3.0")}, "apache/kafka:4.3.0"},
		{"built", "", "", map[string]string{"groupkit/kafka:4.3.0": recipeHash("4.3.0")}, "groupkit/kafka:4.3.0"},
		{"built of another version", "", "3.9.2", map[string]string{"groupkit/kafka:3.9.2": recipeHash("3.9.2")}, "groupkit/kafka:3.9.2"},
		{"named", "my/kafka:1", "", map[string]string{"my/kafka:1": "", "apache/kafka:4.3.0": ""}, "my/kafka:1"},
		{"named, other version asked for", "my/kafka:1", "3.9.2", map[string]string{"apache/kafka:3.9.2": ""}, "apache/kafka:3.9.2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("KAFKA_IMAGE", test.variable)
			engine := &fakeEngine{images: test.images}
			got, err := Ensure(t.Context(), engine, test.version, t.Logf)
			if err != nil || got != test.want {
				t.Errorf("got %q and %v, want %q", got, err, test.want)
			}
			if len(engine.pulled) > 0 {
				t.Errorf("%q was pulled", engine.pulled)
			}
		})
	}
}

func TestEnsureSaysWhatIsMissing(t *testing.T) {
	t.Run("named image", func(t *testing.T) {
		t.Setenv("KAFKA_IMAGE", "my/kafka:1")
		_, err := Ensure(t.Context(), &fakeEngine{}, "", nil)
		if !errors.Is(err, errNoRegistry) || !strings.Contains(err.Error(), "my/kafka:1, named by KAFKA_IMAGE") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no Maven, recipe outdated", func(t *testing.T) {
		t.Setenv("KAFKA_IMAGE", "")
		t.Setenv("PATH", t.TempDir())
		engine := &fakeEngine{images: map[string]string{"groupkit/kafka:4.3.0": "an older recipe"}}
		_, err := Ensure(t.Context(), engine, "", nil)
		if err == nil || !strings.Contains(err.Error(), "mvn is missing: install Maven") {
			t.Errorf("got %v", err)
		}
		var missing *MissingToolError
		if !errors.As(err, &missing) || missing.Name != "mvn" {
			t.Errorf("no MissingToolError of mvn in %v", err)
		}
	})
	t.Run("no jlink", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		t.Setenv("JAVA_HOME", t.TempDir())
		var missing *MissingToolError
		if err := linkRuntime(t.Context(), ""); !errors.As(err, &missing) || missing.Name != "jlink" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Maven fails", func(t *testing.T) {
		t.Setenv("KAFKA_IMAGE", "")
		t.Setenv("PATH", scripts(t, map[string]string{"mvn": "printf '\\033[0m[ERROR] no such version\\n'; echo [ERROR]; echo [ERROR] read more; exit 1"}))
		engine := &fakeEngine{}
		_, err := EnsureOffline(t.Context(), engine, "", nil)
		var missing *MissingToolError
		if err == nil || errors.As(err, &missing) || !strings.HasSuffix(err.Error(), ": no such version") {
			t.Errorf("got %v", err)
		}
		if len(engine.pulled) > 0 {
			t.Errorf("%q was pulled", engine.pulled)
		}
	})
}

// An interrupted build ends its tools and leaves no folder.
func TestInterruptedBuild(t *testing.T) {
	t.Setenv("KAFKA_IMAGE", "")
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	path := os.Getenv("PATH")
	t.Setenv("PATH", scripts(t, map[string]string{"mvn": "PATH=" + path + "; touch begun; exec sleep 60"}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for t.Context().Err() == nil {
			if begun, _ := filepath.Glob(filepath.Join(folder, "*", "begun")); len(begun) > 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if _, err := EnsureOffline(ctx, &fakeEngine{}, "", nil); err == nil {
		t.Error("no error")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// scripts makes a folder of shell scripts.
func scripts(t *testing.T, bodies map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, body := range bodies {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
