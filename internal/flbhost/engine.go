package flbhost

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Engine is a program that runs a Fluent Bit configuration: Host or FluentBit.
type Engine interface {
	// Name is "host" or "fluent-bit".
	Name() string
	command(config, plugin string) []string
}

// Host is the stand-in.
type Host struct {
	Path       string        // from CompileHost
	Interval   time.Duration // of the collectors; 0: Fluent Bit's 1 s
	Drain      time.Duration // of the ring buffers of threaded inputs; 0: Fluent Bit's 250 ms
	NoContexts bool          // behave as before Fluent Bit 4.1
	Forked     bool          // fork once the plugin is loaded, as Daemon On does
	Trace      string        // "" or a file for the calls into the plugin: thread, call, instance, result, µs, detail; tabs between
	Wrapper    []string      // a command that runs it, such as valgrind with its flags
}

// Name returns "host".
func (h Host) Name() string { return "host" }

func (h Host) command(config, plugin string) []string {
	arguments := append(append([]string(nil), h.Wrapper...), h.Path, "-c", config, "-e", plugin)
	if h.Interval > 0 {
		arguments = append(arguments, "-i", seconds(h.Interval))
	}
	if h.Drain > 0 {
		arguments = append(arguments, "-d", seconds(h.Drain))
	}
	if h.NoContexts {
		arguments = append(arguments, "-o")
	}
	if h.Forked {
		arguments = append(arguments, "-f")
	}
	if h.Trace != "" {
		arguments = append(arguments, "-t", h.Trace)
	}
	return arguments
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// FluentBit is the real one.
type FluentBit struct {
	Path string
}

// Name returns "fluent-bit".
func (f FluentBit) Name() string { return "fluent-bit" }

func (f FluentBit) command(config, plugin string) []string {
	return []string{f.Path, "-q", "-e", plugin, "-c", config}
}

// FindFluentBit looks for Fluent Bit in $FLUENT_BIT, else on the PATH. The error
// says how to make it found.
func FindFluentBit(ctx context.Context) (FluentBit, error) {
	name := os.Getenv("FLUENT_BIT")
	if name == "" {
		name = "fluent-bit"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return FluentBit{}, fmt.Errorf("no Fluent Bit here (put fluent-bit on the PATH or its path into FLUENT_BIT): %w", err)
	}
	if output, err := exec.CommandContext(ctx, path, "--version").CombinedOutput(); err != nil {
		return FluentBit{}, fmt.Errorf("Fluent Bit at %s does not run: %w\n%s", path, err, output)
	}
	return FluentBit{Path: path}, nil
}
