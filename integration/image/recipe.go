package image

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// DefaultVersion is the version of Kafka that tests run unless they ask for
// another.
const DefaultVersion = "4.3.0"

// files holds what is copied into the image as it is, and the pom.xml that
// names the jars.
//
//go:embed files
var files embed.FS

// recipeLabel is the label that holds the hash of the recipe.
const recipeLabel = "io.groupkit.recipe"

// layoutVersion is raised when the code that lays the image out changes in a
// way that neither files/ nor the tables below show.
const layoutVersion = 1

// dependencyPlugin is pinned, since Maven would choose by its own version.
const dependencyPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"

// javaModules are those that the broker, ZooKeeper and Kafka's tools load:
// java.desktop for the java.beans that log4j uses, jdk.jcmd for the jstack that
// tells why a broker hangs.
var javaModules = []string{
	"java.base", "java.compiler", "java.desktop", "java.instrument", "java.logging", "java.management",
	"java.management.rmi", "java.naming", "java.net.http", "java.rmi", "java.scripting", "java.security.jgss", "java.security.sasl",
	"java.sql", "java.xml", "jdk.crypto.ec", "jdk.jcmd", "jdk.management", "jdk.management.agent",
	"jdk.naming.dns", "jdk.net", "jdk.security.auth", "jdk.security.jgss", "jdk.unsupported", "jdk.zipfs",
}

// excludedFiles are the native libraries of windows, fonts and sound.
const excludedFiles = "glob:/java.desktop/lib/**"

// hostTools are copied from the machine: sh for the scripts, the others for
// who looks into a container.
var hostTools = []string{"sh", "cat", "chmod", "cp", "grep", "head", "id", "ls", "mkdir", "mv", "rm", "sleep", "tail"}

// imageChanges is the image's configuration, in the words of a Dockerfile.
var imageChanges = []string{
	"ENV PATH=/opt/java/openjdk/bin:/bin:/opt/kafka/bin",
	"ENV JAVA_HOME=/opt/java/openjdk",
	"ENV LANG=C.UTF-8",
	"WORKDIR /tmp",
}

// recipeHash is the same for the same recipe and version of Kafka.
func recipeHash(version string) string {
	hash := sha256.New()
	fmt.Fprintln(hash, layoutVersion, version, dependencyPlugin, javaModules, excludedFiles, hostTools, imageChanges)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		fmt.Fprintf(hash, "%s %d %s\n", path, len(content), content)
		return err
	})
	if err != nil {
		// The embedded files are part of the program: reading them cannot fail.
		panic(err)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

// usesLog4j2 tells which logging library the broker of that version has.
func usesLog4j2(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 4
}
