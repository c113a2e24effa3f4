package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// RekeyOptions say what Rekey is to do.
type RekeyOptions struct {
	// KeyFile is the operator's file with the new key, made when it is missing.
	// Empty: a new key is made in the folder.
	KeyFile string
	// ForgetDamaged leaves out the tokens that cannot be unsealed. Without it
	// they are an error.
	ForgetDamaged bool
}

// Rekeyed is what Rekey did.
type Rekeyed struct {
	Tokens    int    // sealed anew
	Forgotten int    // damaged ones left out
	KeyPath   string // where the new key is
}

// Rekey seals every token of the store in dir anew, under another key. The store
// file is written anew for that, since pages that bbolt has given up still hold
// what the old key opens.
//
// It happens at one moment, when the new file takes the old one's name: the new
// key lies ready before that, as state.key.next or in the operator's file. A
// process killed at any moment leaves the old store with the old key or the new
// one with the new key; where state.key is not yet the right one of the two,
// Open makes it so.
func Rekey(dir string, o Options, to RekeyOptions) (done Rekeyed, err error) {
	o.Existing = true
	s, err := Open(dir, o)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	dir = filepath.Dir(s.path)
	next, half, err := s.nextKey(dir, o, to)
	if err != nil {
		return done, err
	}
	if done, err = s.rewrite(next, to.ForgetDamaged); err != nil {
		return done, err
	}
	own := filepath.Join(dir, keyName)
	done.KeyPath = to.KeyFile
	switch {
	case half != "":
		done.KeyPath = own
		err = settle(half, own)
	case o.KeyFile == "":
		err = errors.Join(os.Remove(own), syncDir(dir)) // it opens nothing here any more
	}
	if err != nil {
		return done, fault(dir, "putting the new key in the old one's place", err)
	}
	return done, nil
}

// nextKey makes or reads the key to be; half is where it waits for its name, ""
// for a file of the operator's.
func (s *Store) nextKey(dir string, o Options, to RekeyOptions) (next *sealer, half string, err error) {
	if to.KeyFile == "" && o.KeyFile != "" {
		return nil, "", &KeyError{Path: o.KeyFile, What: "is only ever read: name another file for the new key, and then in State_Key_File"}
	}
	if to.KeyFile == "" || filepath.Clean(to.KeyFile) == filepath.Join(dir, keyName) {
		half = filepath.Join(dir, nextName)
		next, err = writeKey(half)
		return next, half, err
	}
	if _, err := os.Stat(to.KeyFile); errors.Is(err, os.ErrNotExist) {
		if _, err := writeKey(to.KeyFile); err != nil {
			return nil, "", err
		}
		if err := giveTo(to.KeyFile, dir); err != nil {
			return nil, "", fault(to.KeyFile, "making the key", err)
		}
	}
	next, err = readKey(dir, Options{KeyFile: to.KeyFile, Notice: o.Notice})
	if err == nil && bytes.Equal(next.master, s.sealer.master) {
		err = &KeyError{Path: to.KeyFile, What: "holds the key that is in use already"}
	}
	return next, "", err
}

// giveTo lets the user of the state folder read a key that root made elsewhere.
func giveTo(path, dir string) error {
	f, err := openOwn(path, os.O_RDONLY)
	if err != nil {
		return err
	}
	adopt(f, dir)
	return f.Close()
}

// settleKey ends a change of key that was interrupted: whichever key the store
// was written with is the right one.
func (s *Store) settleKey(dir string, key *sealer, check [32]byte, o Options) (*sealer, error) {
	half := filepath.Join(dir, nextName)
	f, err := openOwn(half, os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return key, nil
	}
	if err != nil {
		return nil, err
	}
	_ = f.Close()
	next, err := readKey(dir, Options{KeyFile: half})
	switch {
	case err == nil && next.matches(check):
		if err := settle(half, filepath.Join(dir, keyName)); err != nil {
			return nil, fault(half, "ending the change of key", err)
		}
		o.notice(fmt.Sprintf("a change of key was interrupted after its last step but one; %s is now the new key", filepath.Join(dir, keyName)))
		return next, nil
	case key != nil && key.matches(check): // interrupted before it counted
		if err := os.Remove(half); err != nil {
			return nil, fault(half, "removing a key that never came to count", err)
		}
	}
	return key, nil
}

// copiedAtOnce is how many records of a copy share a transaction.
const copiedAtOnce = 20_000

// rewrite copies the store into a new file, its tokens sealed by next, and puts
// that in its place.
func (s *Store) rewrite(next *sealer, forgetDamaged bool) (done Rekeyed, err error) {
	half := s.path + halfSuffix
	db, err := bbolt.Open(half, 0o600, bboltOptions())
	if err != nil {
		return done, fault(half, "making the store", err)
	}
	db.NoSync = true // once, at the end
	err = s.view("copying it", func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, from *bbolt.Bucket) error {
			switch {
			case bytes.Equal(name, bucketTokens):
				return s.reseal(db, from, next, forgetDamaged, &done)
			default:
				return copyBucket(db, name, from)
			}
		})
	})
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error {
			a, err := getAbout(tx)
			if err != nil {
				return err
			}
			a.keyCheck, a.tokens = next.keyCheck(), uint64(done.Tokens)
			return putAbout(tx, a)
		})
	}
	err = errors.Join(err, db.Sync(), db.Close())
	if err == nil {
		err = settle(half, s.path)
	}
	if err != nil {
		if corrupt := (*CorruptError)(nil); !errors.As(err, &corrupt) {
			err = fault(s.path, "writing it anew", err)
		}
		return done, errors.Join(err, os.Remove(half))
	}
	return done, nil
}

// reseal copies the tokens; one that does not unseal, or is missing, is damage.
func (s *Store) reseal(db *bbolt.DB, from *bbolt.Bucket, next *sealer, forgetDamaged bool, done *Rekeyed) error {
	if s.damagedTokens && !forgetDamaged {
		return &CorruptError{Path: s.path, What: "some refresh tokens cannot be read, and would be lost by a change of key"}
	}
	return db.Update(func(tx *bbolt.Tx) error {
		to, err := tx.CreateBucket(bucketTokens)
		if err != nil {
			return err
		}
		return from.ForEach(func(name, framed []byte) error {
			record, value, err := s.sealer.readToken(name, framed)
			if err != nil && forgetDamaged {
				done.Forgotten++
				return nil
			}
			if err != nil {
				return s.corruptToken(string(name), err)
			}
			record.sealed = next.seal(kindToken, string(name), value)
			done.Tokens++
			return to.Put(name, frame(bucketTokens, name, record.encode()))
		})
	})
}

// copyBucket copies every record as it is, damaged ones too.
func copyBucket(db *bbolt.DB, name []byte, from *bbolt.Bucket) error {
	cursor := from.Cursor()
	key, value := cursor.First()
	for first := true; first || key != nil; first = false {
		err := db.Update(func(tx *bbolt.Tx) error {
			to, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			to.FillPercent = 0.9 // they come in order
			for n := 0; key != nil && n < copiedAtOnce; n++ {
				if err := to.Put(key, value); err != nil {
					return err
				}
				key, value = cursor.Next()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
