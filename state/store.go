package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Options are what Open may be told.
type Options struct {
	// KeyFile holds the key that seals tokens: 32 bytes in base64. It is only
	// read. Empty: state.key in the folder, made on the first start.
	KeyFile string
	// Existing opens a store that is there and makes none: without it the error
	// is os.ErrNotExist.
	Existing bool
	// Notice gets remarks meant for the operator, one sentence each, e.g. that
	// a key was made and should be copied elsewhere. nil: they are dropped.
	Notice func(string)
}

func (o Options) notice(remark string) {
	if o.Notice != nil {
		o.Notice(remark)
	}
}

// Store is an open state folder. Its methods may be called from several goroutines.
type Store struct {
	path    string // of state.db
	keyPath string
	lock    *os.File
	file    *os.File // the one bbolt works on
	db      *bbolt.DB
	sealer  *sealer

	calls  sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
	broken atomic.Pointer[CorruptError] // a write that panicked: bbolt cannot be trusted with another

	// What Open found. A record that cannot be found may then be one of the damaged.
	damagedCheckpoints, damagedTokens bool
}

var (
	bucketAbout       = []byte("about")
	bucketCheckpoints = []byte("checkpoints")
	bucketSeen        = []byte("seen")
	bucketTokens      = []byte("tokens")
	keyAbout          = []byte("about")

	// buckets are the parts of a store; none lies inside another.
	buckets = [][]byte{bucketAbout, bucketCheckpoints, bucketSeen, bucketTokens}
)

// Open opens the state folder dir and makes it (mode 0700) when it is missing.
//
// Errors a caller may want to tell apart: *InUseError, *CorruptError, *KeyError,
// *VersionError, *DiskError. None of them changes the store.
func Open(dir string, o Options) (s *Store, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if err := openDir(dir, o); err != nil {
		return nil, err
	}
	s = &Store{path: filepath.Join(dir, dbName), keyPath: keyPath(dir, o)}
	if _, err := os.Lstat(s.path); o.Existing && err != nil {
		return nil, fmt.Errorf("state: there is no %s in %s: %w", dbName, dir, errors.Unwrap(err))
	}
	if s.lock, err = lock(dir); err != nil {
		return nil, err
	}
	err = s.protect("opening it", func() error { return s.open(dir, o) })
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Store) open(dir string, o Options) error {
	if err := sweep(dir); err != nil {
		return err
	}
	key, err := readKey(dir, o)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(s.path); errors.Is(err, os.ErrNotExist) {
		if key, err = s.create(dir, key, o); err != nil {
			return err
		}
	}
	if err := s.verify(o); err != nil {
		return err
	}
	s.db, err = bbolt.Open(s.path, 0o600, s.bbolt())
	if errors.Is(err, berrors.ErrTimeout) {
		return &InUseError{Dir: dir}
	}
	if err != nil {
		return fault(s.path, "opening the store", err)
	}
	a, err := s.readAbout(o)
	if err != nil {
		return err
	}
	if err := s.takeKey(dir, key, a, o); err != nil {
		return err
	}
	return s.audit(a)
}

// bbolt keeps the file in hand.
func (s *Store) bbolt() *bbolt.Options {
	o := bboltOptions()
	through := o.OpenFile
	o.OpenFile = func(path string, flag int, mode os.FileMode) (f *os.File, err error) {
		f, err = through(path, flag, mode)
		s.file = f
		return f, err
	}
	return o
}

// bboltOptions open through our own door.
func bboltOptions() *bbolt.Options {
	return &bbolt.Options{
		Timeout:        time.Second,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		OpenFile:       func(path string, flag int, _ os.FileMode) (*os.File, error) { return openOwn(path, flag) },
	}
}

// create makes an empty store that appears whole or not at all, so that an empty
// or half file under its name is damage and never a first start.
func (s *Store) create(dir string, key *sealer, o Options) (*sealer, error) {
	fresh := key == nil
	if fresh {
		made, err := makeKey(dir, o.notice)
		if err != nil {
			return nil, err
		}
		key = made
	}
	half := s.path + halfSuffix
	db, err := bbolt.Open(half, 0o600, bboltOptions())
	if err != nil {
		return nil, fault(half, "making the store", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return putAbout(tx, about{schema: schema, keyCheck: key.keyCheck(), nextID: 1})
	})
	err = errors.Join(err, db.Close())
	if err == nil {
		err = settle(half, s.path)
	}
	if err != nil {
		return nil, fault(s.path, "making the store", err)
	}
	if !fresh {
		o.notice(fmt.Sprintf("no %s in %s, though there is a key: began a new one, from Lookback and the tokens in the configuration", dbName, dir))
	}
	return key, nil
}

func (s *Store) verify(o Options) error {
	f, err := openOwn(s.path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fault(s.path, "looking at the store", err)
	}
	half, err := verify(f, info.Size())
	if err != nil {
		return &CorruptError{Path: s.path, What: "its structure is broken", Err: err}
	}
	if half {
		o.notice(fmt.Sprintf("state file %s: one of its two header pages was damaged; went back to the last whole commit, so some alerts may be sent again", s.path))
	}
	return nil
}

// Close gives the folder back. Calls under way finish first. Later calls return ErrClosed.
func (s *Store) Close() error {
	s.calls.Lock()
	defer s.calls.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.release()
}

// release lets go of the files. After a panic inside a write bbolt still holds
// its own locks and its Close would wait for ever: then only the file is closed.
func (s *Store) release() error {
	var err error
	switch {
	case s.db != nil && s.broken.Load() == nil:
		err = s.db.Close()
	case s.file != nil:
		_ = s.file.Close() // already closed where bbolt gave up in order
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

func (s *Store) view(what string, fn func(*bbolt.Tx) error) error {
	return s.call(what, func() error { return s.db.View(fn) })
}

// update runs fn in a transaction that is on disk when nil is returned.
//
// It avoids bbolt's own Update: that one, on a panic, scans the whole file on
// another goroutine, where a second fault would end the process.
func (s *Store) update(what string, fn func(*bbolt.Tx) error) error {
	return s.call(what, func() (err error) {
		tx, err := s.db.Begin(true)
		if err != nil {
			return err
		}
		whole := false
		defer func() {
			if !whole {
				s.broken.Store(&CorruptError{Path: s.path, What: "a write went wrong; nothing more is written until it is opened anew"})
			}
		}()
		if err = s.uncut(tx); err == nil {
			err = fn(tx)
		}
		if err == nil {
			err = tx.Commit()
		} else {
			err = errors.Join(err, tx.Rollback())
		}
		whole = true
		return err
	})
}

// uncut sees whether somebody cut the file under us.
func (s *Store) uncut(tx *bbolt.Tx) error {
	info, err := s.file.Stat()
	if err == nil && info.Size() < tx.Size() {
		err = &CorruptError{Path: s.path, What: fmt.Sprintf("it was cut while in use: %d bytes of at least %d", info.Size(), tx.Size())}
	}
	return err
}

// call runs one method's work on an open, sound store.
func (s *Store) call(what string, fn func() error) error {
	s.calls.RLock()
	defer s.calls.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if broken := s.broken.Load(); broken != nil {
		return broken
	}
	err := s.protect(what, fn)
	var corrupt *CorruptError
	if err == nil || errors.As(err, &corrupt) {
		return err
	}
	return fault(s.path, what, err)
}

// protect turns a panic of bbolt, and a fault in the file's memory map (a file
// cut under us, a dying disk), into an error.
func (s *Store) protect(what string, fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &CorruptError{Path: s.path, What: fmt.Sprintf("%s failed: %v", what, r)}
		}
	}()
	return fn()
}
