package state

import (
	"errors"
	"fmt"
)

// ErrClosed is returned by every method once Close was called.
var ErrClosed = errors.New("state: the store is closed")

// InUseError says that the folder is held by another process, or a second time by this one.
type InUseError struct {
	Dir     string
	PID     int    // 0: not known
	Command string // as /proc shows it, e.g. "fluent-bit"; "" when not known
	Host    string // set only when the holder runs on another host or in another container
	Self    bool   // this very process has it open
}

func (e *InUseError) Error() string {
	holder := "another process"
	switch {
	case e.Self:
		return fmt.Sprintf("state folder %s is already open in this process (pid %d): close that store, or give each its own State_Path", e.Dir, e.PID)
	case e.Host != "":
		holder = fmt.Sprintf("process %d (%s) on %s", e.PID, e.Command, e.Host)
	case e.PID != 0:
		holder = fmt.Sprintf("process %d (%s)", e.PID, e.Command)
	}
	return fmt.Sprintf("state folder %s is in use by %s: stop it, or give each its own State_Path", e.Dir, holder)
}

// CorruptError says that the file, or one record in it, is not what was once
// written. Nothing was changed or set aside.
type CorruptError struct {
	Path string // the file
	Key  *Key   // the only checkpoint concerned; nil: more than one checkpoint, a token, or the whole file
	What string // what was found
	Err  error  // the cause below, if any
}

func (e *CorruptError) Error() string {
	text := fmt.Sprintf("state file %s is damaged", e.Path)
	if e.Key != nil {
		text += " in the checkpoint of " + e.Key.String()
	}
	text += ": " + e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + " (restore the file from a copy; or stop Fluent Bit and move it away to start anew from Lookback and the tokens in the configuration)"
}

func (e *CorruptError) Unwrap() error { return e.Err }

// KeyError says that the sealing key cannot be used: missing, unreadable, or not the one the tokens were sealed with.
type KeyError struct {
	Path string // the key file
	What string
	Err  error
}

func (e *KeyError) Error() string {
	text := fmt.Sprintf("state key file %s: %s", e.Path, e.What)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *KeyError) Unwrap() error { return e.Err }

// VersionError says that a newer program wrote the file.
type VersionError struct {
	Path        string
	Have, Known uint32 // schema of the file, newest schema this program reads
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("state file %s has schema %d, this program knows up to %d: run the newer program, or another State_Path", e.Path, e.Have, e.Known)
}
