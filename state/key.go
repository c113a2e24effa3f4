package state

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const keySize = 32

// readKey reads the sealing key: from the file the operator named, else from
// the folder. No key in the folder is nil without an error.
func readKey(dir string, o Options) (*sealer, error) {
	path, open := keyPath(dir, o), os.Open
	if o.KeyFile == "" {
		open = func(path string) (*os.File, error) { return openOwn(path, os.O_RDONLY) }
	}
	f, err := open(path)
	if o.KeyFile == "" && errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &KeyError{Path: path, What: "cannot be read", Err: err}
	}
	defer f.Close()
	if o.KeyFile != "" {
		if err := checkKeyMode(f, o.notice); err != nil {
			return nil, err
		}
	}
	text, err := readSmall(f, 4096)
	if err != nil {
		return nil, &KeyError{Path: path, What: "cannot be read", Err: err}
	}
	master, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(master) != keySize {
		// What was read is not shown, it may be a key.
		what := "does not hold 32 bytes in base64, as `openssl rand -base64 32` writes them"
		if o.KeyFile == "" {
			what += ": put the copy of it back; or start anew with " + resetCommand(path) + " --all"
		}
		return nil, &KeyError{Path: path, What: what}
	}
	return &sealer{master}, nil
}

// checkKeyMode refuses a key that others may replace. One that others may read
// is only remarked upon: secrets are mounted so by Docker and Kubernetes.
func checkKeyMode(f *os.File, notice func(string)) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return &KeyError{Path: f.Name(), What: "cannot be read", Err: err}
	case info.Mode().Perm()&0o022 != 0:
		return &KeyError{Path: f.Name(), What: fmt.Sprintf("may be written by others (mode %04o): chmod 600 it", info.Mode().Perm())}
	case info.Mode().Perm()&0o044 != 0:
		notice(fmt.Sprintf("state key file %s may be read by others (mode %04o); chmod 600 is better", f.Name(), info.Mode().Perm()))
	}
	return nil
}

// makeKey makes the folder's own key.
func makeKey(dir string, notice func(string)) (*sealer, error) {
	path := filepath.Join(dir, keyName)
	key, err := writeKey(path)
	if err == nil {
		notice(fmt.Sprintf("made the key that seals refresh tokens: %s; keep a copy elsewhere, without it %s is worth nothing", path, dbName))
	}
	return key, err
}

// writeKey makes a new key in a file of its own.
func writeKey(path string) (*sealer, error) {
	master := make([]byte, keySize)
	rand.Read(master) // never fails, see crypto/rand
	text := base64.StdEncoding.EncodeToString(master) + "\n"
	if err := writeNew(path, []byte(text)); err != nil {
		return nil, fault(path, "making the key", err)
	}
	return &sealer{master}, nil
}

func keyPath(dir string, o Options) string {
	if o.KeyFile != "" {
		return o.KeyFile
	}
	return filepath.Join(dir, keyName)
}
