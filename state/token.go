package state

import (
	"errors"
	"time"

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
		_, value, err = s.sealer.readToken([]byte(key), framed)
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
		if tx.Bucket(bucketTokens).Get([]byte(key)) == nil {
			if err := s.countToken(tx); err != nil {
				return err
			}
		}
		return putToken(tx, s.sealer, key, value, time.Now())
	})
}

// countToken notes that there will be one more.
func (s *Store) countToken(tx *bbolt.Tx) error {
	a, err := getAbout(tx)
	if err != nil {
		return &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
	}
	a.tokens++
	return putAbout(tx, a)
}

func putToken(tx *bbolt.Tx, s *sealer, key string, value []byte, saved time.Time) error {
	ticks, err := toTicks(saved)
	if err != nil {
		ticks = 0 // a host's clock gone mad keeps no token from being saved
	}
	record := token{saved: ticks, sealed: s.seal(kindToken, key, value)}
	return tx.Bucket(bucketTokens).Put([]byte(key), frame(bucketTokens, []byte(key), record.encode()))
}

// readToken unseals the record that is kept under name.
func (s sealer) readToken(name, framed []byte) (record token, value []byte, err error) {
	body, err := unframe(bucketTokens, name, framed)
	if err != nil {
		return token{}, nil, err
	}
	if record, err = decodeToken(body); err != nil {
		return token{}, nil, err
	}
	value, err = s.open(kindToken, string(name), record.sealed)
	return record, value, err
}

func (s *Store) corruptToken(key string, err error) error {
	return &CorruptError{Path: s.path, What: "the refresh token of " + printable(key), Err: err}
}
