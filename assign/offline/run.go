package offline

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxLine is how long a line may be, in bytes, without its end.
const MaxLine = 512 << 20

// Counts say how many problems were read, and of how many a result is an error.
type Counts struct{ Problems, Failed int }

// Run reads problems from r, one a line, and writes one result a line to w, in the order of
// the problems and each as soon as it is known. A line that is wrong gets a result that
// says so, and the rest goes on; a line longer than [MaxLine] is wrong. Lines of nothing
// but white space are passed over. The last line need not end.
//
// It returns early when ctx ends, which is looked at between lines, or when reading or
// writing fails, with the error of that.
func (s Solver) Run(ctx context.Context, r io.Reader, w io.Writer) (Counts, error) {
	var counts Counts
	in, out := lines{r: bufio.NewReaderSize(r, 1<<16), max: MaxLine}, bufio.NewWriterSize(w, 1<<16)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		if err := ctx.Err(); err != nil {
			return counts, err
		}
		line, err := in.next()
		if err == io.EOF {
			return counts, nil
		}
		var result Result
		switch {
		case errors.Is(err, errTooLong):
			result.Err = err
		case err != nil:
			return counts, fmt.Errorf("cannot read the problems: %w", err)
		case len(bytes.TrimSpace(line)) == 0:
			continue
		default:
			result = s.line(line)
		}
		counts.Problems++
		if result.Err != nil {
			counts.Failed++
		}
		if err := encoder.Encode(result.line()); err != nil {
			return counts, fmt.Errorf("cannot write the results: %w", err)
		}
		if err := out.Flush(); err != nil {
			return counts, fmt.Errorf("cannot write the results: %w", err)
		}
	}
}

func (s Solver) line(line []byte) Result {
	p, err := Parse(line)
	if err != nil {
		return Result{ID: readID(line), Err: err}
	}
	result := Result{ID: &p.ID}
	result.Results, result.Err = s.solve(p)
	return result
}

var errTooLong = errors.New("the line is too long")

// lines reads lines of any length up to a limit. What it returns holds until the next
// call.
type lines struct {
	r      *bufio.Reader
	max    int
	buffer []byte
}

func (l *lines) next() ([]byte, error) {
	l.buffer = l.buffer[:0]
	tooLong := false
	for {
		part, err := l.r.ReadSlice('\n')
		if tooLong = tooLong || len(l.buffer)+len(bytes.TrimSuffix(part, []byte("\n"))) > l.max; !tooLong {
			l.buffer = append(l.buffer, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(l.buffer) == 0 && !tooLong:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		case tooLong:
			return nil, fmt.Errorf("%w: it has more than %d bytes; split the problem", errTooLong, l.max)
		}
		return l.buffer, nil
	}
}
