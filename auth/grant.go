package auth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answerLimit bounds the body of an answer; real ones are a few kilobytes.
const answerLimit = 1 << 20

// attempt is one try to get an access token of an account: the requests it
// makes, and the diagnoses it makes of their failures.
type attempt struct {
	http    *http.Client
	now     func() time.Time
	account Account
	scope   string
	what    string  // for messages: "refreshing the token for https://…"
	used    secrets // every secret that this attempt has sent or received

	directory string // GUID of the tenant that a token must be for, "" when it is not known
}

func newAttempt(client *http.Client, now func() time.Time, a Account, scope string) *attempt {
	used := secrets{a.ClientSecret.Reveal(), a.RefreshToken.Reveal()}
	return &attempt{http: client, now: now, account: a, scope: scope, what: what(a, used.clean(scope, longestDetail)), used: used}
}

// what an account does to get an access token, in words.
func what(a Account, scope string) string {
	if a.RefreshToken.IsZero() {
		return "getting a token for " + scope
	}
	return "refreshing the token for " + scope
}

// refresh redeems a refresh token. It asks for offline_access, without which
// Entra gives no new refresh token.
func (t *attempt) refresh(ctx context.Context, token string) (*tokenAnswer, *Diagnosis) {
	t.used = append(t.used, token)
	return t.post(ctx, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {token},
		"scope":         {t.scope + " offline_access"},
	})
}

// clientCredentials signs in as the app itself.
func (t *attempt) clientCredentials(ctx context.Context) (*tokenAnswer, *Diagnosis) {
	return t.post(ctx, url.Values{
		"grant_type": {"client_credentials"},
		"scope":      {t.scope},
	})
}

// post sends one request to the v2 token endpoint. It declares no client
// capability (the "claims" parameter): a client that declared continuous
// access evaluation would have to answer claims challenges.
func (t *attempt) post(ctx context.Context, form url.Values) (*tokenAnswer, *Diagnosis) {
	form.Set("client_id", t.account.ClientID)
	if !t.account.ClientSecret.IsZero() {
		form.Set("client_secret", t.account.ClientSecret.Reveal())
	}
	endpoint := strings.TrimRight(t.account.LoginURL, "/") + "/" + url.PathEscape(t.account.TenantID) + "/oauth2/v2.0/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, t.badAddress(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")

	resp, err := t.http.Do(req)
	if err != nil {
		return nil, t.network(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	if err != nil {
		return nil, t.network(ctx, err)
	}
	return t.read(resp, body)
}

// read judges a whole answer.
func (t *attempt) read(resp *http.Response, body []byte) (*tokenAnswer, *Diagnosis) {
	if len(body) > answerLimit {
		return nil, t.notEntra(resp, errors.New("the answer is larger than 1 MiB"))
	}
	good, refusal, err := parseAnswer(body, serverDate(resp))
	switch {
	case err != nil:
		return nil, t.notEntra(resp, err)
	case refusal != nil:
		return nil, t.refused(resp, refusal)
	case resp.StatusCode != http.StatusOK:
		return nil, t.notEntra(resp, errors.New("the answer holds a token under an error's status"))
	}
	t.used = append(t.used, good.access, good.refresh)
	if foreign := t.foreign(good); foreign != nil {
		return nil, foreign
	}
	return good, nil
}

// withoutRedirects is client, save that it follows no redirect (the body would
// go to another address) and keeps no cookies.
func withoutRedirects(client *http.Client) *http.Client {
	own := http.Client{}
	if client != nil {
		own = *client
	}
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}
