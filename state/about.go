package state

import (
	"fmt"

	"go.etcd.io/bbolt"
)

func putAbout(tx *bbolt.Tx, a about) error {
	return tx.Bucket(bucketAbout).Put(keyAbout, frame(bucketAbout, keyAbout, a.encode()))
}

func getAbout(tx *bbolt.Tx) (a about, err error) {
	for _, name := range buckets {
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

// readAbout reads what describes the store, after bringing it to our schema.
func (s *Store) readAbout(o Options) (a about, err error) {
	have, err := s.readSchema()
	if err != nil {
		return a, err
	}
	if have < schema {
		if err := s.upgrade(have, o); err != nil {
			return a, err
		}
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		a, err = getAbout(tx)
		return err
	})
	if err != nil {
		err = &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
	}
	return a, err
}

// readSchema comes first: another schema may have other parts than ours.
func (s *Store) readSchema() (have uint32, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketAbout)
		if b == nil {
			return fmt.Errorf("no part %q in it", bucketAbout)
		}
		body, err := unframe(bucketAbout, keyAbout, b.Get(keyAbout))
		if err != nil {
			return err
		}
		a, err := decodeAbout(body)
		have = a.schema
		return err
	})
	switch {
	case err != nil:
		return 0, &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
	case have < oldestSchema || have > schema:
		return 0, &VersionError{Path: s.path, Have: have, Known: schema}
	}
	return have, nil
}

// takeKey holds the key against the one the tokens were sealed with. Where no
// token was sealed yet any key will do, and a missing one is made.
func (s *Store) takeKey(dir string, key *sealer, a about, o Options) (err error) {
	path := keyPath(dir, o)
	if o.KeyFile == "" {
		if key, err = s.settleKey(dir, key, a.keyCheck, o); err != nil {
			return err
		}
	}
	switch {
	case key == nil && a.tokens > 0:
		return &KeyError{Path: path, What: fmt.Sprintf("is missing, but %s holds %d refresh tokens sealed with it: put the copy of the key back; or start anew with %s --all", s.path, a.tokens, resetCommand(s.path))}
	case key == nil:
		if key, err = makeKey(dir, o.notice); err != nil {
			return err
		}
	case !key.matches(a.keyCheck) && a.tokens > 0:
		return &KeyError{Path: path, What: fmt.Sprintf("is not the key that sealed the %d refresh tokens in %s: put the right one back; or start anew with %s --all", a.tokens, s.path, resetCommand(s.path))}
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
