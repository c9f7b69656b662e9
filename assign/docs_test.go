package assign_test

import (
	"os"
	"strings"
	"testing"
)

// TestDocsShowTheExample: the assignor in docs/assignors.md is the one of ExampleNew.
func TestDocsShowTheExample(t *testing.T) {
	page, err := os.ReadFile("../docs/assignors.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```go\n")
	shown, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page shows no code")
	}
	indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(shown, "\n"), "\n", "\n\t") + "\n"
	if !strings.Contains(string(source), indented) {
		t.Errorf("example_test.go does not have the code of the page:\n%s", shown)
	}
}
