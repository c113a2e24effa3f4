package state

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Export is a store's content in a form to keep, look through or move. A token
// is in it only when a key for it was named, sealed under that one: neither the
// export nor the folder's own key opens it.
type Export struct {
	Format      string             `json:"format"`
	Made        time.Time          `json:"made"`
	Checkpoints []ExportCheckpoint `json:"checkpoints"`
	Tokens      []ExportToken      `json:"tokens"`
}

// ExportFormat is the first field of every Export.
const ExportFormat = "fluent-bit-defender state 1"

// ExportCheckpoint is a Checkpoint with its Key.
type ExportCheckpoint struct {
	Instance  string       `json:"instance"`
	Cloud     string       `json:"cloud"`
	TenantID  string       `json:"tenant_id"`
	Feed      string       `json:"feed"`
	Watermark time.Time    `json:"watermark"`
	Since     time.Time    `json:"since"`
	Seen      []ExportSeen `json:"seen"`
}

// ExportSeen is one entry of a seen set.
type ExportSeen struct {
	Hash  string    `json:"hash"` // in hex
	Stamp time.Time `json:"stamp"`
}

// ExportToken is one sealed value, or with Sealed nil only the remark that there is one.
type ExportToken struct {
	Key    string    `json:"key"`
	Saved  time.Time `json:"saved,omitzero"`
	Sealed []byte    `json:"sealed,omitempty"`
}

// kindExported keeps a sealed value of an export from being put into a store as it is.
const kindExported = "exported token"

