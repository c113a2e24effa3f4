package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

const (
	dbName   = "state.db"
	keyName  = "state.key"
	lockName = "state.lock"
)

// openDir makes dir, for its owner alone, or looks at who else may enter the one there is.
func openDir(dir string, notice func(string)) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("state: cannot make the folder: %w", err)
	}
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return syncDir(filepath.Dir(dir))
	}
	if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("state: cannot make the folder: %w", err)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("state: cannot look at the folder: %w", err)
	case !info.IsDir():
		return fmt.Errorf("state: %s is not a folder: name one in State_Path", dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("state: folder %s may be written by others (mode %04o): chmod 700 it, or name a new folder inside it in State_Path", dir, info.Mode().Perm())
	case info.Mode().Perm()&0o077 != 0:
		notice(fmt.Sprintf("state folder %s may be entered by others (mode %04o); chmod 700 is better", dir, info.Mode().Perm()))
	}
	return nil
}

// openOwn opens a file of the store's own: never through a symlink, always a
// regular file, always for its owner alone.
func openOwn(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("state: %s is a symbolic link, which is not followed: put the file itself there", path)
	}
	if err != nil {
		return nil, fmt.Errorf("state: cannot open the file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("state: %s is not a regular file", path)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeNew writes a file that appears whole or not at all, and stays after a power cut.
func writeNew(path string, content []byte) (err error) {
	half := path + ".new"
	if err := os.Remove(half); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := openOwn(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(half))
	}
	return settle(half, path)
}

// settle gives a finished and synced file its final name.
func settle(half, path string) error {
	if err := os.Rename(half, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readSmall reads at most limit bytes; more is an error.
func readSmall(f *os.File, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return b, err
}
