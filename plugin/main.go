// Command plugin is the Fluent Bit input "defender", built with
// -buildmode=c-shared into in_defender.so.
//
// It is the C edge and nothing else: edge.c holds the functions that Fluent Bit
// looks up, this file their Go halves, each of which unpacks its arguments,
// calls ship, and packs the result. No panic leaves it. What Fluent Bit hands
// over stays here: ship sees no C pointer, and only an instance's own callback
// touches the instance's.
package main

/*
#include <stdlib.h>
#include "edge.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"unsafe"

	"github.com/fluent/fluent-bit-go/input"

	"fluent-bit-defender/config"
	"fluent-bit-defender/ship"
)

// version is stamped in by the linker.
var version = "unversioned"

const (
	ok     C.int = 1 // FLB_OK
	failed C.int = 0
)

// hub outlives every instance: after a hot reload the same process goes on.
var hub = ship.NewHub()

func main() {}

//export defenderRegister
func defenderRegister(def unsafe.Pointer) (result C.int) {
	result = -1
	defer survive("registering")
	return C.int(input.FLBPluginRegister(def, "defender", "Alerts of Microsoft Defender, of many tenants"))
}

//export defenderUnregister
func defenderUnregister(def unsafe.Pointer) {
	defer survive("unregistering")
	input.FLBPluginUnregister(def)
}

//export defenderInit
func defenderInit(d *C.struct_edge_definition) (result C.int) {
	defer survive("starting an instance")
	i := newInstance(d)
	defer i.print()
	if err := start(i, d); err != nil {
		i.log.Error(err.Error())
		return failed
	}
	return ok
}

// start makes i run, with the properties of its [INPUT] section.
func start(i *instance, d *C.struct_edge_definition) error {
	i.log.Info(fmt.Sprintf("version %s, %s, %s", version, runtime.Version(), mode()))
	contexts := C.edge_has_contexts(d) != 0
	if others := running(); !contexts && len(others) > 0 {
		return fmt.Errorf("Fluent Bit before 4.1 can run one [INPUT] of defender, and that is %s: list the tenants of %s there and remove this section, or update Fluent Bit", others[0].name, i.name)
	}
	cfg, err := config.Load(func(key string) string {
		return input.FLBPluginConfigKey(unsafe.Pointer(d), key)
	})
	if err != nil {
		return err
	}
	i.ship, err = hub.Start(cfg, ship.Options{Name: i.name, Log: i.log, Version: version})
	if err != nil {
		return err
	}
	add(i)
	if contexts {
		C.edge_attach(d, C.uintptr_t(i.handle))
	}
	return nil
}

// mode says in words how this engine takes batches, and what would be better.
func mode() string {
	switch {
	case C.edge_can_append() == 0:
		return "this Fluent Bit does not export flb_input_log_append: one batch a second, all under the section's own Tag, and checkpoints wait for Commit_Delay"
	case C.edge_on_engine_thread() == 0:
		return "threaded: a batch is not yet safe when Fluent Bit has taken it, so checkpoints wait for Commit_Delay; set `threaded off` in this [INPUT]"
	}
	return "on the engine's thread: a batch is in its chunk when Fluent Bit has taken it"
}

//export defenderCollect
func defenderCollect(handle C.uintptr_t, data *unsafe.Pointer, size *C.size_t) C.int {
	defer survive("handing over alerts")
	i := byHandle(handle)
	if i == nil {
		return ok // after its Exit, or an engine without contexts and no instance
	}
	defer i.print()
	if C.edge_can_append() == 0 {
		if batch := i.ship.CollectBytes(); len(batch) > 0 {
			*data, *size = C.CBytes(batch), C.size_t(len(batch))
		}
		return ok
	}
	evidence := ship.Delayed
	if C.edge_on_engine_thread() != 0 {
		evidence = ship.Direct
	}
	i.ship.Collect(evidence, i.append)
	return ok
}

//export defenderPause
func defenderPause() {
	defer survive("pausing")
	for _, i := range running() {
		i.ship.Pause()
	}
}

//export defenderResume
func defenderResume() {
	defer survive("resuming")
	for _, i := range running() {
		i.ship.Resume()
	}
}

// defenderExit runs once for each instance without saying for which. None runs
// on once the first has exited, so that stops all of them, at the same time; the
// last one lets go of the handles, when no callback can come any more.
//
//export defenderExit
func defenderExit() {
	defer survive("stopping")
	all, nth := running(), exited.Add(1)
	if nth == 1 {
		var stopping sync.WaitGroup
		for _, i := range all {
			i.ship.Pause() // a callback of another thread may still come: nothing more is appended
			stopping.Go(func() {
				defer survive("stopping " + i.name)
				i.ship.Stop()
			})
		}
		stopping.Wait()
		for _, i := range all {
			i.print() // none of Fluent Bit's instances is gone yet
		}
	}
	if int(nth) >= len(all) {
		forget()
	}
}

// survive keeps a panic from reaching C, where it would end Fluent Bit.
func survive(doing string) {
	if fault := recover(); fault != nil {
		fmt.Fprintf(os.Stderr, "[input:defender] a fault while %s was caught, please report it: %v\n%s", doing, fault, debug.Stack())
	}
}
