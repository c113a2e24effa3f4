package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what engines took of the machine, as Linux counts it.
type usage struct {
	cpu    time.Duration
	memory int64 // bytes, at the highest
}

// clockTick is the unit of times in /proc on every Linux that Go runs on (USER_HZ).
const clockTick = time.Second / 100

// add reads what the running engine whose command line names the folder has taken so far. Where /proc does not say,
// the figures stay as they are, and nothing is said of them.
func (u *usage) add(folder string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(folder)) {
			continue
		}
		process := filepath.Dir(path)
		status, _ := os.ReadFile(filepath.Join(process, "status"))
		if _, after, found := bytes.Cut(status, []byte("\nVmHWM:")); found {
			fields := strings.Fields(string(after[:min(len(after), 40)]))
			kilobytes, _ := strconv.ParseInt(fields[0], 10, 64)
			u.memory = max(u.memory, kilobytes<<10)
		}
		stat, _ := os.ReadFile(filepath.Join(process, "stat"))
		// The name in parentheses may hold blanks; utime and stime are fields 14 and 15 of all, 12 and 13 behind it.
		if fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(fields) > 12 {
			for _, ticks := range fields[11:13] {
				n, _ := strconv.ParseInt(ticks, 10, 64)
				u.cpu += time.Duration(n) * clockTick
			}
		}
	}
}

// String is "41 MB at most, 0.4 s of CPU", or nothing.
func (u usage) String() string {
	if u.memory == 0 {
		return ""
	}
	return fmt.Sprintf("%d MB at most, %.1f s of CPU", u.memory>>20, u.cpu.Seconds())
}
