package record

import (
	"strings"
	"testing"
)

const fabrikamID = "11112222-bbbb-3333-cccc-4444dddd5555"

// TestForeignAlertBearsNoName: neither in our fields nor anywhere else in the record.
func TestForeignAlertBearsNoName(t *testing.T) {
	of := func(tenant string) string { return `{"id":"a1","tenantId":` + tenant + `,"title":"x"}` }
	for name, tt := range map[string]struct {
		asked, raw, foreign string
	}{
		"its own tenant":            {contoso.TenantID, of(`"` + contoso.TenantID + `"`), ""},
		"its own in capitals":       {contoso.TenantID, of(`"` + strings.ToUpper(contoso.TenantID) + `"`), ""},
		"another":                   {contoso.TenantID, of(`"` + fabrikamID + `"`), fabrikamID},
		"another, written escaped":  {contoso.TenantID, strings.Replace(of(`"\u0031`+fabrikamID[1:]+`"`), "tenantId", `tenant\u0049d`, 1), fabrikamID},
		"both":                      {contoso.TenantID, `{"tenantId":"` + contoso.TenantID + `","tenantId":"` + fabrikamID + `"}`, fabrikamID},
		"no GUID":                   {contoso.TenantID, of(`"somebody else"`), "somebody else"},
		"one that forges the field": {contoso.TenantID, `{"foreign_tenant_id":"x","tenant_name":"Fabrikam"}`, ""},
		"none":                      {contoso.TenantID, `{"id":"a1"}`, ""},
		"null":                      {contoso.TenantID, of("null"), ""},
		"a number":                  {contoso.TenantID, of("5"), ""},
		"empty":                     {contoso.TenantID, of(`" "`), ""},
		"inside":                    {contoso.TenantID, `{"a":{"tenantId":"` + fabrikamID + `"}}`, ""},
		"not known who was asked":   {"", of(`"` + fabrikamID + `"`), ""},
		"unreadable, but tells":     {contoso.TenantID, `{"tenantId":"` + fabrikamID + `",` + many(maxFields+1) + `}`, fabrikamID},
	} {
		t.Run(name, func(t *testing.T) {
			out, outcome := NewFlat(contoso, Options{RawKey: "raw"}).Append(nil, Alert{ID: "a1", Version: updated, Raw: []byte(tt.raw), Directory: tt.asked})
			ev, _, err := decodeEvent(out)
			if err != nil {
				t.Fatal(err)
			}
			if outcome.Foreign != tt.foreign {
				t.Errorf("outcome %q, want %q", outcome.Foreign, tt.foreign)
			}
			_, hasID := ev.fields["tenant_id"]
			_, hasName := ev.fields["tenant_name"]
			said, flagged := ev.fields["foreign_tenant_id"]
			if own := tt.foreign == ""; hasID != own || hasName != own || flagged == own || flagged && said != tt.foreign {
				t.Errorf("tenant_id %v, tenant_name %v, foreign_tenant_id %v", hasID, hasName, said)
			}
			if tt.foreign != "" && strings.Contains(string(out), contoso.TenantName) {
				t.Error("the wrong customer's name is in the record")
			}
			same, _, err := decodeEvent(must(NewFlat(contoso, Options{}).Append(nil, Alert{ID: "a1", Version: updated, Raw: []byte(`{}`)})))
			if err != nil || ev.fields["record_id"] != same.fields["record_id"] || ev.fields["alert_uid"] != same.fields["alert_uid"] {
				t.Error("its ids depend on what it says of its tenant")
			}
		})
	}
}

func must(out []byte, _ Outcome) []byte { return out }

// many is so many members of different names.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"k` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("0", i/182%50) + strings.Repeat("1", i/9100) + `":1`)
	}
	return b.String()
}
