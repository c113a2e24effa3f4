package config

import (
	"strings"
	"time"
)

// Key is one row of the table of configuration keys.
type Key struct {
	Name    string
	Type    Type
	Default string // as one would write it, "" for none
	Unit    string // of a bare number, "" where there is none
	Doc     string // one line
	Scope   Scope
	Secret  bool // its value must never be shown

	lower string // Name in lower case
	read  reader
}

// Type says how a value is written; valueForms explains each in the reference.
type Type string

// The types of values.
const (
	Text     Type = "text"
	List     Type = "list"
	File     Type = "file"
	URL      Type = "url"
	Duration Type = "duration"
	Size     Type = "size"
	Boolean  Type = "boolean"
	Choice   Type = "choice"
)

// Scope says where a key may be written.
type Scope string

// The scopes of keys.
const (
	Instance  Scope = "instance"   // in the [INPUT] only
	PerTenant Scope = "per tenant" // in the [INPUT] for all tenants; as NAME.Key or in the tenants file for one
	OneTenant Scope = "one tenant" // as PerTenant, but in the [INPUT] it describes the single tenant of the short form
)

// fileSuffix turns the name of a secret key into the name of its file form.
const fileSuffix = "_File"

// feeds lists the feeds that exist.
var feeds = []string{"alerts"}

// severities lists Microsoft's severities that a filter can begin at.
var severities = []string{"informational", "low", "medium", "high"}

// serviceSources lists the products alerts come from, as Microsoft Graph names
// them (type serviceSource of alerts_v2).
var serviceSources = []string{
	"microsoftDefenderForEndpoint", "microsoftDefenderForIdentity", "microsoftDefenderForCloudApps",
	"microsoftDefenderForOffice365", "microsoft365Defender", "azureAdIdentityProtection",
	"microsoftAppGovernance", "dataLossPrevention", "microsoftDefenderForCloud", "microsoftSentinel",
	"microsoftInsiderRiskManagement", "microsoftThreatIntelligence", "microsoftSecurityForAI",
}

const day = 24 * time.Hour

// The keys that other code asks for by name.
const (
	keyTenants      = "Tenants"
	keyTenantsFile  = "Tenants_File"
	keyTenantName   = "Tenant_Name"
	keyTenantID     = "Tenant_Id"
	keyRefreshToken = "Refresh_Token"
	keyClientID     = "Client_Id"
	keyClientSecret = "Client_Secret"
	keyLoginURL     = "Login_Url"
	keyGraphURL     = "Graph_Url"
	keyBatchLimit   = "Batch_Limit"
	keyBufferLimit  = "Buffer_Limit"
	keyRecordLimit  = "Record_Limit"
	keyAllowHTTP    = "Allow_Http"
	keyCAFile       = "CA_File"
)

