package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Key names one checkpoint: one feed of one tenant, as one instance reads it.
type Key struct {
	Instance string // the instance's alias, or its name such as "defender.0"
	Cloud    string // host[:port] of the sign-in service
	TenantID string
	Feed     string
}

// String shows the key in messages.
func (k Key) String() string {
	return printable(fmt.Sprintf("tenant %s, feed %s (%s, instance %s)", k.TenantID, k.Feed, k.Cloud, k.Instance))
}

// Seen is one version of an alert that was delivered.
type Seen struct {
	Hash  [16]byte  // of id and version
	Stamp time.Time // the version: last-update time
}

// Checkpoint is how far one feed of one tenant was delivered. Times are UTC and
// kept to 100 ns, rounded down; years 1 to 9999.
type Checkpoint struct {
	Watermark time.Time // all changes before it were delivered
	Since     time.Time // the seen set is complete for versions at or after it
	Seen      []Seen    // by Stamp, then Hash; each once
}

// Load returns the checkpoint of k; found is false when there never was one.
// A damaged checkpoint is a *CorruptError that concerns k alone.
func (s *Store) Load(k Key) (cp Checkpoint, found bool, err error) {
	err = s.view("reading the checkpoint of "+k.String(), func(tx *bbolt.Tx) error {
		h, ok, err := s.head(tx, k)
		if err != nil || !ok {
			return err
		}
		found = true
		cp = Checkpoint{Watermark: fromTicks(h.watermark), Since: fromTicks(h.since)}
		cp.Seen, err = s.seen(tx, k, h)
		return err
	})
	if err != nil {
		return Checkpoint{}, false, err
	}
	return cp, found, nil
}

// Keys lists all checkpoints, in no particular order. With a *CorruptError come
// those that can be read.
func (s *Store) Keys() ([]Key, error) {
	var keys []Key
	err := s.view("listing the checkpoints", func(tx *bbolt.Tx) error {
		var faults int
		err := tx.Bucket(bucketCheckpoints).ForEach(func(name, value []byte) error {
			k, err := parseKey(name)
			if _, sum := unframe(bucketCheckpoints, name, value); err != nil || sum != nil {
				faults++
				return nil
			}
			keys = append(keys, k)
			return nil
		})
		if err == nil && (faults > 0 || s.damagedCheckpoints) {
			err = &CorruptError{Path: s.path, What: "some checkpoints cannot be read"}
		}
		return err
	})
	return keys, err
}

// head reads the record of k's checkpoint.
func (s *Store) head(tx *bbolt.Tx, k Key) (h head, found bool, err error) {
	name := appendKey(nil, k)
	value := tx.Bucket(bucketCheckpoints).Get(name)
	if value == nil {
		if s.damagedCheckpoints {
			return h, false, s.corrupt(k, "not found, and some checkpoints are damaged", nil)
		}
		return h, false, nil
	}
	body, err := unframe(bucketCheckpoints, name, value)
	if err == nil {
		h, err = decodeHead(body)
	}
	if err != nil {
		return head{}, false, s.corrupt(k, "its record", err)
	}
	return h, true, nil
}

// seen reads the seen set that belongs to h and holds it against count and digest.
func (s *Store) seen(tx *bbolt.Tx, k Key, h head) ([]Seen, error) {
	var set []Seen
	var digest uint64
	prefix := binary.BigEndian.AppendUint64(nil, h.id)
	cursor := tx.Bucket(bucketSeen).Cursor()
	for name, _ := cursor.Seek(prefix); bytes.HasPrefix(name, prefix); name, _ = cursor.Next() {
		if len(name) != len(seenKey{}) {
			return nil, s.corrupt(k, "its seen set", errRecord)
		}
		entry := seenKey(name)
		digest += entry.digest()
		set = append(set, Seen{Hash: [16]byte(entry[16:]), Stamp: fromTicks(entry.stamp())})
	}
	if uint64(len(set)) != h.count || digest != h.digest {
		return nil, s.corrupt(k, fmt.Sprintf("its seen set holds %d entries and should hold %d, or one was altered", len(set), h.count), nil)
	}
	return set, nil
}

func (s *Store) corrupt(k Key, what string, err error) error {
	return &CorruptError{Path: s.path, Key: &k, What: what, Err: err}
}
