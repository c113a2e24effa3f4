package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// errRecord says that the bytes of a record are not what was once written.
var errRecord = errors.New("record does not match its checksum")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame appends to body a checksum that also covers where the record lives, so
// that a flipped bit in bucket, key or body is found, and so is a record that moved.
func frame(bucket, key, body []byte) []byte {
	return binary.BigEndian.AppendUint32(body, checksum(bucket, key, body))
}

// unframe returns the body of a framed record.
func unframe(bucket, key, value []byte) ([]byte, error) {
	if len(value) < 4 {
		return nil, errRecord
	}
	body := value[:len(value)-4]
	if binary.BigEndian.Uint32(value[len(body):]) != checksum(bucket, key, body) {
		return nil, errRecord
	}
	return body, nil
}

func checksum(bucket, key, body []byte) uint32 {
	sum := crc32.Update(0, castagnoli, bucket)
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, body)
}

// Ticks count 100 ns from 0001-01-01T00:00:00Z, the resolution of Microsoft's
// stamps; int64 nanoseconds would only reach from 1678 to 2262.
const (
	ticksPerSecond  = 10_000_000
	secondsBefore70 = 62_135_596_800 // from year 1 to 1970
	lastTick        = 3_155_378_975_999_999_999
)

func toTicks(t time.Time) (int64, error) {
	seconds := t.Unix() + secondsBefore70
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return 0, fmt.Errorf("state: time in year %d, outside 1 to 9999", y)
	}
	return seconds*ticksPerSecond + int64(t.Nanosecond())/100, nil
}

func fromTicks(ticks int64) time.Time {
	return time.Unix(ticks/ticksPerSecond-secondsBefore70, ticks%ticksPerSecond*100).UTC()
}

// appendKey writes the parts of k one after the other, each after its length.
func appendKey(dst []byte, k Key) []byte {
	for _, part := range [...]string{k.Instance, k.Cloud, k.TenantID, k.Feed} {
		dst = binary.AppendUvarint(dst, uint64(len(part)))
		dst = append(dst, part...)
	}
	return dst
}

func parseKey(b []byte) (Key, error) {
	var k Key
	for _, part := range [...]*string{&k.Instance, &k.Cloud, &k.TenantID, &k.Feed} {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			return Key{}, errRecord
		}
		*part, b = string(b[width:width+int(n)]), b[width+int(n):]
	}
	if len(b) != 0 {
		return Key{}, errRecord
	}
	return k, nil
}

// head is the record of a checkpoint; its seen set lives beside it, one key an
// entry, so that a commit touches only what changed.
type head struct {
	id               uint64 // first part of the keys of its seen set
	watermark, since int64
	count            uint64 // entries of the seen set
	digest           uint64 // sum over them, so that a lost or altered one is found
}

const headSize = 40

func (h head) encode() []byte {
	b := make([]byte, 0, headSize+4)
	for _, v := range [...]uint64{h.id, uint64(h.watermark), uint64(h.since), h.count, h.digest} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func decodeHead(b []byte) (head, error) {
	if len(b) != headSize {
		return head{}, errRecord
	}
	word := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	h := head{id: word(0), watermark: int64(word(1)), since: int64(word(2)), count: word(3), digest: word(4)}
	if !validTicks(h.watermark) || !validTicks(h.since) {
		return head{}, errRecord
	}
	return h, nil
}

func validTicks(t int64) bool { return t >= 0 && t <= lastTick }

// seenKey is id, stamp, hash: one stream's entries lie together, oldest first.
type seenKey [32]byte

func makeSeenKey(id uint64, stamp int64, hash [16]byte) (k seenKey) {
	binary.BigEndian.PutUint64(k[:], id)
	binary.BigEndian.PutUint64(k[8:], uint64(stamp))
	copy(k[16:], hash[:])
	return k
}

func (k seenKey) stamp() int64 { return int64(binary.BigEndian.Uint64(k[8:])) }

// digest is FNV-1a; the sum of an entry's digests does not depend on their order.
func (k seenKey) digest() uint64 {
	h := uint64(14695981039346656037)
	for _, c := range k {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// about is the record that describes the store itself. Every schema keeps this
// much: the version in the first four bytes, the checksum in the last four.
type about struct {
	schema      uint32
	keyCheck    [32]byte // tells the sealing key from another
	checkpoints uint64   // how many there are, so that a lost one is found
	tokens      uint64
	nextID      uint64 // for the next new head
}

const (
	schema       = 2
	oldestSchema = 1 // that upgrades begin with
)

func (a about) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, a.schema)
	b = append(b, a.keyCheck[:]...)
	for _, v := range [...]uint64{a.checkpoints, a.tokens, a.nextID} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// decodeAbout leaves all but the schema empty when that is not one of ours. All
// of ours have the same form here.
func decodeAbout(b []byte) (a about, err error) {
	if len(b) < 4 {
		return a, errRecord
	}
	a.schema = binary.BigEndian.Uint32(b)
	if !a.known() {
		return a, nil
	}
	if len(b) != 4+32+3*8 {
		return a, errRecord
	}
	copy(a.keyCheck[:], b[4:])
	a.checkpoints = binary.BigEndian.Uint64(b[36:])
	a.tokens = binary.BigEndian.Uint64(b[44:])
	a.nextID = binary.BigEndian.Uint64(b[52:])
	return a, nil
}

func (a about) known() bool { return a.schema >= oldestSchema && a.schema <= schema }

// token is the record of a sealed value; when it was saved is no secret.
type token struct {
	saved  int64 // in ticks; 0: not known
	sealed []byte
}

func (t token) encode() []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(t.sealed)+4), uint64(t.saved)), t.sealed...)
}

func decodeToken(b []byte) (t token, err error) {
	if len(b) < 8 {
		return t, errRecord
	}
	t = token{saved: int64(binary.BigEndian.Uint64(b)), sealed: b[8:]}
	if !validTicks(t.saved) {
		return token{}, errRecord
	}
	return t, nil
}
