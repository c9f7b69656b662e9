package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"
)

func TestParseLdd(t *testing.T) {
	got := parseLdd("\tlinux-vdso.so.1 (0x00007ffd)\n" +
		"\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f01)\n" +
		"\tlibjvm.so => /tmp/b/java/lib/server/libjvm.so (0x00007f02)\n" +
		"\tlibX11.so.6 => not found\n" +
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007f03)\n")
	if want := []string{"/lib/x86_64-linux-gnu/libz.so.1", "/lib64/ld-linux-x86-64.so.2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriteTar(t *testing.T) {
	var archive bytes.Buffer
	err := writeTar(&archive, []entry{
		{path: "/opt/kafka/bin/run", content: []byte("x"), mode: 0o755},
		{path: "/opt/kafka/libs/a.jar", content: []byte("yy"), mode: 0o644},
		{path: "/tmp", mode: fs.ModeDir | fs.ModeSticky | 0o777},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name string
		mode int64
	}{
		{"opt/", 0o755}, {"opt/kafka/", 0o755}, {"opt/kafka/bin/", 0o755}, {"opt/kafka/bin/run", 0o755},
		{"opt/kafka/libs/", 0o755}, {"opt/kafka/libs/a.jar", 0o644}, {"tmp/", 0o1777},
	}
	reader := tar.NewReader(&archive)
	for _, each := range want {
		header, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if header.Name != each.name || header.Mode != each.mode {
			t.Errorf("got %s with mode %o, want %s with %o", header.Name, header.Mode, each.name, each.mode)
		}
	}
	if _, err := reader.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last entry: %v", err)
	}
}

func TestRecipeHashTellsVersionsApart(t *testing.T) {
	first, again := recipeHash("4.3.0"), recipeHash("4.3.0")
	if first != again || first == recipeHash("3.9.2") {
		t.Error("the hash is not one of the version")
	}
}
