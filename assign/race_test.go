//go:build race

package assign_test

const raceDetector = true
