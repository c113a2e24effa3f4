// Package record turns one alert's JSON into one record: the MessagePack
// event that Fluent Bit carries to its outputs.
//
// It promises three things. Whatever bytes come in, exactly one valid event
// goes out, no larger than the record limit. Nothing of a readable alert is
// lost: every value that is not null is in the record, or the record names
// what was left out. And the same alert always gives the same bytes: the
// package reads no clock, does no I/O and keeps nothing from one alert to
// the next that could show.
//
// The way through: scan reads the text once, checks it, and lays its values
// out on a tape; a format (flat is the first) walks the tape and appends
// MessagePack to an event. Another format is another walk over the same tape,
// which is read once however many formats an alert goes out in; what a walk
// knows about a place in an alert, it keeps with that place's path.
//
// It imports nothing of this module: it must not know tenants' settings,
// Microsoft's services, or Fluent Bit's callbacks.
package record
