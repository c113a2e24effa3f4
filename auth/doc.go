// Package auth turns a tenant's credential into access tokens, by Entra ID's
// v2 token endpoint ({login}/{tenant}/oauth2/v2.0/token): the refresh-token
// grant where there is a refresh token, client credentials where there is only
// a secret.
//
// It promises four things:
//
//   - A refresh token that Entra rotated is never lost. It is durable in the
//     [Store] before the answer that brought it is used, and the one before it
//     is kept until the new one has worked (lineage.go).
//   - Entra is asked once. However many callers, feeds and instances want a
//     token of one tenant, one request is in flight (source.go).
//   - A token that says it is for another tenant is never handed out (directory.go).
//   - Every failure is a [*Diagnosis]: what happened, what to do, who does it,
//     and whether asking again can help. No error holds a secret, not even one
//     that Entra echoes (diagnosis.go, aadsts.go).
//
// It logs nothing, and imports of this project internal/secret alone: no
// config, no state, no fetch.
package auth
