package main

/*
#include <stdlib.h>
#include "edge.h"
*/
import "C"

import (
	"log/slog"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"unsafe"

	"fluent-bit-defender/ship"
)

// instance is one [INPUT] section. The C pointers live until its Exit and are
// used on Fluent Bit's own threads only.
type instance struct {
	name   string // alias, or defender.0
	handle cgo.Handle
	api    *C.struct_edge_api
	input  unsafe.Pointer
	lines  *ship.Lines
	log    *slog.Logger
	ship   *ship.Instance
}

func newInstance(d *C.struct_edge_definition) *instance {
	i := &instance{name: "defender", api: d.api, input: d.instance, lines: ship.NewLines(1000, messageLimit)}
	if name := C.edge_instance_name(d); name != nil {
		i.name = C.GoString(name)
	}
	if i.wants(C.EDGE_DEBUG) {
		i.lines.SetLevel(slog.LevelDebug)
	}
	i.log = slog.New(i.lines).With("instance", i.name)
	return i
}

// append hands one batch to Fluent Bit, which copies it, and reports whether it
// was taken. Fluent Bit may call pause from within: no lock may be held here.
func (i *instance) append(tag string, batch []byte) bool {
	if len(batch) == 0 {
		return true
	}
	return C.edge_append(i.input, (*C.char)(unsafe.Pointer(unsafe.StringData(tag))), C.size_t(len(tag)),
		unsafe.Pointer(unsafe.SliceData(batch)), C.size_t(len(batch))) == 0
}

// print puts the waiting lines into Fluent Bit's log, at its level.
func (i *instance) print() {
	i.lines.Drain(func(level slog.Level, line string) {
		severity := severities[level]
		if !i.wants(severity) {
			return
		}
		text := C.CString(line)
		C.edge_log(i.api, severity, text)
		C.free(unsafe.Pointer(text))
	})
}

func (i *instance) wants(severity C.int) bool {
	return C.edge_log_wanted(i.api, i.input, severity) != 0
}

var severities = map[slog.Level]C.int{
	slog.LevelError: C.EDGE_ERROR, slog.LevelWarn: C.EDGE_WARN,
	slog.LevelInfo: C.EDGE_INFO, slog.LevelDebug: C.EDGE_DEBUG,
}

// messageLimit is what one message may have: Fluent Bit cuts at 4 KiB (struct
// log_message in flb_log.c), its own heading included.
const messageLimit = 3800

// The running instances, in the order of their Init. The slice is replaced and
// never changed, so that pause and resume can read it while Init adds to it.
var (
	instances atomic.Pointer[[]*instance]
	adding    sync.Mutex   // one Init at a time changes instances
	exited    atomic.Int32 // how many exits Fluent Bit has called since they run
)

func running() []*instance {
	if all := instances.Load(); all != nil {
		return *all
	}
	return nil
}

// add makes i one of the running instances. What is left of those that were
// stopped before a hot reload goes: Fluent Bit is through with them.
func add(i *instance) {
	adding.Lock()
	defer adding.Unlock()
	if exited.Load() > 0 {
		forget()
	}
	i.handle = cgo.NewHandle(i)
	all := append(append([]*instance(nil), running()...), i)
	instances.Store(&all)
}

// forget lets go of every instance.
func forget() {
	for _, i := range running() {
		i.handle.Delete()
	}
	instances.Store(nil)
	exited.Store(0)
}

// byHandle returns the instance whose callback carries handle, or, for 0 (an
// engine without contexts), the only one; nil when it is gone.
func byHandle(handle C.uintptr_t) *instance {
	for _, i := range running() {
		if handle == 0 || i.handle == cgo.Handle(handle) {
			return i
		}
	}
	return nil
}
