//go:build race

package state

// underRace: everything takes many times as long, and what random trials find
// without the race detector they do not find again under it.
const underRace = true
