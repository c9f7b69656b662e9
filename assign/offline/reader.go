package offline

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader reads values out of a line that is known to be JSON. encoding/json would take
// fields in any case, fields given twice, and null for any value. After the first error
// it reads nothing more.
type reader struct {
	data    []byte
	at      int
	path    []step
	strings map[string]string // names come many times
	err     error
}

// step is one step from an object or list to what is in it.
type step struct {
	field string
	index int // in a list, where field is empty
}

// field says how one field of an object is read.
type field struct {
	name     string
	required bool
	read     func()
}

// fail records what is wrong with the value at the path: the rest of a sentence.
func (r *reader) fail(format string, args ...any) {
	if r.err != nil {
		return
	}
	where := "the line"
	if len(r.path) > 0 {
		var b strings.Builder
		for i, s := range r.path {
			switch {
			case s.field == "":
				fmt.Fprintf(&b, "[%d]", s.index)
			default:
				if i > 0 {
					b.WriteByte('.')
				}
				b.WriteString(s.field)
			}
		}
		where = b.String()
	}
	r.err = fmt.Errorf("%s %s", where, fmt.Sprintf(format, args...))
}

// want fails with the value that is next.
func (r *reader) want(what string) {
	if r.err == nil {
		r.fail("is %s; give %s", excerpt(r.value()), what)
	}
}

// excerpt shows a value in a message, escaped.
func excerpt(raw []byte) string {
	const most = 40
	text, more := string(raw), ""
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		_ = json.Unmarshal(raw, &text)
		if len(text) > most {
			cut := most
			for !utf8.RuneStart(text[cut]) {
				cut--
			}
			text, more = text[:cut], "…"
		}
		return strconv.Quote(text) + more
	}
	if len(text) > most {
		text, more = text[:most], "…"
	}
	return text + more
}

// next is the first byte of the next value or sign.
func (r *reader) next() byte {
	for r.at < len(r.data) {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// value takes the bytes of the next value.
func (r *reader) value() []byte {
	first := r.next()
	start, depth, inString := r.at, 0, first == '"'
	for r.at++; r.at < len(r.data); r.at++ {
		c := r.data[r.at]
		switch {
		case inString && c == '\\':
			r.at++
		case c == '"':
			inString = !inString
			if !inString && depth == 0 && first == '"' {
				r.at++
				return r.data[start:r.at]
			}
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']' || c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if first != '{' && first != '[' {
				return r.data[start:r.at]
			}
			if c == '}' || c == ']' {
				if depth == 0 {
					r.at++
					return r.data[start:r.at]
				}
				depth--
			}
		}
	}
	return r.data[start:r.at]
}

// object reads an object of just these fields.
func (r *reader) object(fields []field) {
	if r.err != nil {
		return
	}
	if r.next() != '{' {
		r.want("an object")
		return
	}
	r.at++
	var given, filled uint64
	for r.err == nil && r.next() != '}' {
		if r.next() == ',' {
			r.at++
		}
		key := r.string()
		r.next()
		r.at++ // the colon
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key })
		switch {
		case i < 0:
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.name
			}
			r.fail("has the field %s, which is not known; the fields are %s", excerpt([]byte(mustQuote(key))), strings.Join(names, ", "))
		case given&(1<<i) != 0:
			r.fail("has the field %q twice; give it once", key)
		case r.next() == 'n':
			given |= 1 << i
			r.value()
		default:
			given, filled = given|1<<i, filled|1<<i
			r.path = append(r.path, step{field: key})
			fields[i].read()
			r.path = r.path[:len(r.path)-1]
		}
	}
	r.at++
	for i, f := range fields {
		if f.required && filled&(1<<i) == 0 {
			r.fail("has no %q; give one", f.name)
			return
		}
	}
}

func mustQuote(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(quoted)
}

// list reads a list of what item reads; it is not nil when it is empty.
func list[T any](r *reader, item func() T) []T {
	if r.err != nil {
		return nil
	}
	if r.next() != '[' {
		r.want("a list")
		return nil
	}
	r.at++
	all := []T{}
	r.path = append(r.path, step{})
	for r.err == nil && r.next() != ']' {
		if r.next() == ',' {
			r.at++
		}
		r.path[len(r.path)-1].index = len(all)
		all = append(all, item())
	}
	r.path = r.path[:len(r.path)-1]
	r.at++
	return all
}

func (r *reader) string() string {
	if r.err != nil {
		return ""
	}
	if r.next() != '"' {
		r.want("a string")
		return ""
	}
	raw := r.value()
	text := raw[1 : len(raw)-1]
	if known, ok := r.strings[string(text)]; ok {
		return known
	}
	decoded := string(text)
	if strings.Contains(decoded, `\`) {
		if err := json.Unmarshal(raw, &decoded); err != nil {
			r.fail("is no string: %v", err)
		}
	}
	r.strings[string(text)] = decoded
	return decoded
}

func (r *reader) number() float64 {
	if r.err != nil {
		return 0
	}
	if c := r.next(); c != '-' && (c < '0' || c > '9') {
		r.want("a number")
		return 0
	}
	start := r.at
	n, err := strconv.ParseFloat(string(r.value()), 64)
	if err != nil {
		r.at = start
		r.want("a number that a float64 can hold")
	}
	return n
}

func (r *reader) int32() int32 {
	if r.err != nil {
		return 0
	}
	r.next()
	start := r.at
	n, err := strconv.ParseInt(string(r.value()), 10, 32)
	if err != nil {
		r.at = start
		r.want("a whole number that an int32 can hold")
	}
	return int32(n)
}

func (r *reader) boolean() bool {
	if r.err != nil {
		return false
	}
	switch r.next() {
	case 't':
		r.value()
		return true
	case 'f':
		r.value()
		return false
	}
	r.want("true or false")
	return false
}

// labels reads an object of strings.
func (r *reader) labels() map[string]string {
	if r.err != nil {
		return nil
	}
	if r.next() != '{' {
		r.want("an object")
		return nil
	}
	r.at++
	labels := make(map[string]string)
	for r.err == nil && r.next() != '}' {
		if r.next() == ',' {
			r.at++
		}
		key := r.string()
		r.next()
		r.at++ // the colon
		if _, twice := labels[key]; twice {
			r.fail("has the label %q twice; give it once", key)
			break
		}
		r.path = append(r.path, step{field: strconv.Quote(key)})
		labels[key] = r.string()
		r.path = r.path[:len(r.path)-1]
	}
	r.at++
	return labels
}
