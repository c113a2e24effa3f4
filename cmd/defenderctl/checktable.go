package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print writes the rows to stdout.
func (c checkCommand) print(to io.Writer, rows []*finding, several bool) error {
	if c.JSON {
		lines := json.NewEncoder(to)
		lines.SetEscapeHTML(false)
		for _, r := range rows {
			if err := lines.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	return printTable(to, rows, several)
}

// printTable writes one line for each row; what is wrong, and who must do what,
// goes on below it.
func printTable(to io.Writer, rows []*finding, several bool) error {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(input, tenant, feed, text string) {
		if several {
			fmt.Fprint(table, inLine(input), "\t")
		}
		fmt.Fprint(table, inLine(tenant), "\t", inLine(feed), "\t", inLine(text), "\n")
	}
	line("INPUT", "TENANT", "FEED", "RESULT")
	for _, r := range rows {
		text := string(r.Result)
		if r.Result == fine && r.Remark != "" {
			text += ": " + r.Remark
		}
		var below []string
		for i, fault := range r.Faults {
			lines := fault.lines()
			if i == 0 {
				text += ": " + lines[0]
				lines = lines[1:]
			} else {
				lines[0] = "and: " + lines[0]
			}
			below = append(below, lines...)
		}
		line(r.Input, r.Tenant, r.Feed, text)
		for _, more := range below {
			line("", "", "", "  "+more)
		}
	}
	return table.Flush()
}

// summarize is the last line, and whether all is well.
func summarize(rows []*finding, faults int) (text string, ok bool) {
	tenants := map[string]bool{}
	counts := map[result]int{}
	for _, r := range rows {
		tenants[r.Input+"/"+r.Tenant] = true
		counts[r.Result]++
	}
	parts := []string{fmt.Sprintf("%d ok", counts[fine])}
	for _, kind := range []result{wrong, off, untried} {
		if counts[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
		}
	}
	text = fmt.Sprintf("%s, %s: %s", plural(len(tenants), "tenant"), plural(len(rows), "feed"), strings.Join(parts, ", "))
	if faults > 0 {
		text += fmt.Sprintf("; %s in the file, see above", plural(faults, "error"))
	}
	if counts[untried] > 0 {
		text += "; interrupted"
	}
	return text, faults == 0 && counts[wrong] == 0 && counts[untried] == 0
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
