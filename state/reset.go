package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Reset puts checkpoints where reading shall go on from, all or none. Backwards,
// or where one is damaged, its seen set is forgotten, so that what was delivered
// after to is delivered again; forwards, what was delivered after to stays known.
// A checkpoint that is not there is made.
func (s *Store) Reset(keys []Key, to time.Time) error {
	return s.update(fmt.Sprintf("resetting %d checkpoints", len(keys)), func(tx *bbolt.Tx) error {
		for _, k := range keys {
			cp, err := s.checkpoint(tx, k)
			switch {
			case err != nil || !to.After(cp.Watermark):
				cp.Seen = nil
			default:
				cp.Seen = slices.DeleteFunc(cp.Seen, func(e Seen) bool { return e.Stamp.Before(to) })
			}
			cp.Watermark, cp.Since = to, to
			if err := s.put(tx, k, cp); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		return nil
	})
}

// put replaces the whole checkpoint of k, also one that cannot be read.
func (s *Store) put(tx *bbolt.Tx, k Key, cp Checkpoint) error {
	a, err := getAbout(tx)
	if err != nil {
		return &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
	}
	name := appendKey(nil, k)
	if tx.Bucket(bucketCheckpoints).Get(name) == nil {
		a.checkpoints++
	} else if old, _, err := s.head(tx, k); err == nil {
		if err := old.clear(tx.Bucket(bucketSeen)); err != nil {
			return err
		}
	}
	h := head{id: a.nextID}
	a.nextID++
	if err := h.move(&Commit{Watermark: cp.Watermark, Since: cp.Since}); err != nil {
		return err
	}
	for _, entry := range cp.Seen {
		if _, err := h.add(tx.Bucket(bucketSeen), entry); err != nil {
			return err
		}
	}
	if err := putAbout(tx, a); err != nil {
		return err
	}
	return tx.Bucket(bucketCheckpoints).Put(name, frame(bucketCheckpoints, name, h.encode()))
}

// clear removes the whole seen set, as much of it as there is.
func (h *head) clear(seen *bbolt.Bucket) error {
	prefix := binary.BigEndian.AppendUint64(nil, h.id)
	var all [][]byte
	cursor := seen.Cursor()
	for name, _ := cursor.Seek(prefix); bytes.HasPrefix(name, prefix); name, _ = cursor.Next() {
		all = append(all, bytes.Clone(name)) // deleting moves what the cursor shows
	}
	for _, name := range all {
		if err := seen.Delete(name); err != nil {
			return err
		}
	}
	return nil
}

func (c Checkpoint) equal(d Checkpoint) bool {
	return c.Watermark.Equal(d.Watermark) && c.Since.Equal(d.Since) &&
		slices.EqualFunc(c.Seen, d.Seen, func(a, b Seen) bool { return a.Hash == b.Hash && a.Stamp.Equal(b.Stamp) })
}

// Aside is what SetAside did.
type Aside struct {
	Files []string // what the old files are called now
	Fault error    // why the store could not be opened; nil: it could
}

// Readable reports whether the store in dir opens, and else why not. It changes
// nothing. A folder in use, or none at all, is the second error.
func Readable(dir string, o Options) (unreadable, err error) {
	o.Existing = true
	s, err := Open(dir, o)
	if err == nil {
		return nil, s.Close()
	}
	if refused(err) {
		return nil, err
	}
	return err, nil
}

// refused tells errors that no new start can cure from those it can.
func refused(err error) bool {
	var (
		corrupt *CorruptError
		version *VersionError
		key     *KeyError
		disk    *DiskError
	)
	return errors.As(err, &disk) || !errors.As(err, &corrupt) && !errors.As(err, &version) && !errors.As(err, &key)
}

// SetAside gives the store in dir another name, dated at, and begins an empty
// one. Nothing is deleted. The folder's own key stays for the new store, unless
// it is no key at all; one named by the operator must be readable.
func SetAside(dir string, o Options, at time.Time) (done Aside, err error) {
	if done.Fault, err = Readable(dir, o); err != nil {
		return done, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return done, fmt.Errorf("state: %w", err)
	}
	held, err := lock(dir)
	if err != nil {
		return done, err
	}
	defer func() {
		if held != nil {
			err = errors.Join(err, held.Close())
		}
	}()

	names := []string{dbName}
	if _, err := readKey(dir, o); err != nil {
		if o.KeyFile != "" {
			return done, err
		}
		names = append(names, keyName)
	}
	if _, err := os.Lstat(filepath.Join(dir, nextName)); err == nil {
		names = append(names, nextName) // it may be what opens the old store
	}
	word := "unreadable"
	if done.Fault == nil {
		word = "replaced"
	}
	for _, name := range slices.Backward(names) { // the store last: until then nothing has begun anew
		aside, err := rename(dir, name, word+"-"+at.UTC().Format("2006-01-02T15-04-05Z"))
		if err != nil {
			return done, fault(dir, "setting it aside", err)
		}
		done.Files = append(done.Files, aside)
	}
	slices.Reverse(done.Files)

	fresh := &Store{path: filepath.Join(dir, dbName), keyPath: keyPath(dir, o), lock: held}
	held = nil // the store's now
	err = fresh.protect("beginning it anew", func() error { return fresh.open(dir, o) })
	return done, errors.Join(err, fresh.release())
}

// rename appends suffix to a file's name, and a number where that is taken.
func rename(dir, name, suffix string) (to string, err error) {
	from := filepath.Join(dir, name)
	to = from + "." + suffix
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, os.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s.%s-%d", from, suffix, n)
	}
	return to, settle(from, to)
}
