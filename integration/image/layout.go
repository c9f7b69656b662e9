package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// entry is one file or folder of the image.
type entry struct {
	path    string // absolute, in the image
	source  string // the file on this machine that is copied, or empty
	content []byte // the content where there is no source
	mode    fs.FileMode
}

// layout lists all that goes into the image, sorted by path.
func layout(ctx context.Context, libs, java string) ([]entry, error) {
	entries := []entry{
		{path: "/tmp", mode: fs.ModeDir | fs.ModeSticky | 0o777},
		{path: "/etc/passwd", mode: 0o644, content: []byte("root:x:0:0:root:/tmp:/bin/sh\n")},
		{path: "/etc/group", mode: 0o644, content: []byte("root:x:0:\n")},
		{path: "/etc/nsswitch.conf", mode: 0o644, content: []byte("hosts: files dns\n")},
	}
	fixed, err := fixedFiles()
	if err != nil {
		return nil, err
	}
	entries = append(entries, fixed...)
	for source, target := range map[string]string{libs: "/opt/kafka/libs", java: "/opt/java/openjdk"} {
		copied, err := tree(source, target)
		if err != nil {
			return nil, err
		}
		entries = append(entries, copied...)
	}

	var linked []string
	for _, each := range entries {
		if strings.HasPrefix(each.path, "/opt/java/openjdk/") && (strings.HasSuffix(each.path, ".so") || path.Base(each.path) == "java") {
			linked = append(linked, each.source)
		}
	}
	for _, tool := range hostTools {
		source, err := exec.LookPath(tool)
		if err != nil {
			return nil, fmt.Errorf("the machine has no %s to copy into the image: %w", tool, err)
		}
		linked = append(linked, source)
		entries = append(entries, entry{path: "/bin/" + tool, source: source, mode: 0o755})
	}
	libraries, err := sharedLibraries(ctx, linked)
	if err != nil {
		return nil, err
	}
	for _, library := range libraries {
		entries = append(entries, entry{path: library, source: library, mode: 0o755})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return slices.CompactFunc(entries, func(a, b entry) bool { return a.path == b.path }), nil
}

// fixedFiles are the scripts and the logging configuration.
func fixedFiles() ([]entry, error) {
	var entries []entry
	for folder, mode := range map[string]fs.FileMode{"bin": 0o755, "config": 0o644} {
		found, err := files.ReadDir("files/" + folder)
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			content, err := files.ReadFile(path.Join("files", folder, file.Name()))
			if err != nil {
				return nil, err
			}
			entries = append(entries, entry{path: path.Join("/opt/kafka", folder, file.Name()), content: content, mode: mode})
		}
	}
	return entries, nil
}

// tree lists the files below source as they shall be found below target.
// Symbolic links are followed.
func tree(source, target string) ([]entry, error) {
	var entries []entry
	err := filepath.WalkDir(source, func(file string, each fs.DirEntry, err error) error {
		if err != nil || each.IsDir() {
			return err
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		entries = append(entries, entry{path: path.Join(target, filepath.ToSlash(relative)), source: file, mode: info.Mode().Perm()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", source, err)
	}
	return entries, nil
}

// sharedLibraries lists the libraries that the given programs and libraries
// need, the dynamic linker among them.
func sharedLibraries(ctx context.Context, linked []string) ([]string, error) {
	// One call each: ldd's exit code is that of the last file only.
	found := map[string]bool{}
	for _, file := range linked {
		output, err := exec.CommandContext(ctx, "ldd", file).CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("ldd is missing: building needs a Linux with glibc and its libc-bin")
		}
		if err != nil {
			if strings.Contains(string(output), "not a dynamic executable") {
				continue
			}
			return nil, fmt.Errorf("ldd %s: %w: %s", file, err, lastLines(string(output), 2))
		}
		for _, library := range parseLdd(string(output)) {
			found[library] = true
		}
	}
	for library := range found {
		if path.Base(library) != "libc.so.6" {
			continue
		}
		// Loaded by name when a host name is looked up, so ldd does not tell.
		for _, name := range []string{"libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"} {
			if beside := path.Join(path.Dir(library), name); fileExists(beside) {
				found[beside] = true
			}
		}
	}
	libraries := make([]string, 0, len(found))
	for library := range found {
		libraries = append(libraries, library)
	}
	slices.Sort(libraries)
	return libraries, nil
}

// parseLdd takes the paths from lines such as
//
//	libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f…)
//	/lib64/ld-linux-x86-64.so.2 (0x00007f…)
//
// and leaves out libraries of the Java runtime, which are found beside it.
func parseLdd(output string) []string {
	var paths []string
	for line := range strings.Lines(output) {
		if _, target, ok := strings.Cut(line, "=>"); ok {
			line = target
		}
		library, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(library, "/") && !strings.Contains(library, "/java/lib/") {
			paths = append(paths, library)
		}
	}
	return paths
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
