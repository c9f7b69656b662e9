// Package oracle builds and starts Kafka's own assignors, the Java program in
// bench/java, as a planner of package wire. It needs a JDK of version 17 or later and
// Maven, and fails where they are missing.
package oracle

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/groupkit/groupkit/bench/wire"
)

// The assignors that the oracle has.
const (
	Range             = "range"
	RoundRobin        = "roundrobin"
	Sticky            = "sticky"
	CooperativeSticky = "cooperative-sticky"
)

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Build compiles the program, and gets what it needs, into .cache/oracle. It does
// nothing where that is newer than the sources.
func Build() error {
	built, err := os.Stat(stamp())
	if err == nil {
		fresh, err := newerThanSources(built)
		if err != nil || fresh {
			return err
		}
	}
	command := exec.Command("mvn", "-q", "-B", "-f", filepath.Join(Root(), "bench", "java", "pom.xml"), "process-classes")
	output, err := command.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("mvn is missing: install Maven and a JDK of version 17 or later (on Debian: maven, default-jdk-headless)")
	}
	if err != nil {
		return fmt.Errorf("%s failed (%w):\n%s", strings.Join(command.Args, " "), err, output)
	}
	return os.WriteFile(stamp(), nil, 0o644)
}

func directory() string { return filepath.Join(Root(), ".cache", "oracle") }
func stamp() string     { return filepath.Join(directory(), "built") }

func newerThanSources(built os.FileInfo) (bool, error) {
	fresh := true
	err := filepath.WalkDir(filepath.Join(Root(), "bench", "java"), func(_ string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(built.ModTime()) {
			fresh = false
		}
		return err
	})
	return fresh, err
}

// Start builds the program where that is needed and starts a JVM with it.
func Start() (*wire.Planner, error) {
	if err := Build(); err != nil {
		return nil, err
	}
	classpath := filepath.Join(directory(), "classes") + string(filepath.ListSeparator) + filepath.Join(directory(), "libs", "*")
	return wire.Start(exec.Command(java(), "-cp", classpath, "groupkit.oracle.Oracle"))
}

// Version returns what the JVM calls itself.
func Version() (string, error) {
	output, err := exec.Command(java(), "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("java -version: %w: %s", err, output)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.TrimSpace(lines[min(1, len(lines)-1)]), nil
}

func java() string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java")
	}
	return "java"
}
