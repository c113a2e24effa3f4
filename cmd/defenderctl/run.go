package main

import (
	"context"
	"errors"
	"io"

	"github.com/alecthomas/kong"
)

// run executes one command line and returns the exit code: 0 done, 1 the command found or met a fault, 2 the command
// line itself is wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	say := messages{stderr}
	helped := false
	parser, err := kong.New(&commands{},
		kong.Name("defenderctl"),
		kong.Description("Defender alerts of many tenants, for Fluent Bit."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&console{data: &visible{to: stdout}, screen: stdout, say: say}),
	)
	if err != nil {
		panic(err) // the commands struct itself is wrong: every run of every test meets it
	}
	command, err := parser.Parse(args)
	if helped {
		return 0
	}
	if err != nil {
		say.fault(withHint(err, "try \"defenderctl --help\""))
		return 2
	}
	if err := command.Run(); err != nil {
		if !errors.Is(err, errReported) {
			say.fault(err)
		}
		return 1
	}
	return 0
}

// console is what a command may write to.
type console struct {
	data   io.Writer // stdout: data and nothing else, so that it can be piped
	screen io.Writer // stdout as it is, for a command that paints
	say    messages  // stderr: everything meant for a person
}

// errReported makes the exit code 1 when the command's own output has already said why.
var errReported = errors.New("reported")
