// Package flbhost runs the plugin as Fluent Bit runs it: in Fluent Bit itself,
// and in a stand-in that needs no Fluent Bit, can be told to fail at a chosen
// moment, and is held to recordings of the real one.
//
// The stand-in is the C program in host/, compiled on demand and run as a
// process of its own, because two Go runtimes in one process do not mix. Both
// engines read the same configuration and deliver to the same Sink, so that one
// list of scenarios runs in either.
//
// It knows the plugin by its C exports alone and imports no other room. It is
// for tests and the demonstration, never part of the plugin.
package flbhost
