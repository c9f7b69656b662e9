package planview

import (
	"math"
	"strconv"
	"strings"
)

// Bar draws value on a scale on which most fills width cells, in eighths of a cell. What
// is more than zero is never drawn as nothing.
func Bar(value, most float64, width int) string {
	if !(value > 0) || !(most > 0) {
		return ""
	}
	eighths := max(1, int(math.Round(min(value/most, 1)*float64(width)*8)))
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return bar
}

// Number shortens n for people: 12, 0.5, 1.2k, 34M.
func Number(n float64) string {
	units := []string{"", "k", "M", "G", "T", "P", "E"}
	unit := 0
	for math.Abs(n) >= 999.5 && unit < len(units)-1 {
		n, unit = n/1000, unit+1
	}
	switch {
	case math.Abs(n) >= 999.5:
		return strconv.FormatFloat(n, 'e', 1, 64) + units[unit]
	case n == math.Trunc(n), math.Abs(n) >= 99.95:
		return strconv.FormatFloat(n, 'f', 0, 64) + units[unit]
	case math.Abs(n) >= 0.095:
		return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0") + units[unit]
	}
	return strconv.FormatFloat(n, 'g', 2, 64) + units[unit]
}
