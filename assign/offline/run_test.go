package offline

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// measured is what differs from run to run, or is tested with package assign.
var measured = regexp.MustCompile(`"(elapsedNs|lowerBound)":[^,}]+`)

func run(t *testing.T, s Solver, in string) (string, Counts) {
	t.Helper()
	var out bytes.Buffer
	counts, err := s.Run(t.Context(), strings.NewReader(in), &out)
	if err != nil {
		t.Fatal(err)
	}
	return measured.ReplaceAllString(out.String(), `"$1":0`), counts
}

func TestRun(t *testing.T) {
	problems, err := os.ReadFile(filepath.Join("testdata", "problems.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for name, solver := range map[string]Solver{"results.jsonl": {}, "settled.jsonl": {Settle: true}} {
		t.Run(name, func(t *testing.T) {
			got, counts := run(t, solver, string(problems))
			if want := (Counts{18, 8}); counts != want {
				t.Errorf("%+v, want %+v", counts, want)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the results changed from\n%s\nto\n%s", want, got)
			}
		})
	}
}

func TestRunGivesEachResultAtOnce(t *testing.T) {
	problems, ask := io.Pipe()
	answers, results := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := Solver{}.Run(context.Background(), problems, results)
		done <- err
	}()
	answer := bufio.NewReader(answers)
	for _, id := range []string{"a", "b"} {
		if _, err := fmt.Fprintf(ask, `{"id":%q,"topics":[]}`+"\n", id); err != nil {
			t.Fatal(err)
		}
		line, err := answer.ReadString('\n')
		if err != nil || !strings.Contains(line, fmt.Sprintf("%q", id)) {
			t.Errorf("%q, %v", line, err)
		}
	}
	ask.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRunTakesLongLines(t *testing.T) {
	l := lines{r: bufio.NewReader(io.LimitReader(zeros{}, 65<<20)), max: MaxLine}
	if line, err := l.next(); err != nil || len(line) != 65<<20 {
		t.Errorf("%d bytes, %v", len(line), err)
	}
	padding := strings.Repeat(" ", 4<<20)
	got, counts := run(t, Solver{}, `{"id":"long",`+padding+`"topics":[]}`+"\n"+`{"id":"next","topics":[]}`)
	if counts != (Counts{2, 0}) || strings.Count(got, "\n") != 2 {
		t.Errorf("%+v: %s", counts, got)
	}
	var b strings.Builder
	b.WriteString(`{"id":"many","topics":[{"name":"t","partitions":100000,"weights":[1`)
	for p := range 99_999 {
		fmt.Fprintf(&b, ",%d", p%7)
	}
	b.WriteString(`]}],"members":[{"id":"m0","topics":["t"]}`)
	for m := range 99 {
		fmt.Fprintf(&b, `,{"id":"m%d","topics":["t"]}`, m+1)
	}
	b.WriteString(`]}`)
	if got, counts = run(t, Solver{}, b.String()); counts != (Counts{1, 0}) {
		t.Errorf("%+v: %.300s", counts, got)
	}
}

func TestLinesOfAnyLength(t *testing.T) {
	for _, test := range []struct {
		in   string
		want string
	}{
		{"", ""},
		{"\n", "0"},
		{"1234567890", "10"},
		{"1234567890\n1", "10 1"},
		{"12345678901", "long"},
		{"12345678901\n12\n", "long 2"},
		{strings.Repeat("x", 100) + "\n123", "long 3"},
		{"1\r\n\n2", "2 0 1"},
	} {
		l := lines{r: bufio.NewReaderSize(strings.NewReader(test.in), 16), max: 10}
		var got []string
		for {
			line, err := l.next()
			if err == io.EOF {
				break
			}
			if errors.Is(err, errTooLong) {
				got = append(got, "long")
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(len(bytes.TrimSuffix(line, []byte("\n")))))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q: %v, want %s", test.in, got, test.want)
		}
	}
}

func TestRunEndsEarly(t *testing.T) {
	problem := `{"id":"x","topics":[]}` + "\n"
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx context.Context
		r   io.Reader
		w   io.Writer
		is  error
	}{
		"canceled": {ctx, strings.NewReader(problem), io.Discard, context.Canceled},
		"reading":  {t.Context(), io.MultiReader(strings.NewReader(problem), iotest.ErrReader(broken)), io.Discard, broken},
		"writing":  {t.Context(), strings.NewReader(problem), failing{broken}, broken},
	} {
		if _, err := (Solver{}).Run(test.ctx, test.r, test.w); !errors.Is(err, test.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
