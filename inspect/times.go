package inspect

import "time"

// lastTime is the end of the year 9999 in milliseconds: JSON has no later times, and one
// made up is not to cost an answer all else that it holds.
const lastTime = 253_402_300_799_999

// timeOf reads a time in milliseconds. It returns nil for the negative numbers that stand
// for none, and for what can be none.
func timeOf(millis int64) *time.Time {
	if millis < 0 || millis > lastTime {
		return nil
	}
	t := time.UnixMilli(millis).UTC()
	return &t
}

// timeOrZero is the same for fields that are always told.
func timeOrZero(millis int64) time.Time {
	if t := timeOf(millis); t != nil {
		return *t
	}
	return time.Time{}
}
