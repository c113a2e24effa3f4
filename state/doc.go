// Package state keeps what must survive a restart: for every tenant and feed a
// checkpoint (watermark and seen set), and the refresh tokens that Microsoft
// rotated, sealed.
//
// It promises: what Commit or SaveToken acknowledged is on disk, whole, after a
// kill or a power cut; a damaged file, a wrong key or a second process is a
// typed error that says what to do, never garbage and never a silent start from
// scratch; a token that was moved to another account's place is not unsealed.
//
// One folder holds one store:
//
//	state.db    the store, a bbolt file (mode 0600)
//	state.key   the key that seals tokens, unless Options.KeyFile names another
//	state.lock  held by the process that has the store open, and names it
//
// While the key is being changed there are state.key.next and half-made files
// that end in .new; Open ends or undoes what was interrupted. What SetAside put
// aside is never looked at again.
//
// The package knows nothing of Microsoft, Fluent Bit or the other rooms and
// imports none of them. It logs nothing: every fault is returned, and remarks
// go to Options.Notice.
package state
