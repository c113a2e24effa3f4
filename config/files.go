package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Limits of what is read into memory.
const (
	tenantsFileLimit = 64 << 20 // 10,000 tenants with long tokens are 20 MB
	secretFileLimit  = 64 << 10
)

// fileSet reads files and remembers which, whether they could be read or not,
// and which of them others may change or see.
type fileSet struct {
	all     map[string]bool
	exposed []exposure // let pass because of where they are
}

// names lists the files in order of their names.
func (f *fileSet) names() []string {
	names := make([]string, 0, len(f.all))
	for name := range f.all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// read returns the content of a regular file of at most limit bytes that nobody
// but its owner may write. Anything else is refused: a pipe would block, a
// device never end.
func (f *fileSet) read(name string, limit int64) ([]byte, *problem) {
	content, _, p := f.open(name, limit, writable)
	return content, p
}

// open reads a file and holds it against what no others may do with it.
func (f *fileSet) open(name string, limit int64, no access) ([]byte, *guarded, *problem) {
	if f.all == nil {
		f.all = map[string]bool{}
	}
	f.all[name] = true
	// Not to block on a pipe; a regular file does not care.
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return nil, nil, &problem{"cannot read " + name + ": it is no regular file", ""}
	}
	var content []byte
	if err == nil {
		content, err = io.ReadAll(io.LimitReader(file, limit+1))
	}
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	if int64(len(content)) > limit {
		return nil, nil, &problem{fmt.Sprintf("cannot read %s: it is larger than %s", name, formatSize(limit)), "is it the right file?"}
	}
	g := &guarded{name: name, mode: info.Mode().Perm(), sheltered: sheltered(file)}
	return content, g, f.guard(g, no)
}

func unreadable(name string, err error) *problem {
	reason := err
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		reason = pathError.Err
	}
	hint := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint = "create it, or correct the name"
	case errors.Is(err, fs.ErrPermission):
		hint = "let the user that Fluent Bit runs as read it"
	}
	return &problem{"cannot read " + name + ": " + reason.Error(), hint}
}

// secret reads a file that holds one secret and perhaps a newline behind it.
func (f *fileSet) secret(name string) (string, *problem) {
	content, _, p := f.open(name, secretFileLimit, writable|readable)
	if p != nil {
		return "", p
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(content), "\ufeff"))
	if text == "" {
		return "", &problem{"the file " + name + " is empty", "write the secret into it"}
	}
	return text, nil
}

// fromFile reads a file and hands its content to the reader of the secret itself.
func fromFile(read reader) reader {
	return func(d *draft, name string) *problem {
		if p := printable(name); p != nil {
			return p
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(d.folder, name)
		}
		text, p := d.secret(name)
		if p != nil {
			return p
		}
		if p := read(d, text); p != nil {
			return &problem{"in the file " + name + ", " + p.what, p.hint}
		}
		return nil
	}
}
