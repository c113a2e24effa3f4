package state

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

func putAbout(tx *bbolt.Tx, a about) error {
	return tx.Bucket(bucketAbout).Put(keyAbout, frame(bucketAbout, keyAbout, a.encode()))
}

func getAbout(tx *bbolt.Tx) (a about, err error) {
	for _, name := range [][]byte{bucketAbout, bucketCheckpoints, bucketSeen, bucketTokens} {
		if tx.Bucket(name) == nil {
			return a, fmt.Errorf("no part %q in it", name)
		}
	}
	body, err := unframe(bucketAbout, keyAbout, tx.Bucket(bucketAbout).Get(keyAbout))
	if err != nil {
		return a, err
	}
	return decodeAbout(body)
}

func (s *Store) readAbout() (a about, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		// A newer schema may lack our buckets: it is asked for first.
		if b := tx.Bucket(bucketAbout); b != nil {
			if body, err := unframe(bucketAbout, keyAbout, b.Get(keyAbout)); err == nil {
				if a, err := decodeAbout(body); err == nil && a.schema > schema {
					return &VersionError{Path: s.path, Have: a.schema, Known: schema}
				}
			}
		}
		a, err = getAbout(tx)
		return err
	})
	var newer *VersionError
	if err != nil && !errors.As(err, &newer) {
		err = &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
	}
	return a, err
}

// takeKey holds the key against the one the tokens were sealed with. Where no
// token was sealed yet any key will do, and a missing one is made.
func (s *Store) takeKey(dir string, key *sealer, a about, o Options) (err error) {
	path := keyPath(dir, o)
	switch {
	case key == nil && a.tokens > 0:
		return &KeyError{Path: path, What: fmt.Sprintf("is missing, but %s holds %d refresh tokens sealed with it: put the copy of the key back, or move both away to start anew", s.path, a.tokens)}
	case key == nil:
		if key, err = makeKey(dir, o.notice); err != nil {
			return err
		}
	case !key.matches(a.keyCheck) && a.tokens > 0:
		return &KeyError{Path: path, What: fmt.Sprintf("is not the key that sealed the %d refresh tokens in %s: put the right one back", a.tokens, s.path)}
	}
	s.sealer = key
	if key.matches(a.keyCheck) {
		return nil
	}
	return s.update("noting the new key", func(tx *bbolt.Tx) error {
		a.keyCheck = key.keyCheck()
		return putAbout(tx, a)
	})
}

// audit reads every record's checksum. A damaged one is no reason not to start:
// it concerns one checkpoint or token, and says so when that is asked for.
func (s *Store) audit(a about) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		s.damagedCheckpoints = !sound(tx, bucketCheckpoints, a.checkpoints)
		s.damagedTokens = !sound(tx, bucketTokens, a.tokens)
		return nil
	})
}

func sound(tx *bbolt.Tx, bucket []byte, want uint64) bool {
	var have uint64
	err := tx.Bucket(bucket).ForEach(func(k, v []byte) error {
		have++
		_, err := unframe(bucket, k, v)
		return err
	})
	return err == nil && have == want
}
