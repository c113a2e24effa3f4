package record

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// RecordID is the same for the same version of the same alert, and for
// nothing else: 16 bytes, shown as 32 hex digits in the field record_id. A
// receiver folds a record that was delivered twice by it.
func RecordID(tenantID, feed, id string, version time.Time) [16]byte {
	var buf [256]byte
	b := appendParts(buf[:0], "record", tenantID, feed, id)
	b = binary.BigEndian.AppendUint64(b, uint64(version.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(version.Nanosecond()))
	return digest(b)
}

// AlertUID is the same for every version of the same alert, and for nothing
// else: 16 bytes, shown as 32 hex digits in the field alert_uid. A receiver
// that wants only the newest version replaces by it.
func AlertUID(tenantID, feed, id string) [16]byte {
	var buf [256]byte
	return digest(appendParts(buf[:0], "alert", tenantID, feed, id))
}

// textID stands in for a RecordID where the alert does not say its id or its
// version: its own text is all that tells it from others.
func textID(tenantID, feed string, raw []byte) [16]byte {
	var buf [256]byte
	sum := sha256.Sum256(raw)
	return digest(append(appendParts(buf[:0], "text", tenantID, feed), sum[:]...))
}

// appendParts writes each part behind its length, so that no two different
// rows of parts look the same.
func appendParts(b []byte, parts ...string) []byte {
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

func digest(b []byte) (id [16]byte) {
	sum := sha256.Sum256(b)
	copy(id[:], sum[:])
	return id
}
