package clientfile

import (
	"errors"
	"fmt"
	"strings"
)

// login is one entry of sasl.jaas.config.
type login struct {
	module  string // the class's name without its package
	options map[string]string
}

// parseJAAS reads what sasl.jaas.config holds:
//
//	org.apache.kafka.common.security.scram.ScramLoginModule required username="a" password="b";
func parseJAAS(text string) (login, error) {
	tokens, err := jaasTokens(text)
	if err != nil {
		return login{}, err
	}
	if len(tokens) < 3 || tokens[len(tokens)-1] != ";" {
		return login{}, errors.New(`it is not of the form 'CLASS required username="…" password="…";'`)
	}
	class := tokens[0]
	entry := login{module: class[strings.LastIndexByte(class, '.')+1:], options: map[string]string{}}
	rest := tokens[2 : len(tokens)-1]
	for len(rest) > 0 {
		if len(rest) < 3 || rest[1] != "=" {
			return login{}, fmt.Errorf("an option after %s is not of the form name=\"value\"", entry.module)
		}
		entry.options[rest[0]] = rest[2]
		rest = rest[3:]
	}
	return entry, nil
}

// jaasTokens splits into words, quoted strings without their quotes, "=" and ";".
func jaasTokens(text string) ([]string, error) {
	var tokens []string
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		case c == '=' || c == ';':
			tokens = append(tokens, string(c))
			i++
		case c == '"' || c == '\'':
			var b strings.Builder
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' && i+1 < len(text) {
					i++
				}
				b.WriteByte(text[i])
			}
			if i == len(text) {
				return nil, errors.New("a quote is not closed")
			}
			tokens = append(tokens, b.String())
			i++
		default:
			end := strings.IndexAny(text[i:], " \t\r\n=;\"'")
			if end < 0 {
				end = len(text) - i
			}
			tokens = append(tokens, text[i:i+end])
			i += end
		}
	}
	return tokens, nil
}
