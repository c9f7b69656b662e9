package main

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	// classicID is a member's id of the classic protocol: its client's or instance's
	// name, and a UUID that the coordinator added.
	classicID = regexp.MustCompile(`^(.+-[0-9a-f]{8})(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$`)
	// randomID is one that a client made up (KIP-848): a UUID in base64.
	randomID = regexp.MustCompile(`^[A-Za-z0-9_-]{22}(==)?$`)
)

// shortID is as much of a member's id as people know it by: less of the UUID in it. The
// beginning stays as it is, to search logs for.
func shortID(id string) string {
	if parts := classicID.FindStringSubmatch(id); parts != nil {
		return parts[1]
	}
	random := randomID.MatchString(id) && strings.ContainsFunc(id, unicode.IsUpper) && strings.ContainsFunc(id, unicode.IsLower) && strings.ContainsFunc(id, unicode.IsDigit)
	if random {
		return id[:8]
	}
	return id
}

// shortIDs returns how to show each of these ids, and any other: those that are alike
// when shortened stay whole.
func shortIDs(ids []string) func(id string) string {
	stands := make(map[string]string, len(ids)) // for which id, or "" for several
	for _, id := range ids {
		short := shortID(id)
		if other, taken := stands[short]; taken && other != id {
			stands[short] = ""
		} else {
			stands[short] = id
		}
	}
	return func(id string) string {
		short := shortID(id)
		if of, known := stands[short]; known && of != id {
			return name(id)
		}
		return name(short)
	}
}
