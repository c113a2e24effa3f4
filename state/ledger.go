package state

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Ledger accounts for every alert of one checkpoint since it began. It moves
// with the checkpoint, in the same transaction, so what a crash undoes was
// never counted.
type Ledger struct {
	Fetched    uint64 // rows that Microsoft sent
	Before     uint64 // of these, seen before
	Unreadable uint64 // of these, sent on as records that say so
	New        uint64 // of these, the rest
	Late       uint64 // of the new ones, those that came later than the overlap
	Appended   uint64 // records that Fluent Bit took
	Committed  uint64 // entries that were added to the seen set, or sent again on request
}

// Balanced reports whether everything that was fetched came out, once.
func (l Ledger) Balanced() bool {
	return l.Fetched == l.New+l.Before+l.Unreadable && l.Appended == l.New+l.Unreadable && l.Committed == l.Appended
}

// Plus returns the sum of both.
func (l Ledger) Plus(m Ledger) Ledger {
	a, b := l.words(), m.words()
	for i := range a {
		*a[i] += *b[i]
	}
	return l
}

func (l *Ledger) words() [7]*uint64 {
	return [7]*uint64{&l.Fetched, &l.Before, &l.Unreadable, &l.New, &l.Late, &l.Appended, &l.Committed}
}

var (
	bucketLedger    = []byte("ledger")
	bucketRedeliver = []byte("redeliver")
)

// Ledger returns the sums of k, zero when nothing was committed yet.
func (s *Store) Ledger(k Key) (l Ledger, err error) {
	err = s.view("reading the ledger of "+k.String(), func(tx *bbolt.Tx) error {
		l, err = s.ledger(tx, k)
		return err
	})
	return l, err
}

func (s *Store) ledger(tx *bbolt.Tx, k Key) (l Ledger, err error) {
	b := tx.Bucket(bucketLedger)
	if b == nil {
		return l, nil
	}
	name := appendKey(nil, k)
	value := b.Get(name)
	if value == nil {
		return l, nil
	}
	body, err := unframe(bucketLedger, name, value)
	if err == nil && len(body) != 8*len(l.words()) {
		err = errRecord
	}
	if err != nil {
		return l, s.corrupt(k, "its ledger", err)
	}
	for i, word := range l.words() {
		*word = binary.BigEndian.Uint64(body[8*i:])
	}
	return l, nil
}

// account adds what one step did to k's ledger.
func (s *Store) account(tx *bbolt.Tx, k Key, delta Ledger) error {
	if delta == (Ledger{}) {
		return nil
	}
	l, err := s.ledger(tx, k)
	if err != nil {
		return err
	}
	l = l.Plus(delta)
	b, err := tx.CreateBucketIfNotExists(bucketLedger)
	if err != nil {
		return err
	}
	var body []byte
	for _, word := range l.words() {
		body = binary.BigEndian.AppendUint64(body, *word)
	}
	name := appendKey(nil, k)
	return b.Put(name, frame(bucketLedger, name, body))
}

// Redeliver asks for alerts of k to be delivered again. The requests last until
// a commit adds them anew, or Withdraw.
func (s *Store) Redeliver(k Key, wanted []Seen) error {
	return s.update(fmt.Sprintf("asking for %d alerts again", len(wanted)), func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketRedeliver)
		if err != nil {
			return err
		}
		for _, w := range wanted {
			stamp, err := toTicks(w.Stamp)
			if err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
			name := redeliverKey(k, w.Hash)
			if err := b.Put(name, frame(bucketRedeliver, name, binary.BigEndian.AppendUint64(nil, uint64(stamp)))); err != nil {
				return err
			}
		}
		return nil
	})
}

// Redeliveries lists what Redeliver asked for and no commit has brought yet.
func (s *Store) Redeliveries(k Key) (wanted []Seen, err error) {
	err = s.view("reading what is to be delivered again of "+k.String(), func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketRedeliver)
		if b == nil {
			return nil
		}
		prefix := appendKey(nil, k)
		c := b.Cursor()
		for name, value := c.Seek(prefix); len(name) == len(prefix)+16 && string(name[:len(prefix)]) == string(prefix); name, value = c.Next() {
			body, err := unframe(bucketRedeliver, name, value)
			if err == nil && len(body) != 8 {
				err = errRecord
			}
			if err != nil {
				return s.corrupt(k, "what is to be delivered again", err)
			}
			wanted = append(wanted, Seen{Hash: [16]byte(name[len(prefix):]), Stamp: fromTicks(int64(binary.BigEndian.Uint64(body)))})
		}
		return nil
	})
	return wanted, err
}

// Withdraw ends requests for alerts that Microsoft no longer shows.
func (s *Store) Withdraw(k Key, wanted []Seen) error {
	if len(wanted) == 0 {
		return nil
	}
	return s.update("withdrawing requests", func(tx *bbolt.Tx) error {
		for _, w := range wanted {
			if _, err := redelivered(tx, k, w.Hash); err != nil {
				return err
			}
		}
		return nil
	})
}

// redelivered takes one request back and reports whether there was one.
func redelivered(tx *bbolt.Tx, k Key, hash [16]byte) (bool, error) {
	b := tx.Bucket(bucketRedeliver)
	if b == nil {
		return false, nil
	}
	name := redeliverKey(k, hash)
	if b.Get(name) == nil {
		return false, nil
	}
	return true, b.Delete(name)
}

func redeliverKey(k Key, hash [16]byte) []byte { return append(appendKey(nil, k), hash[:]...) }

// Delivered returns the entries of k's seen set stamped at or after from.
func (s *Store) Delivered(k Key, from time.Time) ([]Seen, error) {
	cp, _, err := s.Load(k)
	if err != nil {
		return nil, err
	}
	for i, seen := range cp.Seen {
		if !seen.Stamp.Before(from) {
			return cp.Seen[i:], nil
		}
	}
	return nil, nil
}
