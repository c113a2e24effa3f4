package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// refusal is how Entra says no for one AADSTS code.
type refusal struct {
	oauth  string // the OAuth error, what the status follows from
	text   string // {app} and {tenant} are filled in
	also   []int  // codes that error_codes lists before this one
	status int    // 0: 401 for invalid_client, else 400
}

// refusals are the codes a headless client may meet (Microsoft Entra
// authentication and authorization error codes), the texts in our words where
// Microsoft's vary.
var refusals = map[int]refusal{
	50001:   {oauth: "invalid_resource", text: "The resource principal was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."},
	50012:   {oauth: "invalid_client", text: "Authentication failed."},
	50013:   {oauth: "invalid_grant", text: "Assertion is not valid."},
	50020:   {oauth: "invalid_grant", text: "User account from identity provider 'live.com' does not exist in tenant '{tenant}' and cannot access the application '{app}' in that tenant."},
	50033:   {oauth: "temporarily_unavailable", text: "A transient error has occurred. Please try again.", status: 503},
	50034:   {oauth: "invalid_grant", text: "The user account does not exist in the {tenant} directory."},
	50053:   {oauth: "invalid_grant", text: "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."},
	50055:   {oauth: "invalid_grant", text: "The password is expired."},
	50057:   {oauth: "invalid_grant", text: "The user account is disabled."},
	50058:   {oauth: "interaction_required", text: "Session information is not sufficient for single-sign-on."},
	50059:   {oauth: "invalid_request", text: "No tenant-identifying information found in either the request or implied by any provided credentials."},
	50076:   {oauth: "interaction_required", text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{app}'."},
	50078:   {oauth: "interaction_required", text: "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '{app}'."},
	50079:   {oauth: "interaction_required", text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{app}'."},
	50087:   {oauth: "temporarily_unavailable", text: "A transient error has occurred during strong authentication. Please try again.", status: 503},
	50088:   {oauth: "temporarily_unavailable", text: "Limit on telecom MFA calls reached. Please try again in a few minutes.", status: 503},
	50089:   {oauth: "invalid_grant", text: "Authentication failed due to flow token expired."},
	50105:   {oauth: "invalid_grant", text: "Your administrator has configured the application '{app}' to block users unless they are specifically granted access to it."},
	50126:   {oauth: "invalid_grant", text: "Error validating credentials due to invalid username or password."},
	50131:   {oauth: "invalid_grant", text: "Device is not in required device state, or the request was blocked due to suspicious activity, access policy, or security policy decisions."},
	50132:   {oauth: "invalid_grant", text: "The session is not valid due to password expiration or recent password change."},
	50133:   {oauth: "invalid_grant", text: "The session is not valid due to password expiration or recent password change."},
	50158:   {oauth: "interaction_required", text: "External security challenge not satisfied. User will be redirected to another page or authentication provider to satisfy additional authentication challenges."},
	50173:   {oauth: "invalid_grant", text: "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '2026-08-01T00:00:00.0000000Z' and the TokensValidFrom date for this user is '2026-11-01T00:00:00.0000000Z'."},
	50194:   {oauth: "unauthorized_client", text: "Application '{app}' is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'."},
	50196:   {oauth: "invalid_grant", text: "The server terminated an operation because it encountered a client request loop. Please contact your app vendor."},
	53000:   {oauth: "interaction_required", text: "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant."},
	53001:   {oauth: "interaction_required", text: "Device is not in required device state: domain_joined."},
	53002:   {oauth: "interaction_required", text: "Application used is not an approved application for Conditional Access."},
	53003:   {oauth: "invalid_grant", text: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."},
	53005:   {oauth: "interaction_required", text: "Application needs to enforce Intune protection policies."},
	53011:   {oauth: "invalid_grant", text: "User blocked due to risk on home tenant."},
	530003:  {oauth: "interaction_required", text: "Your device is required to be managed to access this resource."},
	530032:  {oauth: "invalid_grant", text: "User blocked due to risk on home tenant."},
	530034:  {oauth: "invalid_grant", text: "A delegated administrator was blocked from accessing the tenant due to account risk in their home tenant."},
	500011:  {oauth: "invalid_resource", text: "The resource principal was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."},
	500212:  {oauth: "invalid_grant", text: "The user's administrator has set an outbound access policy that does not allow access to the resource tenant."},
	500213:  {oauth: "invalid_grant", text: "The resource tenant's cross-tenant access policy does not allow this user to access this tenant."},
	65001:   {oauth: "invalid_grant", text: "The user or administrator has not consented to use the application with ID '{app}' named 'MSSP connector'. Send an interactive authorization request for this user and resource."},
	65004:   {oauth: "invalid_grant", text: "User declined to consent to access the app."},
	65005:   {oauth: "invalid_grant", text: "The application required resource access list does not contain applications discoverable by the resource."},
	650052:  {oauth: "invalid_client", text: "The app is trying to access a service that your organization '{tenant}' lacks a service principal for."},
	650056:  {oauth: "invalid_client", text: "Misconfigured application. This could be due to one of the following: the client has not listed any permissions in the requested permissions in the client's application registration."},
	650057:  {oauth: "invalid_resource", text: "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration. Client app ID: {app}."},
	70000:   {oauth: "invalid_grant", text: "Provided grant is invalid or malformed."},
	70001:   {oauth: "unauthorized_client", text: "The application '{app}' is disabled."},
	70002:   {oauth: "invalid_client", text: "Error validating credentials."},
	70003:   {oauth: "unsupported_grant_type", text: "The app requested an unsupported grant type."},
	70008:   {oauth: "invalid_grant", text: "The provided authorization code or refresh token is expired. Send a new interactive authorization request for this user and resource.", also: []int{70002}},
	70011:   {oauth: "invalid_scope", text: "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid."},
	70043:   {oauth: "invalid_grant", text: "The refresh token has expired or is invalid due to sign-in frequency checks by Conditional Access. The token was issued on 2026-11-01T00:00:00.0000000Z and the maximum allowed lifetime for this request is 86400."},
	700003:  {oauth: "invalid_grant", text: "Device object was not found in the tenant '{tenant}' directory."},
	700005:  {oauth: "invalid_grant", text: "Provided authorization code or refresh token is intended to be used against another tenant."},
	700007:  {oauth: "invalid_grant", text: "The grant was issued for a different client id."},
	700016:  {oauth: "unauthorized_client", text: "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."},
	700020:  {oauth: "interaction_required", text: "Access grant requires interaction."},
	700022:  {oauth: "invalid_request", text: "The provided value for the input parameter scope is not valid because it contains more than one resource."},
	700025:  {oauth: "invalid_client", text: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."},
	700027:  {oauth: "invalid_client", text: "The certificate with identifier used to sign the client assertion is not registered on application."},
	700082:  {oauth: "invalid_grant", text: "The refresh token has expired due to inactivity. The token was issued on 2026-08-01T00:00:00.0000000Z and was inactive for 90.00:00:00."},
	700084:  {oauth: "invalid_grant", text: "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which cannot be extended."},
	700229:  {oauth: "invalid_client", text: "Only app tokens can be used as Federated Identity Credentials for the Microsoft Entra issuer."},
	7000112: {oauth: "unauthorized_client", text: "Application '{app}' is disabled."},
	7000215: {oauth: "invalid_client", text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'."},
	7000218: {oauth: "invalid_client", text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."},
	7000222: {oauth: "invalid_client", text: "The provided client secret keys for app '{app}' are expired."},
	90002:   {oauth: "invalid_request", text: "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."},
	90006:   {oauth: "temporarily_unavailable", text: "The service is temporarily unavailable. Please retry.", status: 503},
	90012:   {oauth: "temporarily_unavailable", text: "The request has timed out.", status: 503},
	90013:   {oauth: "invalid_request", text: "Invalid input received from the user."},
	90014:   {oauth: "invalid_request", text: "The required field is missing from the credential."},
	90024:   {oauth: "temporarily_unavailable", text: "Request budget exceeded. A transient error has occurred.", status: 503},
	90033:   {oauth: "temporarily_unavailable", text: "A transient error has occurred. Please try again.", status: 503},
	90036:   {oauth: "server_error", text: "An unexpected, non-retryable error stemming from the directory service has occurred.", status: 500},
	90038:   {oauth: "invalid_request", text: "The tenant '{tenant}' is in the national cloud 'MicrosoftOnline.US'. The request must be sent to the national cloud that the tenant is in."},
	90055:   {oauth: "temporarily_unavailable", text: "There are too many incoming requests.", status: 503},
	90072:   {oauth: "interaction_required", text: "User account from identity provider does not exist in tenant '{tenant}' and cannot access the application '{app}' in that tenant. The account needs to be added as an external user in the tenant first."},
	90090:   {oauth: "temporarily_unavailable", text: "The service is temporarily unavailable. Please retry.", status: 503},
	90093:   {oauth: "invalid_grant", text: "This application requires application permissions to another application. Graph returned with forbidden error code."},
	90094:   {oauth: "invalid_grant", text: "The grant requires admin permission. Ask an administrator to grant consent to '{app}'."},
	90095:   {oauth: "interaction_required", text: "Admin consent is required for the permissions requested by this application."},
	90099:   {oauth: "invalid_grant", text: "The application '{app}' has not been authorized in the tenant '{tenant}'. Applications must be authorized to access the customer tenant before partner delegated administrators can use them."},
	900144:  {oauth: "invalid_request", text: "The request body must contain the following parameter: 'grant_type', 'client_id' or the grant's own."},
	900561:  {oauth: "invalid_request", text: "The endpoint only accepts POST requests. Received a GET request."},
	901002:  {oauth: "invalid_request", text: "The 'resource' request parameter is not supported."},
	9001023: {oauth: "invalid_request", text: "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint."},
	9002313: {oauth: "invalid_grant", text: "Invalid request. Request is malformed or invalid."},
}

// Codes lists the AADSTS codes that the simulator has texts for, ascending.
// Any other code can be asked for too and gets a text without meaning.
func Codes() []int { return slices.Sorted(maps.Keys(refusals)) }

// entraFailure is Entra's error body. Timestamp has a space where RFC 3339
// has a T.
type entraFailure struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
	Suberror      string `json:"suberror,omitempty"`
}

// entraError is the answer that goes with an AADSTS code.
func (c *call) entraError(code int) answer {
	no, known := refusals[code]
	if !known {
		no = refusal{oauth: "invalid_grant", text: "An error that this simulator has no words for."}
	}
	if no.status == 0 {
		no.status = http.StatusBadRequest
		if no.oauth == "invalid_client" {
			no.status = http.StatusUnauthorized
		}
	}
	tenant := c.r.PathValue("tenant")
	text := strings.NewReplacer("{app}", c.entry.App, "{tenant}", tenant).Replace(no.text)
	var prefix string
	for _, other := range no.also {
		prefix += fmt.Sprintf("AADSTS%d: %s ", other, refusals[other].text)
	}
	stamp := c.now.Format("2006-01-02 15:04:05Z")
	trace := guid("trace", c.sim.seed, c.sim.unique())
	body := entraFailure{
		Error: no.oauth,
		Description: fmt.Sprintf("%sAADSTS%d: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s",
			prefix, code, text, trace, c.clientRequestID, stamp),
		Codes:     append(slices.Clone(no.also), code),
		Timestamp: stamp, TraceID: trace, CorrelationID: c.clientRequestID,
		URI: "https://login.microsoftonline.com/error?code=" + strconv.Itoa(code),
	}
	return c.entra(no.status, body)
}

// entra is any JSON answer of the token endpoint.
func (c *call) entra(status int, body any) answer {
	a := answer{status: status, header: http.Header{}, body: marshal(body)}
	a.header.Set("Content-Type", "application/json; charset=utf-8")
	a.header.Set("Cache-Control", "no-store, no-cache")
	a.header.Set("Pragma", "no-cache")
	a.header.Set("X-Ms-Request-Id", c.requestID)
	return a
}
