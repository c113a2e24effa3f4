package auth

import "time"

// row is what a headless client needs to know about one kind of refusal.
// Summary and Action are sentences without their full stop; in an Action
// {login}, {tenant}, {client} and {scope} stand for the account's values.
type row struct {
	Summary string
	Action  string
	Who     Actor
	Retry   Retry
	Vague   bool          // says little: any other known code in the same answer decides
	Wait    time.Duration // do not ask again before, unless the answer itself says when
}

// What there is to do, where several codes call for the same.
const (
	signIn    = "sign in again with this account and app, and put the new refresh token into this tenant's Refresh_Token"
	consent   = "grant admin consent: open {login}/{tenant}/adminconsent?client_id={client} as a Global Administrator"
	enable    = "in the Entra admin center under Users, look at the account that signed in, and enable or restore it; else sign in with another one"
	policy    = "in the Entra admin center, find this sign-in under Monitoring > Sign-in logs, and exclude the account or app {client} from the policy named there"
	device    = "exclude this sign-in from the device policy, or sign in again from a device that satisfies it"
	appSecret = "in the Entra admin center under App registrations > {client} > Certificates & secrets, add a secret and put its Value (not its Secret ID) into Client_Secret"
	appAccess = "in the Entra admin center under App registrations > {client} > API permissions, add SecurityAlert.Read.All, then have the customer consent again"
	ids       = "correct Tenant_Id, Client_Id and Login_Url in this tenant's configuration; if they are right, report this line to the plugin's maintainers"
	wait      = "it passes; asked again by itself"
)

