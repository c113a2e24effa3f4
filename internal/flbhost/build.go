package flbhost

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed host/*.c host/*.h
var hostSource embed.FS

//go:embed tracer/tracer.c
var tracerSource embed.FS

// CompileHost compiles the stand-in with $CC (else cc) into folder and returns
// its path; one that is there already for the same sources is used again. With
// noAppend the program does not export flb_input_log_append and flb_input_name.
func CompileHost(ctx context.Context, folder string, noAppend bool) (string, error) {
	if noAppend {
		return compile(ctx, folder, "flbhost-noappend", hostSource, "host", "-DFLBHOST_NO_APPEND", "-pthread", "-lm", "-ldl")
	}
	return compile(ctx, folder, "flbhost", hostSource, "host", "-rdynamic", "-pthread", "-lm", "-ldl")
}

// CompileTracer compiles the plugin "tracer", which writes down every call that
// an engine makes (tracer/tracer.c), into folder and returns its path.
func CompileTracer(ctx context.Context, folder string) (string, error) {
	return compile(ctx, folder, "tracer.so", tracerSource, "tracer", "-shared", "-fPIC", "-ldl")
}

// BuildPlugin builds the plugin of the module that source is a folder of into
// folder, with go build and the extra flags, and returns its path.
func BuildPlugin(ctx context.Context, source, folder string, flags ...string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "in_defender.so")
	arguments := append([]string{"build", "-buildmode=c-shared", "-o", path}, flags...)
	command := exec.CommandContext(ctx, "go", append(arguments, "fluent-bit-defender/plugin")...)
	command.Dir = source
	command.Env = append(os.Environ(), "CGO_ENABLED=1")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the plugin: %w\n%s", err, output)
	}
	return path, nil
}

// compile turns the C files of source/below into folder/name-HASH.
func compile(ctx context.Context, folder, name string, source embed.FS, below string, flags ...string) (string, error) {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	files, err := fs.Glob(source, below+"/*")
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintln(hash, cc, flags)
	for _, file := range files {
		text, err := source.ReadFile(file)
		if err != nil {
			return "", err
		}
		hash.Write(text)
	}
	folder, err = filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	extension := filepath.Ext(name)
	path := filepath.Join(folder, strings.TrimSuffix(name, extension)+"-"+hex.EncodeToString(hash.Sum(nil))[:12]+extension)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}

	work, err := os.MkdirTemp("", "flbhost-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := os.CopyFS(work, source); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	// Elsewhere first: several tests may compile at once.
	unfinished := filepath.Join(folder, filepath.Base(work))
	arguments := []string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-o", unfinished}
	for _, file := range files {
		if strings.HasSuffix(file, ".c") {
			arguments = append(arguments, filepath.Join(work, file))
		}
	}
	if output, err := exec.CommandContext(ctx, cc, append(arguments, flags...)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling %s with %s: %w\n%s", name, cc, err, output)
	}
	return path, os.Rename(unfinished, path)
}
