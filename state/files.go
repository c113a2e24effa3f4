package state

import (
	"cmp"
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
	nextName = "state.key.next" // while the key is being changed
	lockName = "state.lock"

	halfSuffix = ".new" // a file that is being made
)

// sweep removes what a process that was killed left half made.
func sweep(dir string) error {
	for _, name := range []string{dbName, keyName, nextName} {
		half := filepath.Join(dir, name+halfSuffix)
		if err := os.Remove(half); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fault(half, "removing what was left half made", err)
		}
	}
	return nil
}

// openDir looks at who may enter dir, and makes it, for its owner alone, where that is wanted.
func openDir(dir string, o Options) error {
	if !o.Existing {
		if err := makeDir(dir); err != nil {
			return err
		}
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("state: there is no folder %s: %w", dir, os.ErrNotExist)
	case err != nil:
		return fault(dir, "looking at the folder", err)
	case info.Mode()&os.ModeSymlink != 0:
		target, _ := filepath.EvalSymlinks(dir)
		return fmt.Errorf("state: folder %s is a symbolic link, which is not followed: name %s itself in State_Path", dir, cmp.Or(target, "the folder"))
	case !info.IsDir():
		return fmt.Errorf("state: %s is not a folder: name one in State_Path", dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("state: folder %s may be written by others (mode %04o): chmod 700 it, or name a new folder inside it in State_Path", dir, info.Mode().Perm())
	case info.Mode().Perm()&0o077 != 0:
		o.notice(fmt.Sprintf("state folder %s may be entered by others (mode %04o); chmod 700 is better", dir, info.Mode().Perm()))
	}
	return nil
}

func makeDir(dir string) error {
	above := filepath.Dir(dir)
	if err := os.MkdirAll(above, 0o755); err != nil {
		return fault(above, "making the folder", err)
	}
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return syncDir(above)
	}
	if !errors.Is(err, os.ErrExist) {
		return fault(dir, "making the folder", err)
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
		return nil, fault(path, "opening the file", err)
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
	if flag&os.O_CREATE != 0 && info.Size() == 0 {
		adopt(f, filepath.Dir(path))
	}
	return f, nil
}

// adopt gives a file that root made to the owner of the folder, as far as that
// can be done, so that defenderctl run by root does not keep Fluent Bit's own
// user out.
func adopt(f *os.File, dir string) {
	if os.Geteuid() != 0 {
		return
	}
	if folder, err := os.Stat(dir); err == nil {
		owner := folder.Sys().(*syscall.Stat_t)
		_ = f.Chown(int(owner.Uid), int(owner.Gid)) // in a container root may not be allowed to
	}
}

// writeNew writes a file that appears whole or not at all, and stays after a power cut.
func writeNew(path string, content []byte) (err error) {
	half := path + halfSuffix
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
