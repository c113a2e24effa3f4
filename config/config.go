package config

import (
	"strings"
	"time"

	"fluent-bit-defender/internal/secret"
)

// Properties answers for one key of an [INPUT] section as Fluent Bit does: key
// names without regard to case, the first value of a repeated key, "" for a key
// that is absent.
type Properties func(key string) string

// Config is one [INPUT] section, validated and complete: every default is filled in.
type Config struct {
	Tenants      []Tenant      // in configured order: Tenants, then the single tenant, then Tenants_File; disabled ones too
	BatchLimit   int64         // bytes of one append to Fluent Bit
	BufferLimit  int64         // bytes waiting in the plugin, all tenants together
	RecordLimit  int64         // bytes of one record
	CommitDelay  time.Duration // wait before a commit in Fluent Bit's threaded mode
	StatePath    string        // directory of checkpoints and rotated tokens
	StateKeyFile string        // "" or the file that holds the key the state is sealed with
	TenantTag    string        // "" or a template of Tag
	RawKey       string        // "" or the record key that carries the alert's untouched JSON
	Network      Network       // the way to Microsoft
	Warnings     []Fault       // what works and should not stay as it is

	captured map[string]string // every property that was asked for, for Reload
	files    []string
}

// Network is how Microsoft is reached. Equal Networks are the same way.
type Network struct {
	Roots string      // certificates in PEM, trusted beside the system's; "" for none
	Proxy secret.Text // URL of a proxy, perhaps with user and password; absent: the environment's
}

// Tenant is one customer directory and how it is read.
type Tenant struct {
	Name string // as configured, for people
	Slug string // Name reduced to [a-z0-9_-], unique within the Config
	ID   string // directory id: GUID or domain, lower case

	LoginURL string // root of Entra's sign-in service, without trailing slash
	GraphURL string // root of Microsoft Graph, without trailing slash
	Cloud    string // host[:port] of LoginURL: what state is keyed by

	ClientID     string
	ClientSecret secret.Text // absent for a public client
	RefreshToken secret.Text // present: refresh-token grant; absent: client credentials

	Feeds          []string      // canonical names, no duplicates, at least one
	PollInterval   time.Duration // between two polls of one feed
	Lookback       time.Duration // where a tenant without a checkpoint starts
	Overlap        time.Duration // how far behind the watermark each poll looks
	SweepInterval  time.Duration // between two sweeps; 0: none
	SweepWindow    time.Duration // how far back a sweep reads
	AuditWindow    time.Duration // how long ids of delivered alerts are kept
	MinSeverity    string        // "" for all, or informational, low, medium, high
	ServiceSources []string      // nil for all, or Microsoft's own names
	Enabled        bool          // false: keeps its state and asks nothing
}

// Load reads one instance's configuration. Every property it needs is asked for
// before it returns and remembered for Reload. The error is a *Faults that lists
// everything that is wrong.
func Load(get Properties) (*Config, error) {
	captured := map[string]string{}
	return load(func(key string) string {
		value := get(key)
		captured[strings.ToLower(key)] = value
		return value
	}, captured)
}

// Reload reads the tenants file and the secret files again, with the properties
// that Load captured. c itself stays as it is; on error (a *Faults) keep using it.
func (c *Config) Reload() (*Config, error) {
	return load(func(key string) string { return c.captured[strings.ToLower(key)] }, c.captured)
}

// Files lists every file that was read and whose change calls for Reload: the
// tenants file and the files of secrets. State_Key_File is not among them.
func (c *Config) Files() []string { return c.files }

// Tag returns the tag of one tenant's feed, "" for the instance's own tag.
func (c *Config) Tag(t Tenant, feed string) string {
	return strings.NewReplacer("{tenant}", t.Slug, "{tenant_id}", t.ID, "{feed}", feed).Replace(c.TenantTag)
}
