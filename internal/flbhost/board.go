package flbhost

import (
	"context"
	"sync"
)

// board is a growing list whose readers can wait for what they look for.
type board[T any] struct {
	mu      sync.Mutex
	items   []T
	changed chan struct{} // closed and replaced at each change
	closed  bool          // nothing more comes
}

func newBoard[T any]() *board[T] {
	return &board[T]{changed: make(chan struct{})}
}

func (b *board[T]) add(items ...T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, items...)
	close(b.changed)
	b.changed = make(chan struct{})
}

// end tells the waiting that nothing more comes.
func (b *board[T]) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	close(b.changed)
	b.changed = make(chan struct{})
}

// all returns what is there; it is never changed afterwards.
func (b *board[T]) all() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.items[:len(b.items):len(b.items)]
}

// until waits until enough says so of what is there: true. False: nothing more
// comes. The error is ctx's.
func (b *board[T]) until(ctx context.Context, enough func([]T) bool) (bool, error) {
	for {
		b.mu.Lock()
		items, changed, closed := b.items[:len(b.items):len(b.items)], b.changed, b.closed
		b.mu.Unlock()
		if enough(items) {
			return true, nil
		}
		if closed {
			return false, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}
