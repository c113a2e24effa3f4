package main

import (
	"fmt"
	"runtime"
)

type versionCommand struct{}

// Run prints the version that the Makefile stamped in, and what it was built with.
func (versionCommand) Run(out *console) error {
	_, err := fmt.Fprintf(out.data, "defenderctl %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
