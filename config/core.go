package config

import "strings"

// coreKeys are the keys of an [INPUT] that Fluent Bit's core takes for itself;
// the plugin never sees them (flb_input_set_property of Fluent Bit 5.1).
var coreKeys = []string{
	"name", "tag", "alias", "log_level", "log_suppress_interval", "routable", "mem_buf_limit",
	"listen", "host", "port", "ipv6", "threaded", "thread.ring_buffer.capacity", "thread.ring_buffer.window",
	"storage.type", "storage.pause_on_chunks_overlimit",
	"tls", "tls.verify", "tls.verify_client_cert", "tls.verify_hostname", "tls.debug", "tls.vhost",
	"tls.ca_path", "tls.ca_file", "tls.crt_file", "tls.key_file", "tls.key_passwd",
	"tls.min_version", "tls.max_version", "tls.ciphers",
	"rate_window", "rate_gate", "rate_gate.max_bytes", "rate_gate.max_records",
	"rate_gate.backpressure", "rate_gate.resume_ratio",
	"processors", "routes", "telemetry",
}

// corePrefixes begin families of such keys. Those of tls, storage, thread and
// rate are taken one by one today; a name of ours in them would be one release
// away from vanishing.
var corePrefixes = []string{"net.", "oauth2", "tls.", "storage.", "thread.", "rate_"}

// takenByCore reports whether Fluent Bit keeps a key for itself.
func takenByCore(key string) bool {
	key = strings.ToLower(key)
	for _, k := range coreKeys {
		if key == k {
			return true
		}
	}
	for _, p := range corePrefixes {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

// spellings are the names under which Fluent Bit may hold what somebody wrote as
// "NAME.Key". In its YAML form it takes a key that begins with a small letter for
// camelCase, unless there is an underscore in it: "contoso.Feeds" arrives as
// "contoso._feeds", "contosoLtd.feeds" as "contoso_ltd.feeds" (flb_cf_key_translate).
func spellings(name, key string) []string {
	full := name + "." + key
	forms := []string{full}
	for _, written := range []string{full, name + "." + strings.ToLower(key)} {
		form := snakeCase(written)
		if !strings.EqualFold(form, full) && form != forms[len(forms)-1] {
			forms = append(forms, form)
		}
	}
	return forms
}

// snakeCase is what Fluent Bit makes of a key in its YAML form.
func snakeCase(key string) string {
	if key == "" || key[0] < 'a' || key[0] > 'z' || strings.Contains(key, "_") {
		return key
	}
	var out strings.Builder
	for _, c := range []byte(key) {
		if c >= 'A' && c <= 'Z' {
			out.WriteByte('_')
			c += 'a' - 'A'
		}
		out.WriteByte(c)
	}
	return out.String()
}
