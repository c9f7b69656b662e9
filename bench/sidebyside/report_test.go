package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/bench/oracle"
)

func TestReportNamesTheVersionOfKafkaThatItRan(t *testing.T) {
	pom, err := os.ReadFile(filepath.Join(oracle.Root(), "bench", "java", "pom.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(pom), "<artifactId>kafka-clients</artifactId>\n      <version>"+kafkaVersion+"</version>") {
		t.Errorf("pom.xml does not take kafka-clients %s", kafkaVersion)
	}
}

func TestReportTellsWhatWasNotMeasured(t *testing.T) {
	seen := results{CutOff: 2 * time.Minute, Measured: []measurement{
		{Scenario: "large", Peer: counts, Step: fromScratch, Median: 40 * time.Millisecond, Runs: 7, Min: time.Millisecond, Max: 2 * time.Millisecond,
			Stats: assign.Stats{MaxLoad: 1, LowerBound: 1}},
		{Scenario: "large", Peer: kgo, Step: fromScratch, Median: 10 * time.Millisecond, Stats: assign.Stats{MaxLoad: 1, LowerBound: 1}},
		{Scenario: "large", Peer: java, Step: fromScratch, NotMeasured: "cut off after 120 s"},
	}}
	var report bytes.Buffer
	writeReport(&report, seen)
	for _, want := range []string{
		"| 1,000 × 100,000, from scratch: warm Java sticky over balanced, counts only | ≥ 3× | – | not measured |",
		"| 1,000 × 100,000, from scratch: balanced, counts only, over kgo sticky | ≤ 3× | 4× | **not reached** |",
		"| Java sticky | cut off after 120 s |",
	} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, report.String())
		}
	}
}

func TestGroupsAreTheSameEachTime(t *testing.T) {
	for _, s := range scenarios(true) {
		one, other := s.group(), s.group()
		a, err := assign.Balanced{}.Assign(one)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		b, err := assign.Balanced{}.Assign(other)
		if err != nil || !a.Assignment.Equal(b.Assignment) {
			t.Errorf("%s: two groups differ (%v)", s, err)
		}
		if err := assign.Validate(one, a); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
