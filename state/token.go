package state

import (
	"errors"

	"go.etcd.io/bbolt"
)

// LoadToken returns what SaveToken last kept under key; found is false when
// there never was anything. A value that is damaged, or was sealed for another
// key, is a *CorruptError.
func (s *Store) LoadToken(key string) (value []byte, found bool, err error) {
	err = s.view("reading the token of "+printable(key), func(tx *bbolt.Tx) error {
		framed := tx.Bucket(bucketTokens).Get([]byte(key))
		if framed == nil {
			if s.damagedTokens {
				return s.corruptToken(key, errors.New("not found, and some tokens are damaged"))
			}
			return nil
		}
		sealed, err := unframe(bucketTokens, []byte(key), framed)
		if err == nil {
			value, err = s.sealer.open(kindToken, key, sealed)
		}
		if err != nil {
			return s.corruptToken(key, err)
		}
		found = true
		return nil
	})
	return value, found, err
}

// SaveToken seals value and keeps it under key, replacing what was there. It is
// on disk when nil is returned.
func (s *Store) SaveToken(key string, value []byte) error {
	return s.update("saving the token of "+printable(key), func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketTokens)
		if bucket.Get([]byte(key)) == nil {
			a, err := getAbout(tx)
			if err != nil {
				return &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
			}
			a.tokens++
			if err := putAbout(tx, a); err != nil {
				return err
			}
		}
		sealed := s.sealer.seal(kindToken, key, value)
		return bucket.Put([]byte(key), frame(bucketTokens, []byte(key), sealed))
	})
}

func (s *Store) corruptToken(key string, err error) error {
	return &CorruptError{Path: s.path, What: "the refresh token of " + printable(key), Err: err}
}
