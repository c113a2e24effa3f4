package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
	if e.Key != nil {
		return text + fmt.Sprintf(" (restore the file from a copy; or stop Fluent Bit and say from where on to read again: %s --tenant %s --to TIME)",
			resetCommand(e.Path), printable(e.Key.TenantID))
	}
	return text + fmt.Sprintf(" (restore the file from a copy; or stop Fluent Bit and start anew from Lookback and the tokens in the configuration: %s --all)", resetCommand(e.Path))
}

// resetCommand is how an operator makes a deliberate new start; nothing does so by itself.
func resetCommand(file string) string {
	return "defenderctl state reset --path " + filepath.Dir(file)
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

// VersionError says that a newer program wrote the file, or one too old to read.
type VersionError struct {
	Path        string
	Have, Known uint32 // schema of the file, newest schema this program reads
}

func (e *VersionError) Error() string {
	if e.Have < oldestSchema {
		return fmt.Sprintf("state file %s has schema %d, this program knows %d to %d: start anew with %s --all",
			e.Path, e.Have, oldestSchema, e.Known, resetCommand(e.Path))
	}
	return fmt.Sprintf("state file %s has schema %d, this program knows up to %d: run the newer program, or another State_Path; or start anew with %s --all",
		e.Path, e.Have, e.Known, resetCommand(e.Path))
}

// DiskError says that the disk, or the permissions on it, did not allow what had
// to be done: it is full, read-only, failing, or somebody else's. What was
// acknowledged before is untouched, and the same call may be tried again.
type DiskError struct {
	Path  string // the file or folder
	Doing string // e.g. "committing 3 checkpoints"
	Err   error
}

func (e *DiskError) Error() string {
	why := e.Err
	if at := (*os.PathError)(nil); errors.As(why, &at) {
		why = at.Err // Path says where
	}
	return fmt.Sprintf("state: %s in %s: %v%s", e.Doing, e.Path, why, e.advice())
}

func (e *DiskError) Unwrap() error { return e.Err }

func (e *DiskError) advice() string {
	is := func(codes ...syscall.Errno) bool {
		for _, code := range codes {
			if errors.Is(e.Err, code) {
				return true
			}
		}
		return false
	}
	switch {
	case is(syscall.ENOSPC, syscall.EDQUOT):
		return " (free some space there)"
	case is(syscall.EROFS):
		return " (mount it writable, or name another State_Path)"
	case is(syscall.EACCES, syscall.EPERM):
		return fmt.Sprintf(" (it must belong to user %d, who runs this: chown it)", os.Geteuid())
	case is(syscall.EFBIG):
		return " (raise the limit on file sizes of this process: ulimit -f, LimitFSIZE)"
	case is(syscall.EIO):
		return " (the disk fails: see the kernel's log)"
	}
	return ""
}

// diskFaults are the answers of the kernel that DiskError is made of.
var diskFaults = []syscall.Errno{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EFBIG, syscall.EIO,
}

// fault says what was being done where, as a *DiskError when that is what err comes from.
func fault(path, doing string, err error) error {
	if known := (*DiskError)(nil); errors.As(err, &known) {
		return err
	}
	for _, code := range diskFaults {
		if errors.Is(err, code) {
			return &DiskError{Path: path, Doing: doing, Err: err}
		}
		if strings.HasSuffix(err.Error(), code.Error()) { // bbolt keeps the text alone where it makes the file longer
			return &DiskError{Path: path, Doing: doing, Err: code}
		}
	}
	return fmt.Errorf("state: %s in %s: %w", doing, path, err)
}
