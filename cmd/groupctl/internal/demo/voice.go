package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// voice tells the play: whole lines, one at a time, whoever speaks.
type voice struct {
	mu      sync.Mutex
	out     io.Writer
	colour  bool
	began   time.Time
	open    bool // the last line begs for no empty one: it was empty, or a heading
	failed  error
	onError func() // called once, when out takes no more
}

const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	green  = "1;32"
	yellow = "33"
)

// memberColours tell the members apart, in the table of who has what and in events.
var memberColours = map[string]string{"ann": "36", "bob": "33", "cid": "35", "dan": "34", "eve": "32", "zoe": "96"}

func (v *voice) paint(colour, text string) string {
	if !v.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (v *voice) line(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.write(text)
}

func (v *voice) write(text string) {
	if v.failed != nil {
		return
	}
	v.open = text == ""
	if _, v.failed = fmt.Fprintln(v.out, strings.TrimRight(text, " ")); v.failed != nil {
		v.onError()
	}
}

// gap separates, where the line before does not already.
func (v *voice) gap() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.open {
		v.write("")
	}
}

const indent = "    "

// say explains.
func (v *voice) say(format string, args ...any) { v.line(indent + fmt.Sprintf(format, args...)) }

// aside says what matters less.
func (v *voice) aside(format string, args ...any) {
	v.line(indent + v.paint(dim, fmt.Sprintf(format, args...)))
}

func (v *voice) heading(number int, title string) {
	v.gap()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.write(v.paint(bold, fmt.Sprintf("%d. %s", number, title)))
	v.open = true
}

// event tells what a member just did or was told.
func (v *voice) event(name, format string, args ...any) {
	at := v.paint(dim, fmt.Sprintf("%6.2fs", time.Since(v.began).Seconds()))
	v.line(fmt.Sprintf("  %s  %s  %s", at, v.member(name), fmt.Sprintf(format, args...)))
}

func (v *voice) seen(evidence string)   { v.line("  " + v.paint(green, "SEEN") + "  " + evidence) }
func (v *voice) missing(reason string)  { v.line("  " + v.paint(red, "MISSING") + "  " + reason) }
func (v *voice) member(n string) string { return v.paint(memberColours[n], n) }

// mark fills the bars of a table.
func (v *voice) mark() string {
	if v.colour {
		return "█"
	}
	return "#"
}
