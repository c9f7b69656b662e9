package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// TestPicturesAreWhatAssignorsPlan: the committed pictures are those that the command
// draws, and the page shows each of them.
func TestPicturesAreWhatAssignorsPlan(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "assignors.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenes() {
		want, err := s.svg()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		got, err := os.ReadFile(filepath.Join("..", s.file()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is drawn (%v); go generate ./docs/pictures", s.file(), err)
		}
		if !strings.Contains(string(page), "]("+s.file()+")") {
			t.Errorf("assignors.md does not show %s", s.file())
		}
	}
}

func TestScenesAreValidPlans(t *testing.T) {
	for _, s := range scenes() {
		groups, plans, err := s.plans()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if len(s.captions) != len(plans) {
			t.Errorf("%s: %d captions for %d plans", s.name, len(s.captions), len(plans))
		}
		for i := range plans {
			if err := assign.Validate(groups[i], plans[i]); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
		}
	}
}
