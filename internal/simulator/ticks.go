package simulator

import (
	"fmt"
	"time"
)

// ticks is a point in time in Microsoft's own unit: 100 ns since the start of
// the year 0001, UTC. It holds every time that Graph can express, exactly.
type ticks int64

const (
	ticksPerSecond = 10_000_000
	// secondsToUnix is the number of seconds from 0001-01-01 to 1970-01-01.
	secondsToUnix = 62_135_596_800
)

// ticksOf truncates t to 100 ns.
func ticksOf(t time.Time) ticks {
	return ticks((t.Unix()+secondsToUnix)*ticksPerSecond + int64(t.Nanosecond()/100))
}

// parseTicks reads an RFC 3339 time with any number of fraction digits; those
// beyond the seventh are cut off.
func parseTicks(s string) (ticks, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date-time such as 2026-11-23T20:00:00.1234567Z", s)
	}
	return ticksOf(t), nil
}

// Time is the same instant in UTC.
func (k ticks) Time() time.Time {
	seconds, rest := int64(k)/ticksPerSecond, int64(k)%ticksPerSecond
	return time.Unix(seconds-secondsToUnix, rest*100).UTC()
}

// String writes the time as Graph does: up to seven fraction digits, trailing
// zeros (and a fraction of nothing but zeros) left out.
func (k ticks) String() string { return k.Time().Format("2006-01-02T15:04:05.9999999Z") }
