package image

import (
	"context"
	"errors"
	"strings"
	"testing"

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
	})
}
