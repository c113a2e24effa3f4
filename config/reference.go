package config

import (
	"fmt"
	"strings"
)

// exampleTenantsFile is shown in the reference; a test loads it.
const exampleTenantsFile = `tenants:
  - name: contoso
    tenant_id: 00001111-aaaa-2222-bbbb-3333cccc4444
    refresh_token_file: /run/credentials/contoso.token

  - name: Fabrikam Residences
    tenant_id: fabrikam.com
    refresh_token: ${FABRIKAM_TOKEN}
    poll_interval: 5m
    min_severity: medium
    service_sources: [microsoftDefenderForEndpoint, microsoftSentinel]

  - name: litware
    tenant_id: 11112222-bbbb-3333-cccc-4444dddd5555
    client_id: 55556666-ffff-7777-aaaa-8888bbbb9999   # an app registration of its own
    client_secret_file: litware.secret                # beside this file
    enabled: off
`

const exampleInput = `[INPUT]
    Name                     defender
    threaded                 off
    Client_Id                00001111-aaaa-2222-bbbb-3333cccc4444
    Client_Secret_File       /run/credentials/app.secret
    Tenants                  contoso, fabrikam
    contoso.Tenant_Id        11112222-bbbb-3333-cccc-4444dddd5555
    contoso.Refresh_Token    ${CONTOSO_TOKEN}
    fabrikam.Tenant_Id       fabrikam.com
    fabrikam.Refresh_Token   ${FABRIKAM_TOKEN}
    fabrikam.Poll_Interval   5m
`

// valueForms explains how each type is written.
var valueForms = []struct {
	Type Type
	Form string
}{
	{Text, "as it is"},
	{List, "names, separated by commas; in YAML one string too, for Fluent Bit keeps only the first element of a YAML list (the tenants file takes both)"},
	{File, "a file that Fluent Bit's user can read; a relative name begins in the working directory, in the tenants file beside that file"},
	{URL, "`https://HOST[:PORT][/PATH]`; plain `http` only to this machine (`localhost`, `127.0.0.1`, `[::1]`) and to hosts in `Allow_Http`"},
	{Duration, "a whole number of seconds, or with a unit: `60`, `60s`, `5m`, `2h`, `1d`"},
	{Size, "a whole number of bytes, or with a unit: `512k`, `4M`, `1G`; as everywhere in Fluent Bit, k is 1000"},
	{Boolean, "`on`, `true`, `yes`; `off`, `false`, `no`"},
	{Choice, "one of the words named"},
}

// Reference returns docs/configuration.md: every key, how values are written, and
// the tenants file.
func Reference() string {
	var b strings.Builder
	b.WriteString(`<!-- Written from the table in config/keys.go by "go test ./config -run Reference -update". Do not edit. -->

# Configuration

Everything is set in the ` + "`[INPUT]`" + ` section of Fluent Bit's configuration. Case does not matter in keys.

` + "```\n" + exampleInput + "```" + `

A fault stops the instance before it starts, with one message that has a line for every fault. Fluent Bit shows a
plugin only the keys it asks for: a misspelt key in the ` + "`[INPUT]`" + ` is found by ` + "`defenderctl check`" + `.

## Keys

`)
	b.WriteString("| key | value | default | where | meaning |\n|---|---|---|---|---|\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, valueCell(k), defaultCell(k), k.Scope, k.Doc)
	}
	b.WriteString(`
*Where*: **instance**, in the ` + "`[INPUT]`" + ` only. **per tenant**, in the ` + "`[INPUT]`" + ` for all tenants, and for one tenant as
` + "`NAME.Key`" + ` or in the tenants file, which wins. **one tenant**, of one tenant only: as ` + "`NAME.Key`" + `, in the tenants file, or in
the ` + "`[INPUT]`" + ` itself for a single tenant without a name in ` + "`Tenants`" + `.

## Values

`)
	for _, f := range valueForms {
		fmt.Fprintf(&b, "* **%s**: %s.\n", f.Type, f.Form)
	}
	fmt.Fprintf(&b, `
`+"`Service_Sources`"+` takes Microsoft Graph's names: %s.

When `+"`Batch_Limit`"+` or `+"`Record_Limit`"+` is not set and `+"`Buffer_Limit`"+` is too small for the default, the default gives way.
A key that is repeated in a section counts once: Fluent Bit hands over the first value only.

## Tenants

Three ways, which go together: `+"`Tenants`"+` with keys `+"`NAME.Key`"+`; the short form for a single tenant (`+"`Tenant_Id`"+` with
`+"`Refresh_Token`"+`, perhaps `+"`Tenant_Name`"+`); and `+"`Tenants_File`"+` for hundreds or thousands.

* A tenant needs a `+"`Tenant_Id`"+`, a `+"`Client_Id`"+`, and a `+"`Refresh_Token`"+` or a `+"`Client_Secret`"+`. With a refresh token it reads in the
  name of the person who signed in; with a secret alone, in the name of the app.
* In tags a name is reduced to `+"`[a-z0-9_-]`"+`: lower case, and one `+"`-`"+` for each run of other characters. Two names that
  become one are refused, and so is one directory configured twice.
* A tenant that is off is checked like any other.

## The tenants file

A list of tenants under `+"`tenants:`"+`, or the list alone. The keys of a tenant are those marked *per tenant* and *one tenant*
above, in any case, and `+"`name`"+` is short for `+"`tenant_name`"+`. What is not written comes from the `+"`[INPUT]`"+`.

`+"```yaml\n%s```"+`

* It is read again when it changes, without a restart: tenants added, removed, changed. After a broken edit the last
  good one stays in use, and the log says file, line, column and why. An empty file is a broken edit; no tenants at all
  are `+"`tenants: []`"+`.
* Unknown and repeated keys are refused, and so are YAML's anchors, aliases and tags.
* `+"`${NAME}`"+` and `+"`${NAME:-default}`"+` in a value are replaced by the environment of the Fluent Bit process. A variable
  that is not set is a fault. (What Fluent Bit's own `+"`env:`"+` and `+"`@SET`"+` define is not in the environment.)

## Secrets

%s can be given in a file, by the same key with `+"`_File`"+` behind it: systemd credentials, Docker and Kubernetes
secrets. White space around the secret is ignored. The file is read again when it changes. Secrets are never shown,
neither in messages nor in logs.

* A file of a secret, the tenants file and `+"`CA_File`"+` are refused when their group or everyone may write them, and a file
  with secrets in it also when everyone may read it (the tenants file: unless all of them are files or variables). The
  fault names the `+"`chmod`"+` to run. The group may read: `+"`chown root:fluent-bit`, `chmod 640`"+`.
* Under `+"`/run/secrets` and `/run/credentials`"+`, on read-only mounts and on file systems in memory that is a warning only:
  there the mode comes from who mounts.

What else protects them: [security.md](security.md).
`, strings.Join(serviceSources, ", "), exampleTenantsFile, secretKeys())
	return b.String()
}

func valueCell(k Key) string {
	if k.Unit == "" {
		return string(k.Type)
	}
	return string(k.Type) + " (" + k.Unit + ")"
}

func defaultCell(k Key) string {
	if k.Default == "" {
		return "–"
	}
	return "`" + k.Default + "`"
}

// secretKeys names the keys that have a file form.
func secretKeys() string {
	var names []string
	for _, k := range keys {
		if k.Secret {
			names = append(names, "`"+k.Name+"`")
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
