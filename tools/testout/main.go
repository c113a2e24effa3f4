// Testout runs "go test -json" with the arguments it is given and prints what a reader wants of it: a line per package,
// the whole output of what failed, and every skipped test with its reason, which plain "go test" hides. It exits as go
// test does.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testout:", err)
		os.Exit(2)
	}
	printErr := report(os.Stdout, out)
	if err := cmd.Wait(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() > 0 {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "testout:", err)
		os.Exit(2)
	}
	if printErr != nil {
		fmt.Fprintln(os.Stderr, "testout:", printErr)
		os.Exit(2)
	}
}

// event is one line of "go test -json" (go doc test2json).
type event struct{ Action, Package, ImportPath, Test, Output string }

// report copies from the events in r what is worth reading to w.
func report(w io.Writer, r io.Reader) error {
	kept := map[string][]string{} // output of a test or package that has not ended yet
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				w.Write(line) // not an event: go test's own complaint
			} else {
				e.print(w, kept)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (e event) print(w io.Writer, kept map[string][]string) {
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "build-output":
		io.WriteString(w, e.Output)
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			kept[key] = append(kept[key], e.Output)
		}
	case "fail":
		if e.Test == "" { // a test that was running when the process died never ended: it has the panic
			for _, k := range slices.Sorted(maps.Keys(kept)) {
				if k != key && strings.HasPrefix(k, key) {
					io.WriteString(w, strings.Join(kept[k], ""))
					delete(kept, k)
				}
			}
		}
		io.WriteString(w, strings.Join(kept[key], ""))
		delete(kept, key)
	case "skip":
		if e.Test != "" { // a package that has no tests says so by itself
			io.WriteString(w, skipped(kept[key], e))
		} else {
			io.WriteString(w, strings.Join(kept[key], ""))
		}
		delete(kept, key)
	case "pass":
		if e.Test == "" {
			io.WriteString(w, last(kept[key]))
		}
		delete(kept, key)
	}
}

// skipped is one line: the test and the reason it gave.
func skipped(output []string, e event) string {
	var reason []string
	for _, line := range output {
		if !strings.Contains(line, "--- SKIP") {
			reason = append(reason, strings.TrimSpace(line))
		}
	}
	return fmt.Sprintf("SKIP\t%s %s: %s\n", e.Package, e.Test, strings.Join(reason, " "))
}

// last is go test's own "ok" line.
func last(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		if strings.HasPrefix(output[i], "ok ") || strings.HasPrefix(output[i], "?") {
			return output[i]
		}
	}
	return ""
}
