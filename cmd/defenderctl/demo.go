package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fluent-bit-defender/internal/flbhost"
)

// demoCommand runs the real plugin against simulated customers, in Fluent Bit or in the stand-in for it, shows what
// arrives, and compares it with what the simulator showed. What happens on the way is in demoacts.go.
type demoCommand struct {
	Plugin string        `placeholder:"PATH" help:"The plugin; by default in_defender.so beside defenderctl. What the demo writes goes into the folder demo beside it."`
	Engine string        `default:"auto" enum:"auto,fluent-bit,host" help:"What runs the plugin: fluent-bit, host (a small stand-in, compiled on the spot), or auto: Fluent Bit where there is one."`
	Plain  bool          `help:"No colours; there are none either where the output is no terminal or NO_COLOR is set."`
	Within time.Duration `default:"29s" help:"Give up after that time."`
}

// Help is what "defenderctl demo --help" says beside the flags.
func (demoCommand) Help() string {
	return `No Microsoft account is needed and nothing leaves this machine: Entra ID and Microsoft Graph are simulated.

Example:

    make build && build/defenderctl demo --engine host`
}

// windUp is what is kept of the time for stopping the engine and tidying up.
const windUp = 2500 * time.Millisecond

// Run plays the demo and fails when an alert is missing or came twice.
func (c demoCommand) Run(ctx context.Context, out *console) error {
	// A reader that goes away (defenderctl demo | head) or a terminal that closes must not leave the engine behind.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGPIPE, syscall.SIGHUP)
	defer stop()
	err := c.perform(ctx, out)
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; the engine has been stopped")
	}
	return err
}

func (c demoCommand) perform(ctx context.Context, out *console) (err error) {
	if c.Within <= windUp {
		return fmt.Errorf("--within must be more than %s", windUp)
	}
	late := fmt.Errorf("not all alerts had arrived after %s", c.Within)
	limited, cancel := context.WithTimeoutCause(ctx, c.Within-windUp, late)
	defer cancel()

	plugin, err := c.plugin()
	if err != nil {
		return err
	}
	folder := filepath.Join(filepath.Dir(plugin), "demo")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	screen := newScreen(out.screen, c.Plain)
	engine, err := c.engine(limited, screen, folder)
	if err != nil {
		return err
	}
	d, err := newDemo(screen, engine, plugin, folder)
	if err != nil {
		return err
	}
	defer func() {
		if closing := d.close(); err == nil {
			err = closing
		}
	}()
	d.opening(engineName(limited, engine))
	err = d.play(limited)
	if err != nil && limited.Err() != nil {
		return withHint(fmt.Errorf("%w: %d of %d", context.Cause(limited), len(d.records), d.owed()),
			"is this machine very busy? --within 2m waits longer; "+d.shown(d.logPath())+" is the engine's log")
	}
	if err != nil {
		return err
	}
	return d.closing()
}

// plugin is the absolute path of the plugin.
func (c demoCommand) plugin() (string, error) {
	path := c.Plugin
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), "in_defender.so")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", withHint(fmt.Errorf("no plugin: %w", err), "\"make build\" builds it; --plugin names one elsewhere")
	}
	return path, nil
}

// engine finds what runs the plugin. The stand-in is compiled the first time.
func (c demoCommand) engine(ctx context.Context, s *screen, folder string) (flbhost.Engine, error) {
	if c.Engine != "host" {
		f, err := flbhost.FindFluentBit(ctx)
		if err == nil {
			return f, nil
		}
		if c.Engine == "fluent-bit" {
			return nil, withHint(err, "--engine host runs the plugin in a small stand-in")
		}
		s.note("there is no fluent-bit on the PATH: a small stand-in, which needs a C compiler, takes its place")
	}
	path, err := flbhost.CompileHost(ctx, folder, false)
	if err != nil {
		return nil, withHint(err, "with fluent-bit on the PATH, or its path in FLUENT_BIT, no C compiler is needed")
	}
	return flbhost.Host{Path: path}, nil
}

// engineName says what the engine is: "Fluent Bit 5.1.1".
func engineName(ctx context.Context, e flbhost.Engine) string {
	f, real := e.(flbhost.FluentBit)
	if !real {
		return "the stand-in for Fluent Bit"
	}
	output, err := exec.CommandContext(ctx, f.Path, "--version").Output()
	line, _, _ := strings.Cut(string(output), "\n")
	if err != nil || line == "" {
		return "Fluent Bit"
	}
	return strings.Replace(line, " v", " ", 1)
}
