package config

import (
	"testing"
	"time"
)

// TestKeysOfTheYAMLFormArrive: Fluent Bit rewrites keys that look like camelCase
// to it; a tenant that was switched off must not stay on for that.
func TestKeysOfTheYAMLFormArrive(t *testing.T) {
	c := mustLoad(t, `
Client_Id                 c
Tenants                   contoso, contosoLtd, Fabrikam
contoso.tenant_id         contoso.com
contoso.refresh_token     hush
contoso._enabled          off
contoso._lookback         1h
contosoltd.tenant_id      contoso.org
contosoltd.refresh_token  hush
contoso_ltd.enabled       off
contoso_ltd._overlap      1h
Fabrikam.Tenant_Id        fabrikam.com
Fabrikam.Refresh_Token    hush
Fabrikam.Enabled          off`)
	for _, tenant := range c.Tenants {
		if tenant.Enabled {
			t.Errorf("%s is on", tenant.Name)
		}
	}
	if c.Tenants[0].Lookback != time.Hour || c.Tenants[1].Overlap != time.Hour {
		t.Errorf("lookback %v, overlap %v", c.Tenants[0].Lookback, c.Tenants[1].Overlap)
	}
	get := properties("Tenants contoso\n")
	if faults := Unread([]string{"contoso._feeds"}, get); len(faults) != 0 {
		t.Errorf("%v", faults)
	}
}
