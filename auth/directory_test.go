package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fluent-bit-defender/internal/secret"
)

const elsewhereID = "99998888-7777-6666-5555-444433332222"

// jwtOf is a token as Entra shapes it, for a tenant.
func jwtOf(tenant string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"typ":"JWT","alg":"RS256"}`) + "." + part(`{"aud":"https://graph.microsoft.com","tid":"`+tenant+`","ver":"1.0"}`) + "." + part("signature")
}

// issuing answers with tokens for a tenant.
func (e *entra) issuing(tenant string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = func(w http.ResponseWriter, r *http.Request) bool {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"token_type": "Bearer", "expires_in": 3600, "access_token": jwtOf(tenant), "refresh_token": "given-by-" + tenant,
		})
		return true
	}
}

func TestTokenOfAnotherTenantIsNotUsed(t *testing.T) {
	for name, account := range map[string]Account{"a person": contoso(), "the app": appOnly()} {
		t.Run(name, func(t *testing.T) {
			e, store := newEntra(), newDisk()
			e.issuing(elsewhereID)
			s := NewSource(account, Options{HTTP: e.client(), Store: store})
			defer s.Close()
			d := mustFail(t, s, graph)
			if d.Retry != Never || d.Who != MSSP || !strings.Contains(d.Detail, elsewhereID) || !strings.Contains(d.Detail, loginID) {
				t.Errorf("%v", d)
			}
			for _, token := range []string{jwtOf(elsewhereID), "given-by-" + elsewhereID} {
				if strings.Contains(fmt.Sprint(d), token) {
					t.Errorf("%v shows %s", d, token)
				}
			}
			if store.saves != 0 {
				t.Error("another tenant's refresh token was stored as this one's")
			}
			if s.Token(t.Context(), graph); e.count() != 1 {
				t.Errorf("Entra was asked %d times", e.count())
			}
			// The seed still works once the answers are this tenant's.
			e.issuing(strings.ToUpper(loginID))
			account.Name, account.ClientID = "Contoso again", "another-app"
			s.Configure(account)
			if token, err := s.Token(t.Context(), graph); err != nil || token.AccessToken != jwtOf(strings.ToUpper(loginID)) {
				t.Errorf("%v, %v", token, err)
			}
		})
	}
}

func appOnly() Account {
	a := contoso()
	a.RefreshToken = secret.Text{}
	return a
}

// TestDomainLearnsItsDirectory: by the first token; a later one of another tenant is refused.
func TestDomainLearnsItsDirectory(t *testing.T) {
	e, account := newEntra(), contoso()
	account.TenantID = "contoso.com"
	s := NewSource(account, Options{HTTP: e.client()})
	defer s.Close()
	if s.Directory() != "" {
		t.Errorf("it knows %s before any answer", s.Directory())
	}
	e.issuing(loginID)
	if _, err := s.Token(t.Context(), graph); err != nil || s.Directory() != loginID {
		t.Fatalf("%v; directory %q", err, s.Directory())
	}
	e.issuing(elsewhereID)
	if d := mustFail(t, s, other); d.Retry != Never || s.Directory() != loginID {
		t.Errorf("%v; directory %q", d, s.Directory())
	}
	account.TenantID = "fabrikam.com"
	s.Configure(account)
	if s.Directory() != "" {
		t.Errorf("fabrikam.com has the directory of contoso.com")
	}
	if _, err := s.Token(t.Context(), graph); err != nil || s.Directory() != elsewhereID {
		t.Errorf("%v; directory %q", err, s.Directory())
	}
}

// TestTokensThatDoNotSay are used: their form is the API's business.
func TestTokensThatDoNotSay(t *testing.T) {
	part := base64.RawURLEncoding.EncodeToString
	for _, token := range []string{
		"opaque", "a.b.c", "..", "a." + part([]byte(`{"tid":5}`)) + ".c", "a." + part([]byte(`{"tid":"contoso"}`)) + ".c",
		"a." + part([]byte(`[]`)) + ".c", "a." + part([]byte(`{"tid":`)) + ".c", "a.b.c.d.e", jwtOf(""), strings.Repeat(".", 1000),
	} {
		if got := directoryOf(token); got != "" {
			t.Errorf("%.80q is of %q", token, got)
		}
	}
	if got := directoryOf(jwtOf(strings.ToUpper(loginID))); got != loginID {
		t.Errorf("a token of Entra's form is of %q", got)
	}
	e := newEntra()
	s := NewSource(contoso(), Options{HTTP: e.client()})
	defer s.Close()
	if _, err := s.Token(t.Context(), graph); err != nil || s.Directory() != loginID {
		t.Errorf("%v; directory %q", err, s.Directory())
	}
}

func FuzzDirectoryOf(f *testing.F) {
	f.Add("a.b.c")
	f.Add(jwtOf(loginID))
	f.Fuzz(func(t *testing.T, token string) {
		if id := directoryOf(token); id != "" && !guid.MatchString(id) {
			t.Errorf("%q", id)
		}
	})
}
