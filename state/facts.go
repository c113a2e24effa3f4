package state

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// Facts describe a store, without a secret.
type Facts struct {
	Path        string // of state.db
	Size        int64  // in bytes
	Schema      uint32
	KeyPath     string // of the key that seals the tokens
	Checkpoints []CheckpointFacts
	Tokens      []TokenFacts
	Damage      []string // what is wrong and belongs to none of them, a sentence each
}

// CheckpointFacts describe one checkpoint.
type CheckpointFacts struct {
	Key              Key
	Watermark, Since time.Time
	Seen             int   // entries of the seen set
	Err              error // it is damaged: the rest is not known, and Key as it stands there
}

// TokenFacts describe one sealed value.
type TokenFacts struct {
	Key   string    // as given to SaveToken
	Saved time.Time // zero: before that was noted
	Err   error     // it is damaged, or was sealed for another key
}

// Facts reads everything there is, and says of each record whether it is sound.
func (s *Store) Facts() (Facts, error) {
	f := Facts{Path: s.path, KeyPath: s.keyPath}
	info, err := os.Stat(s.path)
	if err != nil {
		return f, fault(s.path, "looking at the store", err)
	}
	f.Size = info.Size()
	err = s.view("reading all of it", func(tx *bbolt.Tx) error {
		a, err := getAbout(tx)
		if err != nil {
			return &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
		}
		f.Schema = a.schema
		if err := s.checkpointFacts(tx, &f); err != nil {
			return err
		}
		if err := s.tokenFacts(tx, &f); err != nil {
			return err
		}
		f.missing("checkpoints", len(f.Checkpoints), a.checkpoints)
		f.missing("refresh tokens", len(f.Tokens), a.tokens)
		return nil
	})
	return f, err
}

func (f *Facts) missing(what string, have int, want uint64) {
	if uint64(have) != want {
		f.Damage = append(f.Damage, fmt.Sprintf("it holds %d %s and should hold %d", have, what, want))
	}
}

func (s *Store) checkpointFacts(tx *bbolt.Tx, f *Facts) error {
	return tx.Bucket(bucketCheckpoints).ForEach(func(name, value []byte) error {
		k, err := parseKey(name)
		c := CheckpointFacts{Key: k}
		if err == nil {
			var cp Checkpoint
			cp, err = s.checkpoint(tx, k)
			c.Watermark, c.Since, c.Seen = cp.Watermark, cp.Since, len(cp.Seen)
		} else {
			err = &CorruptError{Path: s.path, What: "the name of a checkpoint", Err: err}
		}
		c.Err = err
		f.Checkpoints = append(f.Checkpoints, c)
		return nil
	})
}

// checkpoint reads one that is known to be there.
func (s *Store) checkpoint(tx *bbolt.Tx, k Key) (Checkpoint, error) {
	h, found, err := s.head(tx, k)
	if err == nil && !found {
		err = s.corrupt(k, "its name", errRecord)
	}
	if err != nil {
		return Checkpoint{}, err
	}
	seen, err := s.seen(tx, k, h)
	if err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{Watermark: fromTicks(h.watermark), Since: fromTicks(h.since), Seen: seen}, nil
}

func (s *Store) tokenFacts(tx *bbolt.Tx, f *Facts) error {
	return tx.Bucket(bucketTokens).ForEach(func(name, framed []byte) error {
		record, _, err := s.sealer.readToken(name, framed)
		t := TokenFacts{Key: string(name)}
		if err != nil {
			t.Err = s.corruptToken(string(name), err)
		}
		if record.saved > 0 {
			t.Saved = fromTicks(record.saved)
		}
		f.Tokens = append(f.Tokens, t)
		return nil
	})
}

// Sound joins what is damaged, nil when nothing is.
func (f Facts) Sound() error {
	var all []error
	for _, what := range f.Damage {
		all = append(all, &CorruptError{Path: f.Path, What: what})
	}
	for _, c := range f.Checkpoints {
		all = append(all, c.Err)
	}
	for _, t := range f.Tokens {
		all = append(all, t.Err)
	}
	return errors.Join(all...)
}
