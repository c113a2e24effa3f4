//go:build faults

package main

import "C"

// defenderFault is for the tests of what a nil dereference does, which are built
// with the tag: it reads address 0 in a Go function, as a bug would.
//
//export defenderFault
func defenderFault() {
	defer survive("reading address 0")
	var nothing *instance
	nothing.name = "a fault"
}
