// Command pictures draws what docs/assignors.md shows: what each assignor makes of a small
// group, before and after something changes. It writes assignors-*.svg into a folder:
//
//	go run ./docs/pictures docs
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . ..

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pictures FOLDER")
		os.Exit(2)
	}
	for _, s := range scenes() {
		svg, err := s.svg()
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], s.file()), svg, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "pictures: %s: %v\n", s.name, err)
			os.Exit(1)
		}
	}
}
