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
)

// Limits of what is read into memory.
const (
	tenantsFileLimit = 64 << 20 // 10,000 tenants with long tokens are 20 MB
	secretFileLimit  = 64 << 10
)

// fileSet reads files and remembers which, whether they could be read or not.
type fileSet map[string]bool

// names lists the files in order of their names.
func (f fileSet) names() []string {
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// read returns the content of a regular file of at most limit bytes. Anything
// else is refused: a pipe would block, a device never end.
func (f *fileSet) read(name string, limit int64) ([]byte, *problem) {
	if *f == nil {
		*f = fileSet{}
	}
	(*f)[name] = true
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, &problem{"cannot read " + name + ": it is no regular file", ""}
	}
	var content []byte
	if err == nil {
		content, err = readUpTo(name, limit)
	}
	if err != nil {
		return nil, unreadable(name, err)
	}
	if int64(len(content)) > limit {
		return nil, &problem{fmt.Sprintf("cannot read %s: it is larger than %s", name, formatSize(limit)), "is it the right file?"}
	}
	return content, nil
}

func readUpTo(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit+1))
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
	content, p := f.read(name, secretFileLimit)
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
