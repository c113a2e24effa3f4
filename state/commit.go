package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Commit is one step forward of one checkpoint.
type Commit struct {
	Key       Key
	Watermark time.Time // zero: unchanged
	Since     time.Time // zero: unchanged; entries with an older Stamp are forgotten, those in Add too
	Add       []Seen
	Again     []Seen // known entries to be remembered under a later Stamp too
	Ledger    Ledger // what is to be added to the sums; Committed is reckoned here
}

// Commit writes all steps, in order, in one transaction: after nil they are all
// on disk, after an error none is, and it may be tried again. A *CorruptError
// with a Key concerns that step: without it the others can be written.
func (s *Store) Commit(cs []Commit) error {
	if len(cs) == 0 {
		return nil
	}
	return s.update(fmt.Sprintf("committing %d checkpoints", len(cs)), func(tx *bbolt.Tx) error {
		a, err := getAbout(tx)
		if err != nil {
			return &CorruptError{Path: s.path, What: "what describes it cannot be read", Err: err}
		}
		before := a
		seen := tx.Bucket(bucketSeen)
		for i := range cs {
			if err := s.step(tx, seen, &a, &cs[i]); err != nil {
				return err
			}
		}
		if a == before {
			return nil
		}
		return putAbout(tx, a)
	})
}

func (s *Store) step(tx *bbolt.Tx, seen *bbolt.Bucket, a *about, c *Commit) error {
	h, found, err := s.head(tx, c.Key)
	if err != nil {
		return err
	}
	if !found {
		h.id = a.nextID
		a.nextID++
		a.checkpoints++
	}
	if err := h.move(c); err != nil {
		return fmt.Errorf("%s: %w", c.Key, err)
	}
	sums := c.Ledger
	sums.Committed = 0
	for _, entry := range c.Add {
		added, err := h.add(seen, entry)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Key, err)
		}
		wanted, err := redelivered(tx, c.Key, entry.Hash)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Key, err)
		}
		if added || wanted {
			sums.Committed++
		}
	}
	for _, entry := range c.Again {
		if _, err := h.add(seen, entry); err != nil {
			return fmt.Errorf("%s: %w", c.Key, err)
		}
	}
	if err := s.account(tx, c.Key, sums); err != nil {
		return err
	}
	if err := h.forget(seen); err != nil {
		return fmt.Errorf("%s: %w", c.Key, err)
	}
	name := appendKey(nil, c.Key)
	return tx.Bucket(bucketCheckpoints).Put(name, frame(bucketCheckpoints, name, h.encode()))
}

func (h *head) move(c *Commit) (err error) {
	if !c.Watermark.IsZero() {
		if h.watermark, err = toTicks(c.Watermark); err != nil {
			return fmt.Errorf("watermark: %w", err)
		}
	}
	if !c.Since.IsZero() {
		if h.since, err = toTicks(c.Since); err != nil {
			return fmt.Errorf("since: %w", err)
		}
	}
	return nil
}

// add reports whether entry was not there yet.
func (h *head) add(seen *bbolt.Bucket, entry Seen) (added bool, err error) {
	stamp, err := toTicks(entry.Stamp)
	if err != nil {
		return false, fmt.Errorf("seen entry: %w", err)
	}
	name := makeSeenKey(h.id, stamp, entry.Hash)
	if seen.Get(name[:]) != nil {
		return false, nil
	}
	h.count++
	h.digest += name.digest()
	return true, seen.Put(name[:], []byte{})
}

// forget removes the entries before since, also those just added. They are collected first, as
// deleting moves bbolt's cursors.
func (h *head) forget(seen *bbolt.Bucket) error {
	prefix := binary.BigEndian.AppendUint64(nil, h.id)
	var old []seenKey
	cursor := seen.Cursor()
	for name, _ := cursor.Seek(prefix); bytes.HasPrefix(name, prefix) && len(name) == len(seenKey{}); name, _ = cursor.Next() {
		entry := seenKey(name)
		if entry.stamp() >= h.since {
			break
		}
		old = append(old, entry)
	}
	for _, entry := range old {
		if err := seen.Delete(entry[:]); err != nil {
			return err
		}
		h.count--
		h.digest -= entry.digest()
	}
	return nil
}
