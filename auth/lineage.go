package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A lineage is a tenant's refresh token and its successors. It begins with a
// seed, the token in the configuration; each answer of Entra may bring the
// next. Entra does not revoke a token when it is used ("The Microsoft identity
// platform doesn't revoke old refresh tokens when used to fetch new access
// tokens", refresh-tokens.md): the one before still works after a crash.
//
// A seed that was never seen wins over everything stored: the operator just put
// it there. A seed that was seen before is an old line of the configuration,
// perhaps of a rolled-back one, and the stored tokens win.
type lineage struct {
	slot   string // the Store's key that it is read from and saved under
	stored stored
}

const (
	storedVersion = 1
	// A new seed comes with every sign-in, some four a year.
	longestSeeds = 64
	// How often a tenant's stored tokens can become unreadable before somebody must look.
	slots = 8
)

// stored is a lineage's form in the Store.
type stored struct {
	Version int      `json:"version"`
	Tokens  []string `json:"tokens"` // newest first; the second is kept until the first has worked
	Seeds   []string `json:"seeds"`  // SHA-256, in hex, of seeds that worked or were found dead, newest last
}

// storeKey is what an account's lineage is kept under.
func storeKey(a Account) string {
	cloud := a.Cloud
	if cloud == "" {
		_, cloud, _ = strings.Cut(a.LoginURL, "://")
		cloud, _, _ = strings.Cut(cloud, "/")
	}
	return strings.ToLower(cloud + "|" + a.TenantID + "|" + a.ClientID)
}

// errUnreadable is a stored value that is there and cannot be used.
var errUnreadable = errors.New("it is damaged, or of a newer version of this plugin")

// loadLineage finds the newest readable lineage under key. A value that cannot
// be read is never overwritten, since a restored key file or a newer version
// may read it: a new lineage then begins under the next slot ("key|2"), and
// lost says why. Such a lineage knows no seeds, so the configuration's token is
// tried; it may be new, or an old one that still works. When every slot is
// taken by something unreadable, that is the error.
func loadLineage(store Store, key string) (line *lineage, lost error, err error) {
	for n := range slots {
		slot := key
		if n > 0 {
			slot = fmt.Sprintf("%s|%d", key, n+1)
		}
		value, found, err := store.LoadToken(slot)
		if err == nil && !found {
			if line == nil {
				line = &lineage{slot: slot}
				return line, lost, nil
			}
			return line, nil, nil
		}
		if err == nil {
			var s stored
			if s, err = decodeStored(value); err == nil {
				line = &lineage{slot: slot, stored: s}
				continue
			}
		}
		lost = err
	}
	if line == nil {
		return nil, nil, lost
	}
	return line, nil, nil
}

func decodeStored(value []byte) (stored, error) {
	var s stored
	if json.Unmarshal(value, &s) != nil || s.Version != storedVersion || slices.Contains(s.Tokens, "") {
		return stored{}, errUnreadable
	}
	return s, nil
}

func (l *lineage) save(store Store) error {
	value, err := json.Marshal(l.stored)
	if err != nil {
		return err
	}
	return store.SaveToken(l.slot, value)
}

// candidates are the tokens to try, in order. A seed seen before comes last:
// it may still live when everything younger is dead.
func (l *lineage) candidates(seed string) []string {
	var list []string
	if l.seen(seed) {
		list = append(slices.Clone(l.stored.Tokens), seed)
	} else {
		list = append([]string{seed}, l.stored.Tokens...)
	}
	var unique []string
	for _, token := range list {
		if !slices.Contains(unique, token) {
			unique = append(unique, token)
		}
	}
	return unique
}

func (l *lineage) seen(seed string) bool { return slices.Contains(l.stored.Seeds, hash(seed)) }

// succeed is the lineage after token worked and brought successor ("" for
// none): everything else is erased, for token has proved itself and the
// successor has not. changed is false when there is nothing to save.
func (l *lineage) succeed(token, successor string) (next *lineage, changed bool) {
	tokens := []string{token}
	if successor != "" && successor != token {
		tokens = []string{successor, token}
	}
	next = &lineage{slot: l.slot, stored: stored{Version: storedVersion, Tokens: tokens, Seeds: l.stored.Seeds}}
	return next, !slices.Equal(tokens, l.stored.Tokens)
}

// remember notes that seed has worked or is dead, so that it does not win
// again. changed is false when it was known.
func (l *lineage) remember(seed string) (changed bool) {
	if l.seen(seed) {
		return false
	}
	seeds := append(slices.Clone(l.stored.Seeds), hash(seed))
	l.stored.Seeds = seeds[max(0, len(seeds)-longestSeeds):]
	return true
}

func hash(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return hex.EncodeToString(sum[:])
}