// codes are Entra's AADSTS codes as a client without a person in front meets
// them. Meanings: learn.microsoft.com/entra/identity-platform/reference-error-codes.
// What to do and whether to ask again is this project's reading of them.
//
// Never is for what only this configuration can cure: a dead refresh token, a
// wrong secret, a wrong id. What somebody may lift in a portal is Slow.
var codes = map[int]row{
	// Transient.
	50033: {Summary: "Entra has a passing fault", Action: wait, Who: Nobody, Retry: Soon},
	50087: {Summary: "Entra has a passing fault", Action: wait, Who: Nobody, Retry: Soon},
	50088: {Summary: "Entra has a passing telephony fault", Action: wait, Who: Nobody, Retry: Soon},
	50196: {Summary: "Entra was asked for the same token too often and is pausing this client", Action: "find what else asks for tokens as app {client}, such as a second copy of this plugin; asked again later", Who: MSSP, Retry: Soon, Wait: 10 * time.Minute},
	70016: {Summary: "the sign-in with the device code is not finished", Action: "finish the sign-in in the browser", Who: SignedIn, Retry: Soon},
	90006: {Summary: "Entra could not be reached by its own front end", Action: wait, Who: Nobody, Retry: Soon},
	90012: {Summary: "Entra took too long", Action: wait, Who: Nobody, Retry: Soon},
	90024: {Summary: "Entra exceeded its budget for this request", Action: wait, Who: Nobody, Retry: Soon},
	90033: {Summary: "Entra is temporarily unavailable", Action: wait, Who: Nobody, Retry: Soon},
	90055: {Summary: "the tenant is throttled: too many requests", Action: wait, Who: Nobody, Retry: Soon},
	90090: {Summary: "Graph did not answer Entra in time", Action: wait, Who: Nobody, Retry: Soon},

	// The refresh token is dead, or never was one for this account.
	50058:  {Summary: "there is no session to sign in silently with", Action: signIn, Who: SignedIn, Retry: Never},
	50089:  {Summary: "the sign-in that gave this token has expired", Action: signIn, Who: SignedIn, Retry: Never},
	50126:  {Summary: "the user name or password was wrong", Action: signIn, Who: SignedIn, Retry: Never},
	50132:  {Summary: "the session was revoked or the password changed", Action: signIn, Who: SignedIn, Retry: Never},
	50133:  {Summary: "the session ended because the password expired or changed", Action: signIn, Who: SignedIn, Retry: Never},
	50173:  {Summary: "the refresh token was revoked, as after a password reset or a sign-out everywhere", Action: signIn, Who: SignedIn, Retry: Never},
	54005:  {Summary: "the sign-in code was used before", Action: signIn, Who: SignedIn, Retry: Never},
	70000:  {Summary: "the refresh token is not valid", Action: signIn, Who: SignedIn, Retry: Never, Vague: true},
	70008:  {Summary: "the refresh token expired because it was not used for too long", Action: signIn, Who: SignedIn, Retry: Never},
	70018:  {Summary: "the device code was wrong", Action: signIn, Who: SignedIn, Retry: Never},
	70019:  {Summary: "the device code expired before the sign-in was finished", Action: signIn, Who: SignedIn, Retry: Never},
	70043:  {Summary: "the refresh token expired by the tenant's sign-in frequency policy", Action: "sign in again and renew Refresh_Token; to end the repetition, have the account excluded from the Conditional Access sign-in frequency", Who: SignedIn, Retry: Never},
	700005: {Summary: "the refresh token was given for another tenant", Action: "put the refresh token that was given for tenant {tenant} into Refresh_Token", Who: MSSP, Retry: Never},
	700007: {Summary: "the refresh token was given to another app", Action: "put Client_Id of the app that the sign-in was made with beside this Refresh_Token", Who: MSSP, Retry: Never},
	700020: {Summary: "the account must sign in interactively", Action: signIn, Who: SignedIn, Retry: Never},
	700082: {Summary: "the refresh token expired because it was not used for 90 days", Action: signIn, Who: SignedIn, Retry: Never},
	700084: {Summary: "the refresh token is one of a single-page app and lives 24 hours only", Action: "in App registrations > {client} > Authentication, register the redirect address as Web or Desktop, not single-page; then sign in again and renew Refresh_Token", Who: MSSP, Retry: Never},

	// The account is asked for more proof. An admin may lift it.
	50055: {Summary: "the account's password has expired", Action: "change the password, then sign in again and renew Refresh_Token if this goes on", Who: SignedIn, Retry: Slow},
	50076: {Summary: "the account must use multi-factor authentication, by a new policy or because of a new location", Action: signIn, Who: SignedIn, Retry: Slow},
	50078: {Summary: "the account's multi-factor authentication has expired by policy", Action: signIn, Who: SignedIn, Retry: Slow},
	50079: {Summary: "the account must enrol for multi-factor authentication", Action: "enrol at https://aka.ms/mfasetup, then " + signIn, Who: SignedIn, Retry: Slow},
	50158: {Summary: "Conditional Access asks for a third party's check that was not passed", Action: signIn, Who: SignedIn, Retry: Slow},

	// The account is blocked or missing.
	50020: {Summary: "the account belongs to another directory and is not a guest of this tenant", Action: "invite the account into the tenant as a guest, or sign in with an account of the tenant", Who: Admin, Retry: Slow},
	50034: {Summary: "the account does not exist in the directory", Action: enable, Who: Admin, Retry: Slow},
	50053: {Summary: "the account is locked, or the sign-in came from an address with a bad name", Action: "in the Entra admin center, unlock the account or allow this host's address; asked again now and then", Who: Admin, Retry: Slow},
	50057: {Summary: "the account is disabled", Action: enable, Who: Admin, Retry: Slow},
	50105: {Summary: "the account is not assigned to the app", Action: "in the Entra admin center under Enterprise applications > {client} > Users and groups, add the account", Who: Admin, Retry: Slow},
	90072: {Summary: "the account is of another directory and unknown in this tenant", Action: "invite the account into the tenant as a guest, or sign in with an account of the tenant", Who: Admin, Retry: Slow},

	// A policy of the customer's blocks.
	50131:  {Summary: "Conditional Access or the state of the device blocks the sign-in", Action: policy, Who: Admin, Retry: Slow},
	53000:  {Summary: "Conditional Access asks for a compliant device", Action: device, Who: Admin, Retry: Slow},
	53001:  {Summary: "Conditional Access asks for a domain-joined device", Action: device, Who: Admin, Retry: Slow},
	53002:  {Summary: "Conditional Access asks for an approved app, and this one is not", Action: policy, Who: Admin, Retry: Slow},
	53003:  {Summary: "Conditional Access blocks the sign-in", Action: policy, Who: Admin, Retry: Slow},
	53005:  {Summary: "Conditional Access asks for an app protection policy", Action: policy, Who: Admin, Retry: Slow},
	53011:  {Summary: "the account is blocked as risky", Action: "in the Entra admin center under Protection > Risky users, dismiss the risk or have the password changed", Who: Admin, Retry: Slow},
	500212: {Summary: "a cross-tenant access policy blocks the sign-in", Action: "in the Entra admin center under External Identities > Cross-tenant access settings, allow this account and app {client}", Who: Admin, Retry: Slow},
	500213: {Summary: "the tenant's cross-tenant access policy does not let the account in", Action: "in the Entra admin center under External Identities > Cross-tenant access settings, allow this account and app {client}", Who: Admin, Retry: Slow},
	530003: {Summary: "Conditional Access asks for a managed device", Action: device, Who: Admin, Retry: Slow},
	530032: {Summary: "a policy of the tenant blocks the sign-in", Action: policy, Who: Admin, Retry: Slow},
	530034: {Summary: "the delegated administrator is blocked because the account is at risk", Action: "in the Entra admin center under Protection > Risky users, dismiss the account's risk", Who: Admin, Retry: Slow},
	700003: {Summary: "the device that signed in is no longer known to the directory", Action: device, Who: Admin, Retry: Slow},

	// The app is not let into the tenant.
	50001:  {Summary: "the API asked for ({scope}) is not known in the tenant", Action: "have the customer consent to app {client} and hold a licence for Microsoft Defender; check Graph_Url", Who: Admin, Retry: Slow},
	65001:  {Summary: "nobody has consented to the app in this tenant", Action: consent, Who: Admin, Retry: Slow},
	65004:  {Summary: "consent to the app was declined", Action: consent, Who: Admin, Retry: Slow},
	65005:  {Summary: "the app asks for an API that is not available to it", Action: appAccess, Who: MSSP, Retry: Slow},
	90093:  {Summary: "Graph refused, since the account is no administrator", Action: consent, Who: Admin, Retry: Slow},
	90094:  {Summary: "an administrator's consent is required", Action: consent, Who: Admin, Retry: Slow},
	90095:  {Summary: "an administrator's consent was requested and not yet given", Action: "approve the request in the Entra admin center under Enterprise applications > Admin consent requests", Who: Admin, Retry: Slow},
	90099:  {Summary: "the app is not authorised in this tenant for delegated administration by a partner", Action: "pre-consent the app for this customer through Partner Center's application consents, or have the customer's admin consent", Who: MSSP, Retry: Slow},
	500011: {Summary: "the API asked for ({scope}) has no service principal in the tenant", Action: "have a licence for Microsoft Defender assigned and app {client} consented to; check Graph_Url", Who: Admin, Retry: Slow},
	650052: {Summary: "the tenant has no subscription or service principal for the API", Action: "subscribe the tenant to Microsoft Defender, then consent again", Who: Admin, Retry: Slow},
	700016: {Summary: "the app is unknown in the tenant: not consented to there, or one of the ids is wrong", Action: consent + "; if that was done, check Tenant_Id and Client_Id", Who: Admin, Retry: Slow},

	// The app's registration is at fault.
	50194:   {Summary: "the app is registered for a single tenant only", Action: "in App registrations > {client} > Authentication, choose accounts in any organizational directory", Who: MSSP, Retry: Slow},
	70001:   {Summary: "the app is disabled or unknown", Action: "in the Entra admin center under Enterprise applications > {client} > Properties, enable sign-in, and check Client_Id", Who: MSSP, Retry: Slow},
	650056:  {Summary: "the app is registered without the permissions it asks for", Action: appAccess, Who: MSSP, Retry: Slow},
	650057:  {Summary: "the API asked for ({scope}) is not among the app's permissions", Action: appAccess, Who: MSSP, Retry: Slow},
	700027:  {Summary: "the client's certificate is not registered for the app, or its signature is wrong", Action: "in App registrations > {client} > Certificates & secrets, upload the certificate in use", Who: MSSP, Retry: Slow},
	7000112: {Summary: "the app is disabled", Action: "in the Entra admin center under Enterprise applications > {client} > Properties, enable sign-in", Who: MSSP, Retry: Slow},
	50011:   {Summary: "the redirect address is not registered for the app", Action: "in App registrations > {client} > Authentication, add the redirect address used at sign-in; then sign in again", Who: MSSP, Retry: Never},
	500113:  {Summary: "no redirect address is registered for the app", Action: "in App registrations > {client} > Authentication, add a redirect address; then sign in again", Who: MSSP, Retry: Never},

	// The secret is at fault.
	50012:   {Summary: "the client's credential is not valid", Action: appSecret, Who: MSSP, Retry: Never},
	50013:   {Summary: "the client's assertion is not valid", Action: appSecret, Who: MSSP, Retry: Never},
	70002:   {Summary: "the client's credentials are not valid", Action: appSecret, Who: MSSP, Retry: Never, Vague: true},
	700025:  {Summary: "the app is a public client and must not send a secret", Action: "remove Client_Secret from this tenant's configuration", Who: MSSP, Retry: Never},
	7000215: {Summary: "the client secret is wrong; often it is the secret's id instead of its value", Action: appSecret, Who: MSSP, Retry: Never},
	7000218: {Summary: "the app needs a client secret and none was sent", Action: "put the app's secret into Client_Secret, or allow public client flows under App registrations > {client} > Authentication", Who: MSSP, Retry: Slow},
	7000222: {Summary: "the client secret has expired", Action: appSecret, Who: MSSP, Retry: Never},

	// The ids, addresses or the request itself are at fault.
	50059:   {Summary: "the request names no tenant", Action: ids, Who: MSSP, Retry: Never},
	70011:   {Summary: "the scope {scope} is not valid", Action: "correct Graph_Url in the configuration", Who: MSSP, Retry: Never},
	90002:   {Summary: "the tenant does not exist in this cloud", Action: "correct Tenant_Id; for a national cloud, set Login_Url and Graph_Url to its own", Who: MSSP, Retry: Never},
	90013:   {Summary: "Entra takes the request for invalid", Action: ids, Who: MSSP, Retry: Never},
	90014:   {Summary: "Entra misses a field in the request", Action: ids, Who: MSSP, Retry: Never},
	90036:   {Summary: "Entra met an unexpected fault that does not pass by itself", Action: "report the ids in this line to Microsoft support", Who: MSSP, Retry: Slow},
	90038:   {Summary: "the tenant is in a national cloud", Action: "set Login_Url and Graph_Url to those of the tenant's cloud, such as https://login.microsoftonline.us and https://graph.microsoft.us", Who: MSSP, Retry: Never},
	501481:  {Summary: "the sign-in's proof (PKCE) does not match", Action: signIn, Who: MSSP, Retry: Never},
	700022:  {Summary: "the request asks for several APIs at once", Action: "correct Graph_Url in the configuration", Who: MSSP, Retry: Never},
	700229:  {Summary: "this way to sign in is for tokens of apps only", Action: "use a token of an app, not of a person, for the federated sign-in", Who: MSSP, Retry: Never},
	900144:  {Summary: "Entra misses a field in the request", Action: ids, Who: MSSP, Retry: Never},
	901002:  {Summary: "Entra takes no field \"resource\" on this endpoint", Action: ids, Who: MSSP, Retry: Never},
	9001023: {Summary: "Entra does not support this way to sign in on this address", Action: "put the customer's own tenant id, not common or organizations, into Tenant_Id; check Login_Url", Who: MSSP, Retry: Never},
	9002313: {Summary: "Entra takes the request for malformed", Action: ids, Who: MSSP, Retry: Never, Vague: true},
}

