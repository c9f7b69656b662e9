package integration

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A costSample is what one round of one side took, or each record of it.
type costSample struct {
	seconds   float64
	processor float64 // seconds of processor time of this process
	fetched   float64 // bytes
}

// A costSide is one way of doing something, and what its rounds came to.
type costSide struct {
	name    string
	measure func() costSample
	samples []costSample // two of each block
}

// costSides take turns. In a block each has a round, and then each another in the reverse
// order, so that what drifts evenly while the block lasts (another program, the clock of
// the processor) is the same for all. Which begins rotates.
type costSides []*costSide

func (s costSides) block(before func()) {
	turn := s[0].blocks() % len(s)
	order := append(slices.Clone(s[turn:]), s[:turn]...)
	reverse := slices.Clone(order)
	slices.Reverse(reverse)
	for _, side := range append(order, reverse...) {
		before()
		side.samples = append(side.samples, side.measure())
	}
}

func (s *costSide) blocks() int { return len(s.samples) / 2 }

// A costComparison is what another side takes beside one.
type costComparison struct {
	one, other float64 // medians of all rounds

	// ratio is other to one: the median of the ratios of all blocks, of each
	// side's geometric mean there. low and high hold 95 % of the medians of blocks
	// that are drawn from these, with repetition (the bootstrap).
	ratio, low, high float64
	blocks           int
}

func (s *costSide) compare(other *costSide, of func(costSample) float64) costComparison {
	values := func(s *costSide) (all []float64) {
		for _, sample := range s.samples {
			all = append(all, of(sample))
		}
		return all
	}
	one, two := values(s), values(other)
	ratios := make([]float64, s.blocks())
	for i := range ratios {
		ratios[i] = math.Sqrt(two[2*i] * two[2*i+1] / (one[2*i] * one[2*i+1]))
	}
	c := costComparison{one: median(one), other: median(two), ratio: median(ratios), blocks: len(ratios)}
	c.low, c.high = resampled(ratios)
	return c
}

// invert turns times into what is done in a time.
func (c costComparison) invert() costComparison {
	c.ratio, c.low, c.high = 1/c.ratio, 1/c.high, 1/c.low
	return c
}

func (c costComparison) row(table *strings.Builder, what string, show func(float64) string) {
	fmt.Fprintf(table, "| %s | %s | %s | %.3f | %.3f to %.3f | %d |\n", what, show(c.one), show(c.other), c.ratio, c.low, c.high, c.blocks)
}

// resampled returns the bounds of 95 % of the medians that samples of this size have when
// they are drawn from these values.
func resampled(values []float64) (low, high float64) {
	const draws = 4000
	random := rand.New(rand.NewPCG(1, 2))
	medians := make([]float64, draws)
	drawn := make([]float64, len(values))
	for i := range medians {
		for j := range drawn {
			drawn[j] = values[random.IntN(len(values))]
		}
		medians[i] = median(drawn)
	}
	slices.Sort(medians)
	return medians[draws/40], medians[draws-1-draws/40]
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}

// processorTime is what this process has used of it.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestCostsThatDriftAreComparedFairly holds the figures to sides whose ratio is known,
// while everything becomes slower from round to round.
func TestCostsThatDriftAreComparedFairly(t *testing.T) {
	t.Parallel()
	random, drift := rand.New(rand.NewPCG(3, 4)), 1.0
	side := func(name string, seconds float64) *costSide {
		return &costSide{name: name, measure: func() costSample {
			drift *= 1.05
			return costSample{seconds: seconds * drift * (1 + random.Float64()/10)}
		}}
	}
	sides := costSides{side("one", 1), side("other", 1.5), side("third", 3)}
	for range 40 {
		sides.block(func() {})
	}
	c := sides[0].compare(sides[1], func(s costSample) float64 { return s.seconds })
	if c.blocks != 40 || c.low > 1.5 || c.high < 1.5 || c.high-c.low > 0.1 {
		t.Errorf("%+v, want an interval of less than 0.1 about 1.5", c)
	}
	if i := c.invert(); i.low > 1/1.5 || i.high < 1/1.5 || i.low > i.high {
		t.Errorf("%+v, want an interval about %.3f", i, 1/1.5)
	}
}
