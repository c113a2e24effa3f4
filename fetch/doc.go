// Package fetch reads Microsoft's alert APIs. A Feed says where and how to
// ask; a Client asks, page by page, and hands every row on together with how
// far the reading has come.
//
// # Promise
//
// When Read hands on a Page whose Through is set, every alert that the
// service could show when its part of the window was asked for, and whose
// version is before Through, has been emitted at that version, whatever was
// updated, arrived or shifted while pages were being read. Rows are never
// dropped: a row without id or time is emitted too and says so by what it
// lacks. A cut body, an HTML page or an answer without rows where rows belong
// is an error, never an empty page.
//
// # How
//
// Results shift while they are paged: an alert updated between two pages
// leaves its place and the row at the page edge is never shown. So a window
// is read in slices of time, oldest first, and a slice counts as read only
// when one request brought all of it. A slice that cannot be cut further
// (thousands of alerts on one tick) is paged through until two readings agree
// exactly.
//
// # Not here
//
// The package knows nothing of tenants, records, state or Fluent Bit and
// imports no other room. It never sleeps, never logs and starts no goroutine:
// waiting and telling are the caller's.
package fetch
