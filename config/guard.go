package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// access is what others than a file's owner may do with it.
type access int

const (
	writable access = 1 << iota // by its group or by everyone: they could put their own tenants and addresses in
	readable                    // by everyone on the machine. A group may read: root's files for Fluent Bit's user are so
)

// guarded is a file that was read, and who else may.
type guarded struct {
	name      string
	mode      fs.FileMode
	sheltered string // where it is that its mode says little; "" elsewhere
}

// exposure is a file that was let pass.
type exposure struct {
	name, where string
	to          access
}

// guard refuses a file that others may do something with that they must not.
// Where the mode was not chosen by whoever put the file there, it is noted only.
func (f *fileSet) guard(g *guarded, no access) *problem {
	var open access
	if g.mode&0o022 != 0 {
		open |= writable
	}
	if g.mode&0o004 != 0 {
		open |= readable
	}
	if open &= no; open == 0 {
		return nil
	}
	if g.sheltered != "" {
		f.exposed = append(f.exposed, exposure{g.name, g.sheltered, open})
		return nil
	}
	return &problem{fmt.Sprintf("the file %s can be %s (mode %04o)", g.name, open, g.mode), "chmod " + open.chmod() + " " + shellWord(g.name)}
}

// String is what others may do, in words.
func (a access) String() string {
	switch a {
	case writable:
		return "written by others than its owner"
	case readable:
		return "read by everyone on this machine"
	}
	return "read and written by others than its owner"
}

// chmod takes the rights away and leaves the others as they are.
func (a access) chmod() string {
	switch a {
	case writable:
		return "go-w"
	case readable:
		return "o-r"
	}
	return "go-w,o-r"
}

// shellWord is a name as one writes it in a shell.
func shellWord(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@%:,", r)
	}
	if name != "" && name[0] != '-' && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// shelters are the folders that systemd, Docker and Kubernetes mount secrets under.
var shelters = []string{"/run/secrets", "/run/credentials"}

// The kinds of file systems that live in memory (statfs(2)), and the flag of
// one that is mounted read-only.
const (
	tmpfs    = 0x01021994
	ramfs    = 0x858458f6
	readOnly = 0x1
)

// sheltered says where a file is that its mode says little: on a mount that
// nobody can write or that holds no disk, as containers get their secrets.
// A variable, so that tests are the same wherever they run.
var sheltered = func(file *os.File) string {
	real, err := filepath.EvalSymlinks(file.Name())
	if err != nil {
		real = file.Name()
	}
	for _, name := range []string{real, file.Name()} {
		name, err := filepath.Abs(name)
		for _, folder := range shelters {
			if err == nil && strings.HasPrefix(name, folder+"/") {
				return "under " + folder
			}
		}
	}
	var mount syscall.Statfs_t
	if err := syscall.Fstatfs(int(file.Fd()), &mount); err != nil {
		return ""
	}
	switch kind := uint32(mount.Type); {
	case mount.Flags&readOnly != 0:
		return "on a read-only mount"
	case kind == tmpfs, kind == ramfs:
		return "on a file system in memory"
	}
	return ""
}

// warnings tells of the files that were let pass, one line for each kind: there
// may be thousands of them.
func (f *fileSet) warnings() (all []Fault) {
	type kind struct {
		where string
		to    access
	}
	at := map[kind]int{}
	var first []string
	var count []int
	var kinds []kind
	for _, e := range f.exposed {
		k := kind{e.where, e.to}
		i, known := at[k]
		if !known {
			i = len(kinds)
			at[k] = i
			kinds, first, count = append(kinds, k), append(first, e.name), append(count, 0)
		}
		count[i]++
	}
	for i, k := range kinds {
		what := fmt.Sprintf("can be %s, and passes because it is %s", k.to, k.where)
		if count[i] > 1 {
			what = fmt.Sprintf("and %d more can be %s, and pass because they are %s", count[i]-1, k.to, k.where)
		}
		all = append(all, Fault{Where: first[i], What: what, Hint: "mount it with a mode such as 0400 (Kubernetes: defaultMode, Docker: mode) for Fluent Bit's user"})
	}
	return all
}
