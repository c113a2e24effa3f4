package flbhost

import (
	"context"
	"flag"
	"strings"
	"testing"
	"time"
)

// buildFolder keeps compiled programs between runs.
const buildFolder = "../../build/flbhost"

// patience is how long a test waits for anything; it is not slept.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// host is the stand-in with a fast clock.
func host(t *testing.T) Host {
	path := must[string](t)(CompileHost(patience(t), buildFolder, false))
	return Host{Path: path, Interval: 50 * time.Millisecond, Drain: 20 * time.Millisecond}
}

func fluentBit(t *testing.T) FluentBit {
	f, err := FindFluentBit(patience(t))
	if err != nil {
		t.Skip(err)
	}
	return f
}

func tracer(t *testing.T) string {
	return must[string](t)(CompileTracer(patience(t), buildFolder))
}

func sink(t *testing.T) *Sink {
	s := must[*Sink](t)(NewSink())
	t.Cleanup(func() { s.Close() })
	return s
}

// launch starts e, and kills it when the test is over.
func launch(t *testing.T, e Engine, o Options) *Process {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	p := must[*Process](t)(Start(t.Context(), e, o))
	t.Cleanup(p.Kill)
	return p
}

// asked says whether -run names a test.
func asked(name string) bool {
	return strings.Contains(flag.Lookup("test.run").Value.String(), name)
}
