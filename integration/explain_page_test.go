package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

const explainPage = "../docs/explain.md"

var explainPageMu sync.Mutex

// document writes what groupctl prints of the group into the page, where that has a block
// of this name.
func (g *trouble) document(ctl groupctl, name string, recorded time.Duration) {
	begin := "<!-- seen: " + name + " -->\n```console\n"
	if page, err := os.ReadFile(explainPage); err != nil || !strings.Contains(string(page), begin) {
		return
	}
	events := filepath.Join(g.t.TempDir(), "members.jsonl")
	if err := os.WriteFile(events, nil, 0o644); err != nil {
		g.t.Error(err)
	}
	lasts := recorded - time.Second
	command := exec.CommandContext(g.t.Context(), ctl.path, "-b", strings.Join(g.c.Seeds(), ","), "group", "explain", g.group,
		"--for", lasts.String(), "--since", "1s", "--events", events)
	// Members that start later log to files that there are not yet.
	time.AfterFunc(lasts-2*time.Second, func() {
		var lines bytes.Buffer
		for _, path := range g.files() {
			raw, _ := os.ReadFile(path)
			lines.Write(raw)
		}
		_ = os.WriteFile(events, lines.Bytes(), 0o644)
	})
	var complaints bytes.Buffer
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		g.t.Errorf("%v: %s", err, complaints.String())
		return
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(printed), g.group, "orders"), g.topic, "orders")
	text = fmt.Sprintf("$ groupctl -b localhost:9092 group explain orders --for %s --events members.jsonl\n%s", recorded, forThePage(text))
	explainPageMu.Lock()
	defer explainPageMu.Unlock()
	page, err := os.ReadFile(explainPage)
	if err != nil {
		g.t.Error(err)
		return
	}
	before, rest, _ := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, "```\n")
	if !closed {
		g.t.Errorf("%s: the block %q does not end", explainPage, name)
		return
	}
	if err := os.WriteFile(explainPage, []byte(before+begin+text+"```\n"+after), 0o644); err != nil {
		g.t.Error(err)
	}
}

var (
	longID     = regexp.MustCompile(`([A-Za-z]+-[0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	otherTopic = regexp.MustCompile(`topic-TestExplainFindsTheCause-[\w-]+`)
	account    = regexp.MustCompile(`^ +\d+  [a-z]`)
	firstLine  = regexp.MustCompile(`^   (→ |\d\d:\d\d:\d\dZ  )?`)
)

// forThePage shortens identifiers, and breaks lines anew.
func forThePage(text string) string {
	const width = 88
	var out []string
	indent := ""
	for line := range strings.Lines(otherTopic.ReplaceAllString(longID.ReplaceAllString(text, "$1"), "payments")) {
		line = strings.TrimSuffix(line, "\n")
		first := firstLine.FindString(line)
		if first == "" || len(out) == 0 || account.MatchString(line) {
			out, indent = append(out, line), ""
			continue
		}
		words := strings.Fields(line[len(first):])
		if goesOn := strings.HasPrefix(line, "    ") || first == "   " && indent == "   "; goesOn && indent != "" {
			first = "" // of the line before
		} else {
			indent = strings.Repeat(" ", len([]rune(first)))
			out = append(out, first)
		}
		for _, word := range words {
			last := &out[len(out)-1]
			switch {
			case strings.TrimSpace(*last) == "" || strings.HasSuffix(*last, " "):
				*last += word
			case len([]rune(*last))+1+len([]rune(word)) > width:
				out = append(out, indent+word)
			default:
				*last += " " + word
			}
		}
	}
	return strings.Join(out, "\n") + "\n"
}