// oauthErrors stand in for a code that is missing or unknown (RFC 6749,
// section 5.2, and Entra's additions). An unknown refusal is asked about again
// slowly: it may be one that an admin can lift.
var oauthErrors = map[string]row{
	"access_denied":             {Summary: "access was denied", Action: consent, Who: Admin, Retry: Slow},
	"authorization_declined":    {Summary: "the sign-in was declined", Action: signIn, Who: SignedIn, Retry: Never},
	"authorization_pending":     {Summary: "the sign-in with the device code is not finished", Action: "finish the sign-in in the browser", Who: SignedIn, Retry: Soon},
	"bad_verification_code":     {Summary: "the device code was wrong", Action: signIn, Who: SignedIn, Retry: Never},
	"consent_required":          {Summary: "consent to the app is missing", Action: consent, Who: Admin, Retry: Slow},
	"expired_token":             {Summary: "the device code expired before the sign-in was finished", Action: signIn, Who: SignedIn, Retry: Never},
	"interaction_required":      {Summary: "the account must sign in interactively", Action: signIn, Who: SignedIn, Retry: Slow},
	"invalid_client":            {Summary: "the client's credentials are not valid", Action: appSecret, Who: MSSP, Retry: Slow},
	"invalid_grant":             {Summary: "Entra no longer accepts the sign-in", Action: signIn, Who: SignedIn, Retry: Slow},
	"invalid_request":           {Summary: "Entra takes the request for invalid", Action: ids, Who: MSSP, Retry: Slow},
	"invalid_resource":          {Summary: "the API asked for ({scope}) is not known in the tenant", Action: "have the customer consent to app {client}; check Graph_Url", Who: Admin, Retry: Slow},
	"invalid_scope":             {Summary: "the scope {scope} is not valid", Action: "correct Graph_Url in the configuration", Who: MSSP, Retry: Slow},
	"server_error":              {Summary: "Entra has a passing fault", Action: wait, Who: Nobody, Retry: Soon},
	"slow_down":                 {Summary: "Entra asks for fewer requests", Action: wait, Who: Nobody, Retry: Soon},
	"temporarily_unavailable":   {Summary: "Entra is temporarily unavailable", Action: wait, Who: Nobody, Retry: Soon},
	"unauthorized_client":       {Summary: "the app is not registered or not enabled in the tenant", Action: consent, Who: Admin, Retry: Slow},
	"unsupported_grant_type":    {Summary: "Entra does not support this way to sign in", Action: ids, Who: MSSP, Retry: Slow},
	"unsupported_response_type": {Summary: "Entra does not support this way to sign in", Action: ids, Who: MSSP, Retry: Slow},
}

// unknownError is for every other error name.
var unknownError = row{Summary: "Entra refused", Action: "look at Microsoft's words and report the ids in this line to Microsoft support", Who: MSSP, Retry: Slow}
