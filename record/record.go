package record

import "time"

// Identity is whose alerts are encoded. It is put into every record, each
// part cut to 256 bytes.
type Identity struct {
	TenantID   string // GUID or domain, lower case: the field tenant_id
	TenantName string // the operator's name for the tenant: the field tenant_name
	Feed       string // e.g. "alerts": the field feed
}

// Options are the operator's wishes that change a record.
type Options struct {
	// RawKey names a field that carries the alert's untouched JSON as a
	// string. Empty: no such field.
	RawKey string
	// RecordLimit bounds one event, in bytes. Zero means 4 MiB; anything
	// below 16 KiB counts as 16 KiB, for what is never left out needs room.
	RecordLimit int64
}

const (
	defaultLimit = 4 << 20
	leastLimit   = 16 << 10
)

// Alert is one alert as the feed returned it.
type Alert struct {
	ID      string    // "" when the alert has none
	Version time.Time // its last update; zero when it has none that can be read
	Raw     []byte    // its JSON text; only read, never kept
	// Directory is the GUID of the tenant that was asked. An alert whose
	// tenantId is another is flagged, and not labelled with the Identity. "":
	// not known, so nothing is compared.
	Directory string
}

// Outcome is what became of one alert.
type Outcome struct {
	Unreadable bool   // the record says so, and why, in its field unreadable
	Reason     string // that why; "" for a readable alert
	LeftOut    int    // how many fields did not fit the record limit
	Foreign    string // the tenant it says it is of, when that is not the one asked; "" otherwise
}
