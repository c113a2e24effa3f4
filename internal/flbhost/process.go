package flbhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Options say what an engine runs. Sections are lines `Key value`.
type Options struct {
	Plugin  string   // path of the shared object
	Dir     string   // absolute; configuration and storage live there, over restarts
	Service string   // of [SERVICE], over the defaults
	Inputs  []string // one [INPUT] each
	Output  string   // of the one [OUTPUT], over the defaults, which deliver to Sink
	Sink    *Sink    // nil: an output that throws away
	Env     []string // NAME=value, added to the environment
}

// Process is a running engine.
type Process struct {
	command  *exec.Cmd
	config   string
	commands io.WriteCloser
	host     bool
	log      *board[string]
	ended    chan struct{}
	exit     error
}

// Start writes the configuration and starts e with it. It does not wait for
// anything: see WaitLog. Ending ctx kills the process.
func Start(ctx context.Context, e Engine, o Options) (*Process, error) {
	p := &Process{config: filepath.Join(o.Dir, "fluent-bit.conf"), log: newBoard[string](), ended: make(chan struct{})}
	if err := p.Configure(o); err != nil {
		return nil, err
	}
	arguments := e.command(p.config, o.Plugin)
	_, p.host = e.(Host)
	p.command = exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	p.command.Env = append(os.Environ(), o.Env...)
	output := &lineWriter{add: func(line string) { p.log.add(line) }}
	p.command.Stdout, p.command.Stderr = output, output
	var err error
	if p.commands, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", e.Name(), err)
	}
	go func() {
		p.exit = p.command.Wait()
		p.log.end()
		close(p.ended)
	}()
	return p, nil
}

// Configure writes another configuration, for the next Reload.
func (p *Process) Configure(o Options) error {
	return os.WriteFile(p.config, []byte(configuration(o)), 0o600)
}

// Log returns the lines on standard output and error so far.
func (p *Process) Log() []string { return p.log.all() }

// WaitLog waits for a line that contains text and returns it.
func (p *Process) WaitLog(ctx context.Context, text string) (string, error) {
	return p.waitLog(ctx, 0, text)
}

func (p *Process) waitLog(ctx context.Context, from int, text string) (string, error) {
	var line string
	found, err := p.log.until(ctx, func(lines []string) bool {
		for _, line = range lines[from:] {
			if strings.Contains(line, text) {
				return true
			}
		}
		return false
	})
	if err == nil && !found {
		err = errors.New("the process ended")
	}
	if err != nil {
		return "", fmt.Errorf("waiting for the line %q: %w; the log:\n%s", text, err, strings.Join(p.Log(), "\n"))
	}
	return line, nil
}

// Signal sends a signal.
func (p *Process) Signal(signal os.Signal) error { return p.command.Process.Signal(signal) }

// Reload makes the engine load its configuration again (SIGHUP) and waits until
// it has.
func (p *Process) Reload(ctx context.Context) error {
	from := len(p.Log())
	if err := p.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	_, err := p.waitLog(ctx, from, "[reload] successful reload done")
	return err
}

// Stop ends the engine (SIGTERM) and waits until it has ended.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Kill ends the engine at once (SIGKILL) and waits until it is gone.
func (p *Process) Kill() {
	p.command.Process.Kill()
	<-p.ended
}

// Wait waits until the engine has ended. The error is its *exec.ExitError, or ctx's.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return p.exit
	case <-ctx.Done():
		return fmt.Errorf("waiting for the engine's end: %w; the log:\n%s", context.Cause(ctx), strings.Join(p.Log(), "\n"))
	}
}

// Ended is closed when the engine has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// While returns a context that ends with ctx, or with the process and its log as
// the cause: for waiting, at a Sink, for what only a living engine can bring.
func (p *Process) While(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-p.ended:
			cancel(fmt.Errorf("the engine ended (%v); the log:\n%s", p.exit, strings.Join(p.Log(), "\n")))
		case <-ctx.Done():
			cancel(nil)
		}
	}()
	return ctx
}

// Command tells the stand-in to do something and waits until it has:
//
//	pause                   every input is over its limit, until
//	resume
//	storage full on|off     every append is refused
//	output dead on|off      chunks stay
//	refuse over BYTES       larger appends are refused; 0: none is
//	kill after append K     SIGKILL at the end of the K-th append from now
//	kill after callback K   SIGKILL at the end of the K-th collect from now
//	collect                 every un-threaded input is collected now
//	busy MS                 the engine's thread does nothing else for that long
//	call SYMBOL             a function of the plugin without arguments
func (p *Process) Command(ctx context.Context, command string) error {
	if !p.host {
		return errors.New("only the stand-in takes commands, not Fluent Bit")
	}
	from := len(p.Log())
	if _, err := fmt.Fprintln(p.commands, command); err != nil {
		return fmt.Errorf("command %q: %w", command, err)
	}
	_, err := p.waitLog(ctx, from, "[host] "+command)
	return err
}

// lineWriter hands whole lines on; exec writes to it from one goroutine.
type lineWriter struct {
	add  func(line string)
	rest []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		w.rest = rest
		w.add(string(line))
	}
}
