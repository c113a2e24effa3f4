// Package simulator is a look-alike of Microsoft Entra ID's token endpoint and
// of Microsoft Graph's alerts_v2, for tests, the demo and load tests.
//
// It promises to be as awkward as the real services are documented to be:
// results that shift while they are being paged, alerts that become visible
// minutes after their time stamp, ties, refresh tokens that rotate, 150
// requests a minute, and every fault that a test asks for by name. What it has
// shown is on record: Tenant.Owed and Tenant.Versions say what a reader must
// have got, so that a test compares instead of believing.
//
// Its parts, in reading order: simulator.go (the handler and its settings),
// tenant.go, entra.go and grant.go (tokens), graph.go, query.go and filter.go
// (pages), store.go (alerts, their versions and when they show), scenario*.go
// (what an alert looks like), traffic.go (alerts that come by themselves),
// fault.go, control.go (the same over HTTP), server.go (a listener).
//
// It imports no other package of this module: what it serves must not depend
// on the code that is tested against it. All its names, credentials and
// addresses are fictitious.
package simulator
