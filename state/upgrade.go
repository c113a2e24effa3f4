package state

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// upgrades[i] turns a store of schema i+1 into one of schema i+2. What it meets
// is not checked yet, apart from the file's structure: what cannot be read it
// leaves as it is, to be reported when it is asked for.
//
// A program of before refuses the store from then on (*VersionError).
var upgrades = []func(*bbolt.Tx) error{
	dateTokens,
}

// upgrade brings the store from schema have to ours, wholly or not at all.
func (s *Store) upgrade(have uint32, o Options) error {
	o.notice(fmt.Sprintf("upgrading %s from schema %d to %d; an older program will refuse it", s.path, have, schema))
	return s.update(fmt.Sprintf("upgrading from schema %d to %d", have, schema), func(tx *bbolt.Tx) error {
		for _, step := range upgrades[have-oldestSchema:] {
			if err := step(tx); err != nil {
				return err
			}
		}
		a, err := getAbout(tx)
		if err != nil {
			return &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
		}
		a.schema = schema
		return putAbout(tx, a)
	})
}

// dateTokens: schema 2 says of each token when it was saved, which of those here nobody knows.
func dateTokens(tx *bbolt.Tx) error {
	bucket := tx.Bucket(bucketTokens)
	if bucket == nil {
		return nil // getAbout says so
	}
	dated := map[string][]byte{}
	err := bucket.ForEach(func(name, framed []byte) error {
		if sealed, err := unframe(bucketTokens, name, framed); err == nil {
			dated[string(name)] = frame(bucketTokens, name, token{sealed: sealed}.encode())
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name, framed := range dated {
		if err := bucket.Put([]byte(name), framed); err != nil {
			return err
		}
	}
	return nil
}
