package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestWait bounds what a Retry-After header can ask for.
const longestWait = time.Hour

// diagnosis fills in what the row says, and the account's values in its texts.
func (t *attempt) diagnosis(r row) *Diagnosis {
	d := newDiagnosis(t.account, t.what, r)
	show := func(value string) string { return t.used.clean(value, longestDetail) }
	values := strings.NewReplacer("{login}", show(strings.TrimRight(t.account.LoginURL, "/")),
		"{tenant}", show(t.account.TenantID), "{client}", show(t.account.ClientID), "{scope}", show(t.scope))
	d.Summary = values.Replace(r.Summary)
	d.Action = values.Replace(r.Action)
	return d
}

// newDiagnosis is for failures that concern no request.
func newDiagnosis(a Account, what string, r row) *Diagnosis {
	tenant := a.Name
	if tenant == "" {
		tenant = a.TenantID
	}
	return &Diagnosis{
		Tenant: secrets(nil).clean(tenant, longestName), Attempt: what,
		Summary: r.Summary, Action: r.Action, Who: r.Who, Retry: r.Retry, RetryAfter: r.Wait,
	}
}

// refused is Entra's own refusal.
func (t *attempt) refused(resp *http.Response, e *errorAnswer) *Diagnosis {
	code, r := decide(e, resp.StatusCode)
	d := t.diagnosis(r)
	t.fromHeader(d, resp)
	d.Code = code
	d.OAuthError = t.used.id(e.oauthError)

	sentence, trace, correlation := splitDescription(t.used.redact(e.description))
	if e.trace != "" {
		trace = e.trace
	}
	if e.correlation != "" {
		correlation = e.correlation
	}
	d.Detail = t.used.clean(sentence, longestDetail)
	d.TraceID, d.CorrelationID = t.used.id(trace), t.used.id(correlation)
	return d
}

// decide finds the code that says most, and its row. An answer may hold
// several codes, the outer and vaguer ones first.
func decide(e *errorAnswer, status int) (code int, r row) {
	known, vague, unknown := 0, 0, 0
	for _, c := range e.codes {
		switch r, ok := codes[c]; {
		case !ok:
			unknown = c
		case r.Vague:
			vague = c
		default:
			known = c
		}
	}
	switch {
	case known != 0:
		return known, codes[known]
	case unknown == 0 && vague != 0:
		return vague, codes[vague]
	case status == http.StatusTooManyRequests || status >= 500:
		return unknown, statusRow(status)
	}
	if r, ok := oauthErrors[e.oauthError]; ok {
		return unknown, r
	}
	return unknown, unknownError
}

// notEntra is an answer that Entra does not give: a proxy's page, a redirect,
// a cut body, or a gateway's plain text.
func (t *attempt) notEntra(resp *http.Response, err error) *Diagnosis {
	d := t.diagnosis(statusRow(resp.StatusCode))
	t.fromHeader(d, resp)
	d.Detail = t.used.clean(fmt.Sprintf("%v (HTTP %d, %s)", err, resp.StatusCode, contentType(resp)), longestDetail)
	return d
}

// statusRow is what the status alone tells.
func statusRow(status int) row {
	switch {
	case status == http.StatusTooManyRequests:
		return row{Summary: "Entra is throttling token requests", Action: wait, Who: Nobody, Retry: Soon}
	case status >= 500 || status == http.StatusRequestTimeout:
		return row{Summary: "Entra has a passing fault", Action: wait, Who: Nobody, Retry: Soon}
	case status == http.StatusProxyAuthRequired:
		return row{Summary: "the proxy on the way to Entra asks for a sign-in", Action: "put the proxy's user and password into Proxy_Url or HTTPS_PROXY, or let this host through", Who: MSSP, Retry: Slow}
	case status == http.StatusOK:
		return row{Summary: "the answer is not one of Entra's", Action: "see whether a proxy or portal on the way answers in Entra's place, and check Login_Url", Who: MSSP, Retry: Soon}
	case status >= 300 && status < 400:
		return row{Summary: "the answer points to another address, which is never followed with a credential", Action: "set Login_Url to the final address, and see whether a proxy or portal on the way answers in Entra's place", Who: MSSP, Retry: Slow}
	}
	return row{Summary: "the answer is not one of Entra's", Action: "check Login_Url and Tenant_Id, and whether a proxy on the way answers in Entra's place", Who: MSSP, Retry: Slow}
}

// network is a request that brought no whole answer.
func (t *attempt) network(ctx context.Context, err error) *Diagnosis {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, ErrClosed) {
		return closed(t.account, t.what)
	}
	d := t.diagnosis(row{
		Summary: "Entra could not be reached",
		Action:  "check this host's network, DNS, time and proxy settings towards {login}; asked again by itself",
		Who:     MSSP, Retry: Soon,
	})
	d.Detail = t.used.clean(err.Error(), longestDetail)
	d.Err = quiet{text: d.Detail, err: err}
	return d
}

func (t *attempt) badAddress(err error) *Diagnosis {
	d := t.diagnosis(row{Summary: "the address of the token endpoint is not valid", Action: "correct Login_Url", Who: MSSP, Retry: Never})
	d.Detail = t.used.clean(err.Error(), longestDetail)
	return d
}

// quiet keeps an error for errors.Is and errors.As, and shows a cleaned text.
type quiet struct {
	text string
	err  error
}

func (q quiet) Error() string { return q.text }
func (q quiet) Unwrap() error { return q.err }

// fromHeader takes what the answer's header tells.
func (t *attempt) fromHeader(d *Diagnosis, resp *http.Response) {
	d.Status = resp.StatusCode
	d.Date = serverDate(resp)
	if after := retryAfter(resp, t.now()); after > 0 {
		d.RetryAfter = after
	}
}

// serverDate is the server's clock, zero when it did not say.
func serverDate(resp *http.Response) time.Time {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date.UTC()
}

// retryAfter reads both forms (RFC 9110, section 10.2.3); a date is set
// against the server's own clock where it is known.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	value := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longestWait)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date := serverDate(resp); !date.IsZero() {
		now = date
	}
	return min(max(at.Sub(now), 0), longestWait)
}

func contentType(resp *http.Response) string {
	if ct := resp.Header.Get("Content-Type"); ct != "" {
		return ct
	}
	return "no content type"
}

func closed(a Account, what string) *Diagnosis {
	d := newDiagnosis(a, what, row{Summary: "the plugin is stopping", Action: "nothing is to be done", Who: Nobody, Retry: Soon})
	d.Err = ErrClosed
	return d
}

// cancelled is a caller that no longer waits; the request may go on.
func cancelled(a Account, what string, cause error) *Diagnosis {
	d := newDiagnosis(a, what, row{Summary: "the wait was broken off", Action: wait, Who: Nobody, Retry: Soon})
	d.Err = cause
	return d
}

// panicked is a fault of this program, or of the Store.
func (t *attempt) panicked(value any) *Diagnosis {
	d := t.diagnosis(row{Summary: "a fault in the plugin itself", Action: "report this line to the plugin's maintainers", Who: MSSP, Retry: Slow})
	d.Detail = t.used.clean(fmt.Sprintf("panic: %v", value), longestDetail)
	return d
}
