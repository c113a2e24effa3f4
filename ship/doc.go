// Package ship is the engine: it decides which tenant is due, polls it, encodes
// what is new, keeps what waits bounded, hands it to Fluent Bit and commits
// when that is safe.
//
// Its promise is at least once, in bounded memory: a checkpoint moves only
// after every record before it was taken by Fluent Bit, so that a crash at any
// moment costs a repetition under the same record_id and never an alert.
//
// The way of an alert through this package:
//
//	schedule.go   a tenant's feed is due
//	poll.go       its window is read; what is in the seen set is dropped, the rest becomes batches
//	buffer.go     batches wait, bounded, tenants in turn; Collect hands them over
//	commit.go     what was taken is committed, many tenants in one transaction
//
// A Hub holds what all instances of one process share: open state stores, token
// sources, and the claims that keep two instances from doing the same work.
//
// It is the only room that knows auth, config, fetch, record and state. It must
// not know Fluent Bit's C interface (plugin does) nor open a listener.
package ship
