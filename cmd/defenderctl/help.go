package main

import (
	"fmt"
	"text/tabwriter"

	"fluent-bit-defender/config"
)

type helpCommand struct {
	Config helpConfigCommand `cmd:"" help:"List every key of the configuration."`
}

type helpConfigCommand struct {
	Markdown bool `help:"Print the reference page instead, as in docs/configuration.md."`
}

// Run prints the one table of keys from which the plugin parses its configuration.
func (c helpConfigCommand) Run(out *console) error {
	if c.Markdown {
		_, err := fmt.Fprint(out.data, config.Reference())
		return err
	}
	table := tabwriter.NewWriter(out.data, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tTYPE\tDEFAULT\tMEANING")
	for _, k := range config.Keys() {
		def := k.Default
		if def == "" {
			def = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", k.Name, k.Type, def, k.Doc)
	}
	return table.Flush()
}
