package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// verify looks at the structure of a bbolt file before bbolt maps it: bbolt
// follows what it reads there, partly on a goroutine of its own, so that a
// flipped bit would end the whole process, not just the call. The format is that
// of bbolt's internal/common (page, meta, inode), version 2, in the host's byte
// order. What a sound structure carries is left to the records' own checksums.
//
// halfHeader says that one of the two header pages is damaged: the file then
// opens as the commit before the last one left it.
func verify(f io.ReaderAt, size int64) (halfHeader bool, err error) {
	m, halfHeader, err := readMeta(f, size)
	if err != nil {
		return false, err
	}
	if m.high > uint64(size/int64(m.pageSize)) {
		return false, fmt.Errorf("it was cut: %d bytes of at least %d", size, m.high*uint64(m.pageSize))
	}
	w := &walker{file: f, meta: m, visited: make([]bool, m.high)}
	return halfHeader, w.page(m.root, 0, nil, nil)
}

// meta is what the walk needs of bbolt's header page.
type meta struct {
	pageSize         int
	root, high, txid uint64
}

const (
	pageHeader   = 16
	element      = 16 // on branch and leaf pages alike
	metaSize     = 64
	bucketHeader = 16

	branchFlag = 1
	leafFlag   = 2
	bucketFlag = 1 // of an element
)

// readMeta returns the newer of the two header pages that are whole.
func readMeta(f io.ReaderAt, size int64) (m meta, half bool, err error) {
	first, ok1 := metaAt(f, 0)
	second, ok2 := meta{}, false
	if ok1 {
		second, ok2 = metaAt(f, int64(first.pageSize))
	}
	for at := int64(1 << 10); !ok1 && !ok2 && at <= 1<<24 && at < size; at <<= 1 {
		second, ok2 = metaAt(f, at)
		ok2 = ok2 && int64(second.pageSize) == at
	}
	switch {
	case !ok1 && !ok2:
		return meta{}, false, errors.New("neither of its two header pages is whole")
	case !ok1 || ok2 && second.txid > first.txid:
		return second, !ok1, nil
	default:
		return first, !ok2, nil
	}
}

func metaAt(f io.ReaderAt, at int64) (m meta, ok bool) {
	var b [pageHeader + metaSize]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return m, false
	}
	raw, order := b[pageHeader:], binary.NativeEndian
	sum := fnv.New64a()
	sum.Write(raw[:56])
	if order.Uint32(raw) != 0xED0CDAED || order.Uint32(raw[4:]) != 2 || order.Uint64(raw[56:]) != sum.Sum64() {
		return m, false
	}
	m = meta{int(order.Uint32(raw[8:])), order.Uint64(raw[16:]), order.Uint64(raw[40:]), order.Uint64(raw[48:])}
	return m, m.pageSize >= 1<<10 && m.pageSize <= 1<<24 && m.pageSize&(m.pageSize-1) == 0
}

// walker visits every page that is reachable, each once.
type walker struct {
	file    io.ReaderAt
	meta    meta
	visited []bool
	inside  bool // a bucket; the store has none within another
}

// maxDepth is far beyond any real tree: 4 levels hold a million entries.
const maxDepth = 64

// page checks one page and what hangs below it. Its keys must lie in [from, to); nil is no bound.
func (w *walker) page(id uint64, depth int, from, to []byte) error {
	fault := func(format string, a ...any) error {
		return fmt.Errorf("page %d: %w", id, fmt.Errorf(format, a...))
	}
	if id < 2 || id >= w.meta.high {
		return fault("outside the file's %d pages", w.meta.high)
	}
	if depth > maxDepth {
		return fault("tree deeper than %d", maxDepth)
	}
	b := make([]byte, w.meta.pageSize)
	if _, err := w.file.ReadAt(b, int64(id)*int64(w.meta.pageSize)); err != nil {
		return fault("%w", err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(b[12:]))
	if got := binary.NativeEndian.Uint64(b); got != id {
		return fault("calls itself %d", got)
	}
	if overflow >= w.meta.high-id {
		return fault("runs over the end")
	}
	for i := id; i <= id+overflow; i++ {
		if w.visited[i] {
			return fault("reached twice")
		}
		w.visited[i] = true
	}
	if overflow > 0 {
		b = make([]byte, int(overflow+1)*w.meta.pageSize)
		if _, err := w.file.ReadAt(b, int64(id)*int64(w.meta.pageSize)); err != nil {
			return fault("%w", err)
		}
	}
	if err := w.content(b, depth, from, to); err != nil {
		return fault("%w", err)
	}
	return nil
}

// content checks the bytes of a page, or of a bucket so small that it lies inside its parent's.
func (w *walker) content(b []byte, depth int, from, to []byte) error {
	order := binary.NativeEndian
	flags, count := order.Uint16(b[8:]), int(order.Uint16(b[10:]))
	if flags != branchFlag && flags != leafFlag {
		return fmt.Errorf("unknown kind %#x", flags)
	}
	if pageHeader+count*element > len(b) || flags == branchFlag && count == 0 {
		return fmt.Errorf("%d elements on it", count)
	}
	keys := make([][]byte, count+1)
	values := make([][]byte, count)
	keys[count] = to
	for i := range count {
		at := pageHeader + i*element
		pos, keyLen, valueLen := uint64(order.Uint32(b[at:])), uint64(order.Uint32(b[at+4:])), uint64(0)
		if flags == leafFlag {
			pos, keyLen, valueLen = uint64(order.Uint32(b[at+4:])), uint64(order.Uint32(b[at+8:])), uint64(order.Uint32(b[at+12:]))
		}
		start := uint64(at) + pos
		if start < uint64(pageHeader+count*element) || keyLen == 0 || start+keyLen+valueLen > uint64(len(b)) {
			return fmt.Errorf("element %d lies outside it", i)
		}
		keys[i], values[i] = b[start:start+keyLen], b[start+keyLen:start+keyLen+valueLen]
		if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 || i == 0 && bytes.Compare(keys[i], from) < 0 || to != nil && bytes.Compare(keys[i], to) >= 0 {
			return fmt.Errorf("element %d is out of order", i)
		}
	}
	for i := range count {
		at := pageHeader + i*element
		var err error
		if flags == branchFlag {
			err = w.page(order.Uint64(b[at+8:]), depth+1, keys[i], keys[i+1])
		} else if order.Uint32(b[at:])&bucketFlag != 0 {
			err = w.bucket(values[i], depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) bucket(value []byte, depth int) error {
	if w.inside {
		return errors.New("bucket inside a bucket")
	}
	w.inside = true
	defer func() { w.inside = false }()
	if len(value) < bucketHeader {
		return errors.New("bucket header too short")
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return w.page(root, depth, nil, nil)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader || depth > maxDepth {
		return errors.New("inline bucket too short")
	}
	return w.content(inline, depth, nil, nil)
}
