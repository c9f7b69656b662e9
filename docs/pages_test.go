// Package docs holds the pages to the code: what they show compiles, and what they name
// is there.
package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages returns the text of every page, by its path from the top of the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	text := make(map[string]string)
	for _, path := range append(paths, top...) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel("..", filepath.Join("../docs", path))
		if err != nil {
			t.Fatal(err)
		}
		text[name] = string(content)
	}
	if len(text) < 10 {
		t.Fatalf("only %d pages are found", len(text))
	}
	return text
}

// imports are the packages that snippets may use, by their names in code.
var imports = map[string]string{
	"act":     "github.com/groupkit/groupkit/inspect/act",
	"assign":  "github.com/groupkit/groupkit/assign",
	"cmp":     "cmp",
	"context": "context",
	"errors":  "errors",
	"fmt":     "fmt",
	"http":    "net/http",
	"inspect": "github.com/groupkit/groupkit/inspect",
	"kgo":     "github.com/twmb/franz-go/pkg/kgo",
	"member":  "github.com/groupkit/groupkit/member",
	"predict": "github.com/groupkit/groupkit/inspect/predict",
	"slices":  "slices",
	"slog":    "log/slog",
	"time":    "time",
}

// given is what snippets leave to their reader.
const given = `package snippets

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/member"
)

var (
	ctx       context.Context
	client    *kgo.Client
	m         *member.Member
	in        *inspect.Inspector
	anHourAgo time.Time

	compactReports     func(context.Context) error
	keepReportsCompact func(context.Context) error
	handle             func(context.Context, []*kgo.Record) error
	lead               func(context.Context, member.Term) error
	report             func(context.Context, member.Fence) error
)
`

var goFence = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// TestSnippetsCompile builds every piece of Go on the pages as the body of a function.
func TestSnippetsCompile(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	overlay := map[string]string{}
	add := func(name, code string) {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(root, "docs", "snippets", name)] = path
	}
	add("given.go", given)
	for page, text := range pages(t) {
		for _, at := range goFence.FindAllStringSubmatchIndex(text, -1) {
			line := 1 + strings.Count(text[:at[2]], "\n")
			code, err := program(text[at[2]:at[3]], page, line)
			if err != nil {
				t.Errorf("%s:%d: %v", page, line, err)
				continue
			}
			add(fmt.Sprintf("%s_%d.go", strings.TrimSuffix(filepath.Base(page), ".md"), line), code)
		}
	}
	if len(overlay) < 5 {
		t.Fatalf("only %d snippets are found", len(overlay)-1)
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(path, list, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-overlay", path, "./docs/snippets")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// program makes a file of a snippet. Errors of the compiler name the line of the page.
func program(snippet, page string, line int) (string, error) {
	var body []string
	for text := range strings.Lines(snippet) {
		if strings.TrimSpace(text) == "…" {
			text = "\n" // what is left out
		}
		body = append(body, text)
	}
	const head = "package snippets\n"
	function := "func _() error {\n" + fmt.Sprintf("//line %s:%d\n", page, line) + strings.Join(body, "") + "return nil\n}\n"
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", head+function, 0)
	if err != nil {
		return "", err
	}
	used := make(map[string]bool)
	uses := make(map[int]string) // by where they go: what snippets declare they need not use
	use := func(at token.Pos, declared ...ast.Expr) {
		for _, d := range declared {
			if name, ok := d.(*ast.Ident); ok && name.Name != "_" {
				uses[files.PositionFor(at, false).Offset-len(head)] += "; _ = " + name.Name + ";"
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && imports[x.Name] != "" {
				used[x.Name] = true
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				use(n.Body.Lbrace+1, n.Key, n.Value)
			}
		case *ast.BlockStmt:
			for _, statement := range n.List {
				if assigned, ok := statement.(*ast.AssignStmt); ok && assigned.Tok == token.DEFINE {
					use(assigned.End(), assigned.Lhs...)
				}
			}
		}
		return true
	})
	for _, at := range slices.Backward(slices.Sorted(maps.Keys(uses))) {
		function = function[:at] + uses[at] + function[at:]
	}
	code := head
	for _, name := range slices.Sorted(maps.Keys(used)) {
		code += fmt.Sprintf("import %q\n", imports[name])
	}
	return code + function, nil
}

var (
	link    = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noWord  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinksLeadSomewhere looks for the file, and the heading, that each link names.
func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	anchors := func(text string) (found []string) {
		for _, h := range heading.FindAllStringSubmatch(text, -1) {
			found = append(found, strings.ReplaceAll(noWord.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
		}
		return found
	}
	for page, text := range all {
		for _, l := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(l[1], "://") {
				continue
			}
			target := page
			if l[1] != "" {
				target = filepath.Join(filepath.Dir(page), l[1])
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, l[1])
			}
			if l[2] != "" && !slices.Contains(anchors(all[target]), l[2]) {
				t.Errorf("%s: %s has no heading for #%s", page, target, l[2])
			}
		}
	}
}

var (
	named    = regexp.MustCompile(`\bTest[A-Z]\w+`)
	declared = regexp.MustCompile(`(?m)^func (Test[A-Z]\w+)\(`)
)

// TestNamedTestsExist looks for the tests that pages name for what they promise, or by the
// beginning of a name, as go test -run takes it.
func TestNamedTestsExist(t *testing.T) {
	var exist []string
	err := filepath.WalkDir("..", func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		code, err := os.ReadFile(path)
		for _, d := range declared.FindAllSubmatch(code, -1) {
			exist = append(exist, string(d[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for page, text := range pages(t) {
		for _, name := range named.FindAllString(text, -1) {
			if !slices.ContainsFunc(exist, func(test string) bool { return strings.HasPrefix(test, name) }) {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
	}
}
