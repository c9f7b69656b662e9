package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/groupkit/groupkit/bench/oracle"
)

// The report goes between these two lines of docs/benchmarks.md.
const (
	beginMark = "<!-- begin: written by make bench -->"
	endMark   = "<!-- end: written by make bench -->"
)

func writeDocs(seen results, images string) error {
	docs := filepath.Join(oracle.Root(), "docs")
	path := filepath.Join(docs, "benchmarks.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := bytes.Cut(page, []byte(beginMark))
	_, after, ends := bytes.Cut(rest, []byte(endMark))
	if !begins || !ends {
		return fmt.Errorf("%s lacks the lines %q and %q: put them where the report goes", path, beginMark, endMark)
	}
	var report bytes.Buffer
	report.Write(before)
	fmt.Fprintf(&report, "%s\n\n", beginMark)
	writeReport(&report, seen)
	fmt.Fprintf(&report, "\n%s", endMark)
	report.Write(after)
	if err := os.WriteFile(path, report.Bytes(), 0o644); err != nil {
		return err
	}
	return plots(seen, docs, images)
}

func writeReport(w io.Writer, seen results) {
	m := seen.Machine
	fmt.Fprintf(w, "`%s` on %s: %d cores (%s), %s, %s; %s; franz-go %s, sarama %s, kafka-clients %s.\n",
		seen.Command, m.Date, m.Cores, m.CPU, m.System, m.Go, m.Java, m.Kgo, m.Sarama, kafkaVersion)
	if ratio := noise(seen); ratio > 0 {
		fmt.Fprintf(w, "Of the warm runs behind one figure the slowest took %.2f times as long as the fastest, in the median of all figures.\n", ratio)
	}
	switch {
	case len(seen.Loads) > 1:
		fmt.Fprintf(w, "It was run in %d pieces, at load averages of %s; the date is that of the last.\n", len(seen.Loads), strings.Join(seen.Loads, ", "))
	case m.Load != "":
		fmt.Fprintf(w, "The machine's load average was %s when the run began.\n", m.Load)
	}
	fmt.Fprintf(w, "A peer that took longer than %.0f s for one plan was cut off.\n\n", seen.CutOff.Seconds())
	writeTargets(w, seen)
	writeScaling(w, seen)
	for _, s := range scenarios(seen.Quick) {
		writeScenario(w, seen, s)
	}
}

// kafkaVersion is that of the oracle's pom.xml; a test holds the two together.
const kafkaVersion = "4.3.0"

// noise is the median of the slowest warm run over the fastest.
func noise(seen results) float64 {
	var ratios []float64
	for _, m := range append(slices.Clone(seen.Measured), seen.Scaling...) {
		if m.Runs > 1 && m.Min > 0 {
			ratios = append(ratios, float64(m.Max)/float64(m.Min))
		}
	}
	if len(ratios) == 0 {
		return 0
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// find returns the figures, or nil where there are none.
func find(list []measurement, scenario, peer, step string) *measurement {
	for i := range list {
		if m := &list[i]; m.Scenario == scenario && m.Peer == peer && m.Step == step {
			return m
		}
	}
	return nil
}

func measured(list []measurement, scenario, peer, step string) *measurement {
	if m := find(list, scenario, peer, step); m != nil && m.NotMeasured == "" {
		return m
	}
	return nil
}

func writeScenario(w io.Writer, seen results, s scenario) {
	mixed, weighed := s.Mixed, s.Weights != nil
	fmt.Fprintf(w, "### %s\n\n%s topics.", s, thousands(s.Topics))
	if mixed {
		fmt.Fprint(w, " Each member subscribes to 1 to 20 of them.")
	}
	fmt.Fprint(w, "\n\n")
	moved := "moved: one leaves / one joins / ten restart"
	if weighed {
		moved = "weight moved: one leaves / one joins / ten restart"
	}
	even := "count spread"
	if mixed {
		even = "Σ count² over kgo's"
	}
	columns := []string{"", "from scratch, first call", "from scratch", "one leaves", "one joins", "ten restart",
		"allocations", "MB", even, "max load over bound", moved}
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(columns, " | "), "---|"+strings.Repeat("---:|", len(columns)-1))
	for _, c := range contestants {
		var cells []string
		of := func(step string) *measurement { return measured(seen.Measured, s.Name, c.Name, step) }
		scratch := of(fromScratch)
		if scratch == nil {
			why := "not run"
			if m := find(seen.Measured, s.Name, c.Name, fromScratch); m != nil {
				why = m.NotMeasured
			}
			fmt.Fprintf(w, "| %s | %s |%s\n", c.Name, why, strings.Repeat(" |", len(columns)-2))
			continue
		}
		cells = append(cells, c.Name, duration(scratch.Cold))
		for _, step := range steps {
			if m := of(step); m != nil {
				cells = append(cells, duration(m.Median))
			} else if m := find(seen.Measured, s.Name, c.Name, step); m != nil {
				cells = append(cells, m.NotMeasured)
			} else {
				cells = append(cells, "–")
			}
		}
		allocations, bytes := "", ""
		if scratch.Bytes > 0 {
			allocations, bytes = thousands(int(scratch.Allocs)), fmt.Sprintf("%.1f", float64(scratch.Bytes)/1e6)
		}
		evenness := fmt.Sprint(scratch.Stats.CountSpread)
		if mixed {
			evenness = "–"
			if kgo := measured(seen.Measured, s.Name, "kgo sticky", fromScratch); kgo != nil {
				evenness = fmt.Sprintf("%.4f", scratch.Squares/kgo.Squares)
			}
		}
		cells = append(cells, allocations, bytes, evenness)
		cells = append(cells, each([]string{fromScratch, oneLeaves, oneJoins}, of, func(m *measurement) string {
			return fmt.Sprintf("%.3f", m.Stats.MaxLoad/m.Stats.LowerBound)
		}))
		cells = append(cells, each(steps[1:], of, func(m *measurement) string {
			if weighed {
				return fmt.Sprintf("%.2f %%", 100*m.Stats.MovedWeight/m.Weight)
			}
			return thousands(m.Stats.MovedPartitions)
		}))
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	fmt.Fprintln(w)
}

func each(steps []string, of func(string) *measurement, cell func(*measurement) string) string {
	var cells []string
	for _, step := range steps {
		if m := of(step); m != nil {
			cells = append(cells, cell(m))
		} else {
			cells = append(cells, "–")
		}
	}
	return strings.Join(cells, " / ")
}

func writeScaling(w io.Writer, seen results) {
	fmt.Fprint(w, "### As partitions double\n\n")
	fmt.Fprint(w, "1,000 members, 100 topics, all weights equal, from scratch. *Growth* is the time over that with half the partitions; "+
		"*memory* is what was allocated over what the plan takes by itself (4 bytes a partition, 40 for each member and each of its topics).\n\n")
	fmt.Fprint(w, "| | partitions | time | growth | allocations | MB | memory |\n|---|---:|---:|---:|---:|---:|---:|\n")
	for _, c := range contestants {
		var half *measurement
		for i := range seen.Scaling {
			m := &seen.Scaling[i]
			if m.Peer != c.Name {
				continue
			}
			if m.NotMeasured != "" {
				fmt.Fprintf(w, "| %s | %s | %s | | | | |\n", c.Name, m.Scenario, m.NotMeasured)
				half = nil
				continue
			}
			growth := ""
			if half != nil {
				growth = fmt.Sprintf("%.2f", float64(m.Median)/float64(half.Median))
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %.1f | %.1f |\n", c.Name, thousands(m.Stats.Partitions), duration(m.Median), growth,
				thousands(int(m.Allocs)), float64(m.Bytes)/1e6, float64(m.Bytes)/float64(m.Output))
			half = m
		}
	}
	fmt.Fprintln(w)
}

// duration writes three digits at most.
func duration(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