// keys is the table, in the order of the documentation. Every secret key gets
// its file form by construction.
var keys = withFileForms([]Key{
	{Name: keyClientID, Type: Text, Scope: PerTenant, Doc: "application (client) id of the app registration that signs in",
		read: word(func(d *draft) *string { return &d.tenant.ClientID })},
	{Name: keyClientSecret, Type: Text, Scope: PerTenant, Secret: true, Doc: "secret of that app; on its own, without a refresh token, it signs in by client credentials",
		read: credential(func(d *draft) *secretText { return &d.tenant.ClientSecret })},
	{Name: keyTenants, Type: List, Scope: Instance, Doc: "names of tenants, each described by keys `NAME.Key`",
		read: tenantNames},
	{Name: keyTenantsFile, Type: File, Scope: Instance, Doc: "YAML file that lists tenants; read again whenever it changes",
		read: path(func(d *draft) *string { return &d.tenantsFile })},
	{Name: keyTenantName, Type: Text, Scope: OneTenant, Doc: "name of the tenant for people, tags and records; defaults to its Tenant_Id",
		read: tenantName},
	{Name: keyTenantID, Type: Text, Scope: OneTenant, Doc: "directory id of the tenant, a GUID, or one of its domains",
		read: tenantID},
	{Name: keyRefreshToken, Type: Text, Scope: OneTenant, Secret: true, Doc: "refresh token of a person who may read the tenant's alerts; it starts a lineage that `State_Path` carries on",
		read: credential(func(d *draft) *secretText { return &d.tenant.RefreshToken })},
	{Name: "Feeds", Type: List, Default: "alerts", Scope: PerTenant, Doc: "what is read: " + strings.Join(feeds, ", "),
		read: names(func(d *draft) *[]string { return &d.tenant.Feeds }, "feed", feeds)},
	{Name: "Poll_Interval", Type: Duration, Default: "60s", Unit: "seconds", Scope: PerTenant, Doc: "time between two polls of one feed; tenants are spread evenly over it",
		read: duration(func(d *draft) *time.Duration { return &d.tenant.PollInterval }, time.Second, day)},
	{Name: "Lookback", Type: Duration, Default: "24h", Unit: "seconds", Scope: PerTenant, Doc: "how far back a tenant starts that has no checkpoint; 0 starts now",
		read: duration(func(d *draft) *time.Duration { return &d.tenant.Lookback }, 0, 365*day)},
	{Name: "Overlap", Type: Duration, Default: "15m", Unit: "seconds", Scope: PerTenant, Doc: "how far behind the watermark each poll looks back, for alerts that arrive late",
		read: duration(func(d *draft) *time.Duration { return &d.tenant.Overlap }, time.Second, 7*day)},
	{Name: "Sweep_Interval", Type: Duration, Default: "6h", Unit: "seconds", Scope: PerTenant, Doc: "how often Sweep_Window is read again for alerts that came later than the overlap; 0 never",
		read: duration(func(d *draft) *time.Duration { return &d.tenant.SweepInterval }, 0, 30*day)},
	{Name: "Sweep_Window", Type: Duration, Default: "48h", Unit: "seconds", Scope: PerTenant, Doc: "how far back a sweep reads",
		read: duration(func(d *draft) *time.Duration { return &d.tenant.SweepWindow }, time.Minute, 90*day)},
	{Name: "Audit_Window", Type: Duration, Default: "24h", Unit: "seconds", Scope: PerTenant, Doc: "how long the ids of what was delivered are kept for `defenderctl audit`",
		read: duration(func(d *draft) *time.Duration { return &d.tenant.AuditWindow }, time.Minute, 90*day)},
	{Name: "Min_Severity", Type: Choice, Default: "all", Scope: PerTenant, Doc: "least severity Microsoft sends: all, " + strings.Join(severities, ", "),
		read: choice(func(d *draft) *string { return &d.tenant.MinSeverity }, "severity", severities)},
	{Name: "Service_Sources", Type: List, Default: "all", Scope: PerTenant, Doc: "products whose alerts Microsoft sends, by the names below, or all",
		read: names(func(d *draft) *[]string { return &d.tenant.ServiceSources }, "service source", serviceSources, "all")},
	{Name: "Enabled", Type: Boolean, Default: "on", Scope: PerTenant, Doc: "off keeps the tenant's state and asks Microsoft nothing",
		read: boolean(func(d *draft) *bool { return &d.tenant.Enabled })},
	{Name: keyAllowHTTP, Type: List, Scope: Instance, Doc: "hosts that Login_Url and Graph_Url may name with plain http, on which tokens travel in the clear; never Microsoft's",
		read: plainHosts},
	{Name: keyLoginURL, Type: URL, Default: "https://login.microsoftonline.com", Scope: PerTenant, Doc: "root of the sign-in service: for proxies, other clouds, the simulator",
		read: serviceRoot(func(d *draft) *string { return &d.tenant.LoginURL })},
	{Name: keyGraphURL, Type: URL, Default: "https://graph.microsoft.com", Scope: PerTenant, Doc: "root of Microsoft Graph, likewise",
		read: serviceRoot(func(d *draft) *string { return &d.tenant.GraphURL })},
	{Name: "Proxy_Url", Type: Text, Scope: Instance, Secret: true, Doc: "proxy on the way to Microsoft: `http://`, `https://` or `socks5://`, with `USER:PASSWORD@` where it asks for them; without it the environment's HTTPS_PROXY; hosts in NO_PROXY are asked directly",
		read: proxyURL},
	{Name: keyCAFile, Type: File, Scope: Instance, Doc: "PEM file of certificate authorities to trust besides the system's; read again when it changes",
		read: authorities},
	{Name: "Tenant_Tag", Type: Text, Scope: Instance, Doc: "tag per tenant and feed from `{tenant}`, `{tenant_id}`, `{feed}`, such as `defender.{tenant}.{feed}`; without it the instance's own tag",
		read: tagTemplate},
	{Name: "Raw_Key", Type: Text, Scope: Instance, Doc: "also put the alert's untouched JSON, as a string, under this key of the record",
		read: rawKey},
	{Name: keyBatchLimit, Type: Size, Default: "1M", Unit: "bytes", Scope: Instance, Doc: "bytes of one append to Fluent Bit; a larger record is an append of its own; at most a quarter of Buffer_Limit",
		read: size(func(d *draft) *int64 { return &d.config.BatchLimit }, 1000, 64*mega)},
	{Name: keyBufferLimit, Type: Size, Default: "64M", Unit: "bytes", Scope: Instance, Doc: "bytes waiting in the plugin, all tenants together; at the limit polling waits",
		read: size(func(d *draft) *int64 { return &d.config.BufferLimit }, 4000, 64*giga)},
	{Name: keyRecordLimit, Type: Size, Default: "4M", Unit: "bytes", Scope: Instance, Doc: "bytes of one record; a larger one goes out with what was left out named; at most Buffer_Limit",
		read: size(func(d *draft) *int64 { return &d.config.RecordLimit }, 1000, 64*mega)},
	{Name: "Commit_Delay", Type: Duration, Default: "10s", Unit: "seconds", Scope: Instance, Doc: "wait before a checkpoint is committed; only without `threaded off`",
		read: duration(func(d *draft) *time.Duration { return &d.config.CommitDelay }, time.Second, 10*time.Minute)},
	{Name: "State_Path", Type: Text, Default: "/var/lib/fluent-bit/defender", Scope: Instance, Doc: "directory of checkpoints and rotated tokens",
		read: path(func(d *draft) *string { return &d.config.StatePath })},
	{Name: "State_Key_File", Type: File, Scope: Instance, Doc: "file with the key that seals tokens in State_Path; without it one is made there",
		read: path(func(d *draft) *string { return &d.config.StateKeyFile })},
})

// withFileForms puts behind every secret key the key that names a file with its value.
func withFileForms(rows []Key) []Key {
	var all []Key
	for _, k := range rows {
		all = append(all, k)
		if k.Secret {
			all = append(all, Key{Name: k.Name + fileSuffix, Type: File, Scope: k.Scope,
				Doc:  "file that holds " + k.Name + "; read again when it changes",
				read: fromFile(k.read)})
		}
	}
	for i := range all {
		all[i].lower = strings.ToLower(all[i].Name)
	}
	return all
}

// Keys lists every key in the order of the documentation.
func Keys() []Key { return append([]Key(nil), keys...) }

// keyIndex finds the row of a key by its name in lower case.
var keyIndex = func() map[string]int {
	index := make(map[string]int, len(keys))
	for i, k := range keys {
		index[k.lower] = i
	}
	return index
}()
