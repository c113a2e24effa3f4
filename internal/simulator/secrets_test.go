package simulator

import (
	"encoding/json"
	"testing"
)

// TestSecrets: every credential that a client was ever given or asked for is among them.
func TestSecrets(t *testing.T) {
	c := newClient(t, Options{})
	app := c.tenant.Apps()[0]
	_, body := c.refresh(app.RefreshToken)
	all := c.sim.Secrets()
	for _, value := range []string{app.ClientSecret, app.RefreshToken, body["access_token"].(string), body["refresh_token"].(string)} {
		if all[value] == "" {
			t.Errorf("%s is missing", value)
		}
	}
	var served map[string]string
	r := c.get("http://graph.example/control/secrets")
	if err := json.NewDecoder(r.Body).Decode(&served); err != nil || len(served) != len(c.sim.Secrets()) {
		t.Errorf("over the control API: %d of %d, %v", len(served), len(c.sim.Secrets()), err)
	}
}

// TestForeignToken opens the other tenant, as the worst mix-up would.
func TestForeignToken(t *testing.T) {
	c := newClient(t, Options{})
	other, err := c.sim.AddTenant(TenantOptions{Name: "somebody-else"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseFault("foreign-token@" + c.tenant.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.sim.Fault(f); err != nil {
		t.Fatal(err)
	}
	c.signIn()
	if granted, ok := c.sim.verify(c.access); !ok || granted.TenantID != other.ID {
		t.Errorf("it is for %s", granted.TenantID)
	}
	if r := c.get(""); r.StatusCode != 200 {
		t.Errorf("status %d", r.StatusCode)
	}
}
