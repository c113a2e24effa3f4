package config

import (
	"testing"
	"time"
)

func TestDurationsAndSizes(t *testing.T) {
	d := &draft{config: &Config{}}
	readDuration := duration(func(d *draft) *time.Duration { return &d.tenant.Lookback }, 0, 365*day)
	readSize := size(func(d *draft) *int64 { return &d.config.BatchLimit }, 0, 64*giga)
	for _, c := range []struct {
		text  string
		want  time.Duration
		wants int64 // -1: refused
	}{
		{"60", time.Minute, 60},
		{"60s", time.Minute, -1},
		{"5m", 5 * time.Minute, 5_000_000},
		{"5M", 5 * time.Minute, 5_000_000},
		{"2H", 2 * time.Hour, -1},
		{"1d", day, -1},
		{"512k", -1, 512_000},
		{"4Mb", -1, 4_000_000},
		{"1G", -1, 1_000_000_000},
		{"0", 0, 0},
		{"-1", -1, -1},
		{"1.5h", -1, -1},
		{"213503982334602d", -1, -1}, // wraps around to 17 hours in 64 bits
		{"18446744074G", -1, -1},     // wraps around to 290 MB
		{"", -1, -1},
		{"m", -1, -1},
	} {
		d.tenant.Lookback, d.config.BatchLimit = -1, -1
		readDuration(d, c.text)
		readSize(d, c.text)
		if d.tenant.Lookback != c.want || d.config.BatchLimit != c.wants {
			t.Errorf("%q is %v and %d bytes, want %v and %d", c.text, d.tenant.Lookback, d.config.BatchLimit, c.want, c.wants)
		}
	}
}
