package main

import (
	"fmt"
	"io"
)

// A target is a bound that this library sets itself.
type target struct {
	what  string
	bound float64
	atMin bool // the bound is the least, not the most
	unit  string
	value func(seen results) (value float64, known bool)
}

const (
	counts   = "groupkit balanced, counts only"
	balanced = "groupkit balanced"
	kgo      = "kgo sticky"
	java     = "Java sticky"
)

func (t target) met(value float64) bool {
	if t.atMin {
		return value >= t.bound
	}
	return value <= t.bound
}

func targets() []target {
	ratio := func(scenario, step, over, under string) func(results) (float64, bool) {
		return func(seen results) (float64, bool) {
			a, b := measured(seen.Measured, scenario, over, step), measured(seen.Measured, scenario, under, step)
			if a == nil || b == nil {
				return 0, false
			}
			return float64(a.Median) / float64(b.Median), true
		}
	}
	var list []target
	for _, step := range steps {
		list = append(list, target{"1,000 × 100,000, " + step + ": warm Java sticky over balanced, counts only", 3, true, "×", ratio("large", step, java, counts)})
	}
	for _, step := range steps {
		list = append(list, target{"1,000 × 100,000, " + step + ": balanced, counts only, over kgo sticky", 3, false, "×", ratio("large", step, counts, kgo)})
	}
	for _, step := range steps {
		list = append(list, target{"1,000 × 100,000, " + step + ": balanced over kgo sticky", 10, false, "×", ratio("large", step, balanced, kgo)})
	}
	for _, s := range scenarios(false) {
		if s.Weights == nil {
			continue
		}
		for _, step := range steps[:3] {
			list = append(list, target{s.String() + ", " + step + ": balanced", 100, false, " ms", func(seen results) (float64, bool) {
				m := measured(seen.Measured, s.Name, balanced, step)
				if m == nil {
					return 0, false
				}
				return m.Median.Seconds() * 1e3, true
			}})
		}
	}
	for _, s := range scenarios(false) {
		if !s.Mixed {
			continue
		}
		for _, step := range steps[:3] {
			list = append(list, target{s.String() + ", " + step + ": balanced, counts only, over kgo sticky", 5, false, "×", ratio(s.Name, step, counts, kgo)})
		}
		for _, step := range steps[:3] {
			list = append(list, target{s.String() + ", " + step + ": Σ count² over kgo's, which is least", 1, false, "", func(seen results) (float64, bool) {
				ours, theirs := measured(seen.Measured, s.Name, counts, step), measured(seen.Measured, s.Name, kgo, step)
				if ours == nil || theirs == nil {
					return 0, false
				}
				return ours.Squares / theirs.Squares, true
			}})
		}
	}
	for _, name := range []string{counts, balanced} {
		list = append(list,
			target{"partitions doubled, worst step: " + name, 2.3, false, "×", func(seen results) (float64, bool) { return worstGrowth(seen, name) }},
			target{"allocated over the plan's size, worst: " + name, 4, false, "×", func(seen results) (float64, bool) { return worstMemory(seen, name) }})
	}
	return list
}

func worstGrowth(seen results, peer string) (worst float64, known bool) {
	var half *measurement
	for i := range seen.Scaling {
		m := &seen.Scaling[i]
		if m.Peer != peer || m.NotMeasured != "" {
			continue
		}
		if half != nil {
			worst, known = max(worst, float64(m.Median)/float64(half.Median)), true
		}
		half = m
	}
	return worst, known
}

func worstMemory(seen results, peer string) (worst float64, known bool) {
	for _, m := range seen.Scaling {
		if m.Peer == peer && m.NotMeasured == "" {
			worst, known = max(worst, float64(m.Bytes)/float64(m.Output)), true
		}
	}
	return worst, known
}

func writeTargets(w io.Writer, seen results) {
	if seen.Quick {
		return // they are for the full size
	}
	reached := 0
	for _, t := range targets() {
		if value, known := t.value(seen); known && t.met(value) {
			reached++
		}
	}
	fmt.Fprintf(w, "### What was aimed at\n\n%d of %d aims were reached.\n\n", reached, len(targets()))
	fmt.Fprint(w, "| | aim | seen | |\n|---|---:|---:|---|\n")
	for _, t := range targets() {
		sign := "≤"
		if t.atMin {
			sign = "≥"
		}
		value, known := t.value(seen)
		verdict, shown := "reached", fmt.Sprintf("%.3g%s", value, t.unit)
		if t.unit == "" {
			shown = fmt.Sprintf("%.6f", value)
		}
		switch {
		case !known:
			verdict, shown = "not measured", "–"
		case !t.met(value):
			verdict = "**not reached**"
		}
		fmt.Fprintf(w, "| %s | %s %g%s | %s | %s |\n", t.what, sign, t.bound, t.unit, shown, verdict)
	}
	fmt.Fprintln(w)
}
