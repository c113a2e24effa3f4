package flbhost

import (
	"fmt"
	"path/filepath"
	"strings"
)

// configuration is the classic file for o. Sections are given as lines
// `Key value`; what [SERVICE] and [OUTPUT] say themselves replaces the defaults.
func configuration(o Options) string {
	var b strings.Builder
	section(&b, "SERVICE", o.Service,
		"Flush 0.2", "Grace 5", "Log_Level info", "Hot_Reload on", "Daemon off",
		"Storage.Path "+filepath.Join(o.Dir, "storage"), "Scheduler.Base 1", "Scheduler.Cap 1")
	for _, input := range o.Inputs {
		section(&b, "INPUT", input)
	}
	if o.Sink != nil {
		section(&b, "OUTPUT", o.Output,
			"Name http", "Match *", "Host 127.0.0.1", fmt.Sprintf("Port %d", o.Sink.Port()), "URI /",
			"Format msgpack", "Header_Tag "+tagHeader, "Retry_Limit no_limits")
	} else {
		section(&b, "OUTPUT", o.Output, "Name null", "Match *")
	}
	return b.String()
}

func section(b *strings.Builder, name, lines string, defaults ...string) {
	fmt.Fprintf(b, "[%s]\n", name)
	said := map[string]bool{}
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			said[key(line)] = true
			fmt.Fprintf(b, "    %s\n", line)
		}
	}
	for _, line := range defaults {
		if !said[key(line)] {
			fmt.Fprintf(b, "    %s\n", line)
		}
	}
}

func key(line string) string {
	return strings.ToLower(strings.Fields(line)[0])
}
