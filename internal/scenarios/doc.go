// Package scenarios runs the plugin end to end: simulated tenants on one side,
// a sink that remembers what arrived on the other, and between them an engine.
//
// There is one list of scenarios (scenarios_test.go). The stand-in of
// internal/flbhost runs all of it; Fluent Bit, where it is found, runs all but
// what only the stand-in can be told to do. Both are held to the same
// assertions, so that they must agree: what the simulator owes is compared with
// what arrived, record by record.
//
// SCENARIOS=long runs the campaigns on a real clock instead of a compressed one
// (eight minutes or more; give go test a -timeout). SCENARIOS_SEED=n moves the
// moments of restarts and kills.
//
// It is made of tests only, and no room imports it.
package scenarios
