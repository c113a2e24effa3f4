package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// directoryOf is the tenant that an access token says it was issued for (claim
// tid), "" when it does not say. Access tokens are their API's business and may
// take any form; what can be read of one can only make us refuse it. The
// signature is not looked at: the token came over TLS from Login_Url.
func directoryOf(accessToken string) string {
	parts := strings.Split(accessToken, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return ""
	}
	var claims struct {
		Tenant text `json:"tid"`
	}
	if json.NewDecoder(bytes.NewReader(payload)).Decode(&claims) != nil {
		return ""
	}
	if id := strings.ToLower(string(claims.Tenant)); guid.MatchString(id) {
		return id
	}
	return ""
}

// Directory returns the GUID of the tenant that the tokens are for: the
// account's TenantID, or where that is a domain, what the first token said.
// "": not known yet, or never said.
func (s *Source) Directory() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.directory
}

// ownDirectory is an account's GUID, "" when it goes by a domain.
func ownDirectory(a Account) string {
	if id := strings.ToLower(a.TenantID); guid.MatchString(id) {
		return id
	}
	return ""
}

// foreign refuses a token of another tenant than the one that was asked for.
func (t *attempt) foreign(answer *tokenAnswer) *Diagnosis {
	if answer.directory == "" || t.directory == "" || answer.directory == t.directory {
		return nil
	}
	d := t.diagnosis(row{
		Summary: "the answer holds a token for another tenant, which is not used",
		Action: "see that Tenant_Id and Login_Url are this customer's and that no proxy mixes up answers; " +
			"asked again when the tenant's configuration changes, or after a restart",
		Who: MSSP, Retry: Never,
	})
	d.Detail = "the token is for " + answer.directory + ", asked for was " + t.directory
	return d
}