// Export reads everything. tokensKey names the file of the key under which
// tokens go along; "" leaves their values out. What is damaged is left out too
// and is the error, which then comes together with the rest.
func (s *Store) Export(tokensKey string) (*Export, error) {
	var under *sealer
	if tokensKey != "" {
		var err error
		if under, err = readKey("", Options{KeyFile: tokensKey}); err != nil {
			return nil, err
		}
	}
	facts, err := s.Facts()
	if err != nil {
		return nil, err
	}
	e := &Export{Format: ExportFormat, Made: time.Now().UTC().Truncate(time.Second), Checkpoints: []ExportCheckpoint{}, Tokens: []ExportToken{}}
	err = s.view("exporting it", func(tx *bbolt.Tx) error {
		for _, c := range facts.Checkpoints {
			if c.Err == nil {
				cp, err := s.checkpoint(tx, c.Key)
				if err != nil {
					return err
				}
				e.Checkpoints = append(e.Checkpoints, exported(c.Key, cp))
			}
		}
		for _, t := range facts.Tokens {
			if t.Err == nil {
				token := ExportToken{Key: t.Key, Saved: t.Saved}
				if under != nil {
					_, value, err := s.sealer.readToken([]byte(t.Key), tx.Bucket(bucketTokens).Get([]byte(t.Key)))
					if err != nil {
						return s.corruptToken(t.Key, err)
					}
					token.Sealed = under.seal(kindExported, t.Key, value)
				}
				e.Tokens = append(e.Tokens, token)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, facts.Sound()
}

func exported(k Key, cp Checkpoint) ExportCheckpoint {
	c := ExportCheckpoint{
		Instance: k.Instance, Cloud: k.Cloud, TenantID: k.TenantID, Feed: k.Feed,
		Watermark: cp.Watermark, Since: cp.Since, Seen: make([]ExportSeen, len(cp.Seen)),
	}
	for i, seen := range cp.Seen {
		c.Seen[i] = ExportSeen{hex.EncodeToString(seen.Hash[:]), seen.Stamp}
	}
	return c
}

// Clash says what an import does with what the store already holds differently.
type Clash string

// The three ways; Refuse leaves all of the store as it is.
const (
	Refuse  Clash = "refuse"
	Keep    Clash = "keep"
	Replace Clash = "replace"
)

// Imported counts checkpoints and tokens together.
type Imported struct {
	Added, Same, Kept, Replaced int
	Omitted                     int      // tokens whose value is not in the export
	Clashes                     []string // what the store holds differently
}

// ClashError says that an import was refused.
type ClashError struct{ What []string }

func (e *ClashError) Error() string {
	return fmt.Sprintf("state: nothing was imported, since the store holds %d of them already, and differently, such as %s", len(e.What), e.What[0])
}

// Import writes an export into the store, all of it in one transaction or none.
// tokensKey is the one it was exported with.
func (s *Store) Import(e *Export, tokensKey string, clash Clash) (done Imported, err error) {
	if e.Format != ExportFormat {
		return done, fmt.Errorf("state: this is no export that can be read: its format is %q and should be %q", e.Format, ExportFormat)
	}
	var under *sealer
	if tokensKey != "" {
		if under, err = readKey("", Options{KeyFile: tokensKey}); err != nil {
			return done, err
		}
	}
	err = s.update("importing", func(tx *bbolt.Tx) error {
		done = Imported{}
		for i := range e.Checkpoints {
			if err := s.importCheckpoint(tx, &e.Checkpoints[i], clash, &done); err != nil {
				return err
			}
		}
		for i := range e.Tokens {
			if err := s.importToken(tx, &e.Tokens[i], under, tokensKey, clash, &done); err != nil {
				return err
			}
		}
		if clash == Refuse && len(done.Clashes) > 0 {
			return &ClashError{done.Clashes}
		}
		return nil
	})
	if refused := (*ClashError)(nil); errors.As(err, &refused) {
		return done, refused
	}
	return done, err
}

func (s *Store) importCheckpoint(tx *bbolt.Tx, c *ExportCheckpoint, clash Clash, done *Imported) error {
	k := Key{Instance: c.Instance, Cloud: c.Cloud, TenantID: c.TenantID, Feed: c.Feed}
	cp, err := c.checkpoint()
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	if tx.Bucket(bucketCheckpoints).Get(appendKey(nil, k)) == nil {
		done.Added++
		return s.put(tx, k, cp)
	}
	if have, err := s.checkpoint(tx, k); err == nil && have.equal(cp) {
		done.Same++
		return nil
	}
	return done.clash("the checkpoint of "+k.String(), clash, func() error { return s.put(tx, k, cp) })
}

func (d *Imported) clash(what string, clash Clash, replace func() error) error {
	d.Clashes = append(d.Clashes, what)
	if clash != Replace {
		d.Kept++
		return nil
	}
	d.Replaced++
	return replace()
}

func (c *ExportCheckpoint) checkpoint() (Checkpoint, error) {
	cp := Checkpoint{Watermark: c.Watermark.UTC(), Since: c.Since.UTC()}
	for _, seen := range c.Seen {
		hash, err := hex.DecodeString(seen.Hash)
		if err != nil || len(hash) != 16 {
			return cp, fmt.Errorf("a hash in its seen set is not 32 hex digits")
		}
		cp.Seen = append(cp.Seen, Seen{Hash: [16]byte(hash), Stamp: seen.Stamp.UTC()})
	}
	return cp, nil
}

func (s *Store) importToken(tx *bbolt.Tx, t *ExportToken, under *sealer, tokensKey string, clash Clash, done *Imported) error {
	if t.Sealed == nil {
		done.Omitted++
		return nil
	}
	if under == nil {
		return errors.New("the export holds sealed refresh tokens: name the file with the key that they were exported with")
	}
	value, err := under.open(kindExported, t.Key, t.Sealed)
	if err != nil {
		return &KeyError{Path: tokensKey, What: "is not the key that sealed the refresh token of " + printable(t.Key) + " in this export, or the export was altered"}
	}
	put := func() error { return putToken(tx, s.sealer, t.Key, value, t.Saved) }
	framed := tx.Bucket(bucketTokens).Get([]byte(t.Key))
	if framed == nil {
		done.Added++
		if err := s.countToken(tx); err != nil {
			return err
		}
		return put()
	}
	if _, have, err := s.sealer.readToken([]byte(t.Key), framed); err == nil && string(have) == string(value) {
		done.Same++
		return nil
	}
	return done.clash("the refresh token of "+printable(t.Key), clash, put)
}
