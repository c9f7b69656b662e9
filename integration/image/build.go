package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// minimumJava is what Kafka 4 runs on.
const minimumJava = 17

// A MissingToolError says that the image cannot be built since the machine has
// no such tool.
type MissingToolError struct {
	Name   string // "mvn" or "jlink"
	Remedy string // what to do, such as "install Maven"
}

func (e *MissingToolError) Error() string { return e.Name + " is missing: " + e.Remedy }

// build makes the image and leaves it on the engine under ref.
func build(ctx context.Context, engine Engine, version, ref, hash string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("building needs Linux, this is %s: make %s available to the engine or name another by KAFKA_IMAGE",
			runtime.GOOS, Wanted(version))
	}
	directory, err := os.MkdirTemp("", "groupkit-image-")
	if err != nil {
		return fmt.Errorf("create a build folder: %w", err)
	}
	defer os.RemoveAll(directory)

	libs := filepath.Join(directory, "libs")
	if err := copyJars(ctx, version, directory, libs); err != nil {
		return err
	}
	java := filepath.Join(directory, "java")
	if err := linkRuntime(ctx, java); err != nil {
		return err
	}
	entries, err := layout(ctx, libs, java)
	if err != nil {
		return err
	}

	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(writeTar(writer, entries)) }()
	defer reader.Close()
	return importImage(ctx, engine, reader, ref, hash)
}

// copyJars fetches Kafka's jars, and all that they need, into libs.
func copyJars(ctx context.Context, version, directory, libs string) error {
	pom, err := files.ReadFile("files/pom.xml")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(directory, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	args := []string{"-q", "-B", dependencyPlugin + ":copy-dependencies",
		"-Dkafka.version=" + version, "-DincludeScope=runtime", "-DoutputDirectory=" + libs}
	if usesLog4j2(version) {
		args = append(args, "-Plog4j2")
	}
	return run(ctx, directory, "mvn", "install Maven", args...)
}

// linkRuntime makes a Java runtime of the modules that Kafka needs.
func linkRuntime(ctx context.Context, target string) error {
	jlink := jdkTool("jlink")
	version, err := exec.CommandContext(ctx, jlink, "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return &MissingToolError{"jlink", fmt.Sprintf("install a JDK of version %d or later, or set JAVA_HOME to one", minimumJava)}
	}
	if err != nil {
		return fmt.Errorf("%s does not run (%w): install a JDK of version %d or later, or set JAVA_HOME to one", jlink, err, minimumJava)
	}
	major, _, _ := strings.Cut(strings.TrimSpace(string(version)), ".")
	if n, err := strconv.Atoi(major); err != nil || n < minimumJava {
		return fmt.Errorf("%s is of Java %s: install a JDK of version %d or later, or set JAVA_HOME to one",
			jlink, strings.TrimSpace(string(version)), minimumJava)
	}
	err = run(ctx, "", jlink, "install a full JDK",
		"--add-modules", strings.Join(javaModules, ","), "--output", target, "--exclude-files", excludedFiles,
		"--strip-java-debug-attributes", "--no-header-files", "--no-man-pages")
	if err != nil {
		return err
	}
	// The archive of preloaded classes that jlink leaves out makes every start
	// of a JVM faster.
	return run(ctx, "", filepath.Join(target, "bin", "java"), "use another JDK", "-XX:+UseSerialGC", "-Xshare:dump")
}

// jdkTool is the tool of JAVA_HOME if that has it, or the one on the PATH.
func jdkTool(name string) string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		path := filepath.Join(home, "bin", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return name
}

// run runs a tool; its error holds what the tool said went wrong, and remedy where
// the tool is missing.
func run(ctx context.Context, directory, name, remedy string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = directory
	command.WaitDelay = 5 * time.Second // what a killed tool started may still have its output
	output, err := command.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return &MissingToolError{name, remedy}
	}
	if err != nil {
		return fmt.Errorf("%s failed (%w): %s", name, err, reason(string(output)))
	}
	return nil
}

// reason is what the tool says went wrong: Maven's first error, since its last
// lines only say where to read on, and the last lines of any other tool.
func reason(output string) string {
	for line := range strings.Lines(output) {
		// The line may begin with what resets colours.
		if _, message, ok := strings.Cut(line, "[ERROR] "); ok && strings.TrimSpace(message) != "" {
			return strings.TrimSpace(message)
		}
	}
	return lastLines(output, 4)
}

// lastLines joins the last n lines that are not empty into one.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}
