package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fluent-bit-defender/internal/flbconf"
)

// router answers which outputs take a tag, as Fluent Bit 5.1 does. It throws
// records of a tag that none takes away without a word.
type router struct {
	outputs   []flbconf.Section
	rewriters []flbconf.Section // filters that may give records another tag
	single    bool              // one input and one output: the output needs no Match
}

func newRouter(file *flbconf.File) *router {
	r := &router{outputs: file.Outputs()}
	inputs := 0
	for _, section := range file.Sections {
		switch {
		case section.Kind == "input":
			inputs++
		case section.Kind == "filter" && strings.EqualFold(section.Get("name"), "rewrite_tag"):
			r.rewriters = append(r.rewriters, section)
		}
	}
	if file.Service().Get("storage.path") != "" {
		inputs++ // Fluent Bit's own, which reads what was left there
	}
	r.single = inputs == 1 && len(r.outputs) == 1 && len(r.rewriters) == 0
	return r
}

// verdict is what is known of a tag.
type verdict int

const (
	dropped   verdict = iota // nobody takes it
	uncertain                // it depends on an expression or a filter that is not understood here
	taken
)

func (r *router) verdict(tag string) verdict {
	best := dropped
	for _, output := range r.outputs {
		if r.single && output.Last("match") == "" && output.Last("match_regex") == "" {
			return taken
		}
		best = max(best, matches(output, tag))
	}
	for _, filter := range r.rewriters {
		if best == dropped && matches(filter, tag) != dropped {
			best = uncertain
		}
	}
	return best
}

// matches compares a section's Match and Match_Regex with tag; one is enough.
func matches(section flbconf.Section, tag string) verdict {
	if match := section.Last("match"); match != "" && matchesWildcard(match, tag) {
		return taken
	}
	if expression := section.Last("match_regex"); expression != "" {
		return matchesRegex(expression, tag)
	}
	return dropped
}

// matchesWildcard: "*" stands for any text, everything else for itself.
func matchesWildcard(match, tag string) bool {
	parts := strings.Split(match, "*")
	if len(parts) == 1 {
		return match == tag
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(tag, first) || len(tag) < len(first)+len(last) || !strings.HasSuffix(tag, last) {
		return false
	}
	middle := tag[len(first) : len(tag)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(middle, part)
		if at < 0 {
			return false
		}
		middle = middle[at+len(part):]
	}
	return true
}

// slashed is an expression between slashes with Ruby's options behind them.
var slashed = regexp.MustCompile(`^/(.+)/([imox]*)$`)

// matchesRegex: the tag must begin with a match that is not empty; its end is
// free. Ruby's expressions can more than Go's.
func matchesRegex(expression, tag string) verdict {
	flags := ""
	if parts := slashed.FindStringSubmatch(expression); parts != nil {
		options := strings.ReplaceAll(parts[2], "o", "")
		if strings.Contains(options, "x") {
			return uncertain
		}
		if options != "" || parts[2] == "" {
			expression = parts[1]
		}
		if options != "" {
			flags = "(?" + strings.ReplaceAll(options, "m", "s") + ")"
		}
	}
	compiled, err := regexp.Compile(flags + `\A(?:` + expression + `)`)
	if err != nil {
		return uncertain
	}
	if compiled.FindString(tag) == "" {
		return dropped
	}
	return taken
}

// settings lists what the configuration gives up of the promise that nothing is
// lost (docs/delivery.md), and what Fluent Bit does not start with.
func (r *router) settings(all *installation) (faults, warnings []string) {
	stored := all.file.Service().Get("storage.path") != ""
	var tags []string
	for _, in := range all.inputs {
		at := fmt.Sprintf("%s:%d: [INPUT] %s", in.section.File, in.section.Line, in.name)
		if !isOff(in.section.Last("threaded")) {
			warnings = append(warnings, at+": a kill can lose the batch in Fluent Bit's ring buffer; set: threaded off")
		}
		switch {
		case !strings.EqualFold(in.section.Last("storage.type"), "filesystem"):
			warnings = append(warnings, at+": a kill loses what no output has taken yet; set: storage.type filesystem")
		case !stored:
			faults = append(faults, at+": Fluent Bit does not start with storage.type filesystem and no storage.path in [SERVICE]; "+
				"set: storage.path /var/lib/fluent-bit/storage")
		}
		for _, tenant := range in.tenants {
			for _, feed := range tenant.Feeds {
				tags = append(tags, in.tagOf(tenant, feed))
			}
		}
	}
	for _, output := range r.outputs {
		if r.concerned(output, tags) && !keepsTrying(output) {
			warnings = append(warnings, fmt.Sprintf("%s:%d: [OUTPUT] %s: an outage that lasts longer than its tries loses records; "+
				"set: Retry_Limit no_limits", output.File, output.Line, output.Get("name")))
		}
	}
	return faults, warnings
}

// concerned reports whether an output may take one of tags.
func (r *router) concerned(output flbconf.Section, tags []string) bool {
	if r.single || len(r.rewriters) > 0 {
		return true
	}
	return slices.ContainsFunc(tags, func(tag string) bool { return matches(output, tag) != dropped })
}

// keepsTrying reports whether an output never gives a chunk up. Those that write
// to this process's own screen or nowhere never ask for another try.
func keepsTrying(output flbconf.Section) bool {
	if slices.Contains([]string{"stdout", "null"}, strings.ToLower(output.Get("name"))) {
		return true
	}
	return slices.Contains([]string{"no_limits", "false", "off"}, strings.ToLower(output.Last("retry_limit")))
}

// isOff reports whether Fluent Bit reads value as no.
func isOff(value string) bool {
	return slices.Contains([]string{"off", "false", "no"}, strings.ToLower(value))
}
