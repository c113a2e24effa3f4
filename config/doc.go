// Package config turns the properties of one [INPUT] section, the tenants file
// and the files secrets live in into one validated Config.
//
// Its promise: whatever is wrong is found before anything starts, all of it at
// once, and told in one message with one line per fault: where, what, and what
// was probably meant. Secrets are never shown. Nothing is written, no network is
// opened.
//
// One table (keys.go) holds every key; parsing, defaults, error texts and the
// page docs/configuration.md all come from it.
//
// It imports internal/secret and nothing else of this project: every other room
// may use it.
package config
