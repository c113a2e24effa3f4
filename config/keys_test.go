package config

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

const referencePage = "../docs/configuration.md"

func TestReferenceIsFresh(t *testing.T) {
	if *update {
		if err := os.WriteFile(referencePage, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, []byte(Reference())) {
		t.Error(`docs/configuration.md is stale; run: go test ./config -run Reference -update`)
	}
}

func TestTableIsComplete(t *testing.T) {
	if len(keys) > 64 {
		t.Fatal("keySet has room for 64 keys")
	}
	seen := map[string]bool{}
	for _, k := range Keys() {
		if k.Doc == "" || k.Type == "" || k.Scope == "" || k.read == nil || strings.ContainsAny(k.Doc, "\n|") {
			t.Errorf("%s: its row is incomplete", k.Name)
		}
		if seen[k.lower] {
			t.Errorf("%s is there twice", k.Name)
		}
		seen[k.lower] = true
		if _, ok := keyIndex[k.lower+"_file"]; k.Secret && !ok {
			t.Errorf("%s has no file form", k.Name)
		}
		if k.Default != "" {
			if p := k.read(&draft{config: &Config{}}, k.Default); p != nil {
				t.Errorf("%s: its default %s", k.Name, p.what)
			}
		}
		found := false
		for _, f := range valueForms {
			found = found || f.Type == k.Type
		}
		if !found {
			t.Errorf("%s: the reference does not explain %s", k.Name, k.Type)
		}
	}
}

// TestFluentBitKeepsNoneOfOurKeys: a key that the core takes would never arrive.
func TestFluentBitKeepsNoneOfOurKeys(t *testing.T) {
	for _, k := range Keys() {
		if takenByCore(k.Name) || takenByCore("contoso."+k.Name) {
			t.Errorf("Fluent Bit keeps %s for itself", k.Name)
		}
	}
	for _, core := range []string{"Tag", "alias", "Log_Level", "host", "port", "listen", "net.keepalive", "tls", "tls.verify",
		"oauth2.issuer", "storage.type", "mem_buf_limit", "threaded", "thread.ring_buffer.capacity", "rate_window", "processors"} {
		if !takenByCore(core) {
			t.Errorf("%s is not known as Fluent Bit's", core)
		}
	}
}

func TestUnread(t *testing.T) {
	get := properties("Tenants contoso, fabrikam\nContoso.Tenant_Id contoso.com\n")
	for _, c := range []struct{ key, want string }{
		{"Pol_Interval", "Pol_Interval: nobody reads this key; did you mean Poll_Interval?"},
		{"refreshToken", "refreshToken: nobody reads this key; did you mean Refresh_Token?"},
		{"thredded", "thredded: nobody reads this key; did you mean threaded?"},
		{"Colour", "Colour: nobody reads this key; remove it, or see the reference of keys"},
		{"contoso.Tennant_Id", "contoso.Tennant_Id: nobody reads this key; did you mean contoso.Tenant_Id?"},
		{"contso.Tenant_Id", "contso.Tenant_Id: nobody reads this key; did you mean contoso.Tenant_Id?"},
		{"adatum.Tenant_Id", "adatum.Tenant_Id: nobody reads this key; add adatum to Tenants, which lists the tenants to read"},
		{"contoso.Batch_Limit", "contoso.Batch_Limit: nobody reads this key; Batch_Limit is one for all tenants: write it without contoso."},
		{"contoso.Tenant_Name", "contoso.Tenant_Name: nobody reads this key; remove it, or see the reference of keys"},
		{"fabrikam.x", "fabrikam.x: nobody reads this key; remove it, or see the reference of keys"},
		{"FABRIKAM.refresh_token_file", ""},
		{"net.keepalive", ""},
		{"State_Key_File", ""},
	} {
		var got []string
		for _, f := range Unread([]string{"Name", "Tag", "Tenants", c.key}, get) {
			got = append(got, f.String())
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.key, got, c.want)
		}
	}
	faults := Unread([]string{"Tenants", "contoso.Tenant_Id", "TENANTS", "contoso.tenant_id"}, get)
	if len(faults) != 2 || faults[0].Hint != "write one line with commas" || faults[1].Where != "contoso.tenant_id" {
		t.Errorf("repeated keys: %v", faults)
	}
}
