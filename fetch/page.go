package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
)

// page is one answer's rows in a reused buffer. release it when nothing
// refers to its rows any more.
type page struct {
	body    []byte
	alerts  []Alert
	next    string // @odata.nextLink, "" on the last page
	date    time.Time
	known   bool // date is Microsoft's
	partial bool
	extent  extent
	decoder jsontext.Decoder
}

// extent is what planning needs to know of a page after it is released.
type extent struct {
	rows           int
	oldest, newest time.Time // of the readable versions; zero when there are none
	ascending      bool      // the readable versions never fall
}

// keepLimit is the largest body buffer, in bytes, that is kept for reuse: a
// usual page of 1000 alerts fits, a freak does not stay in memory.
const keepLimit = 16 << 20

var pages = sync.Pool{New: func() any { return new(page) }}

func newPage() *page { return pages.Get().(*page) }

func (p *page) release() {
	if cap(p.body) > keepLimit {
		return
	}
	clear(p.alerts)
	p.body, p.alerts = p.body[:0], p.alerts[:0]
	p.next, p.date, p.known, p.partial, p.extent = "", time.Time{}, false, false, extent{}
	pages.Put(p)
}

// lenient accepts what Microsoft's products may send and RFC 8259 leaves
// open; the nesting limit of jsontext (10,000) stays.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// parse validates the whole body and finds its rows. The rows alias p.body.
func (p *page) parse(f *Feed) error {
	d := &p.decoder
	d.Reset(bytes.NewBuffer(p.body), lenient...)
	if d.PeekKind() != '{' {
		return notJSON(p.body)
	}
	d.ReadToken()
	var sawValue, sawNext bool
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return broken(err)
		}
		switch key := name.String(); {
		case key == "value" && !sawValue:
			sawValue = true
			err = p.parseRows(d, f)
		case key == "@odata.nextLink" && !sawNext:
			sawNext = true
			err = p.parseNext(d)
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return broken(err)
		}
	}
	d.ReadToken()
	if _, err := d.ReadToken(); err != io.EOF {
		return errors.New("there is more after the end of the JSON object")
	}
	if !sawValue {
		return errors.New(`the JSON object has no "value" with the rows` + inside(p.body))
	}
	return nil
}

func (p *page) parseRows(d *jsontext.Decoder, f *Feed) error {
	if d.PeekKind() != '[' {
		if err := d.SkipValue(); err != nil {
			return err
		}
		return errors.New(`"value" is not an array`)
	}
	d.ReadToken()
	p.extent = extent{ascending: true}
	for d.PeekKind() != ']' {
		row, err := d.ReadValue()
		if err != nil {
			return err
		}
		end := int(d.InputOffset())
		a := readAlert(p.body[end-len(row):end:end], f)
		p.alerts = append(p.alerts, a)
		p.extent.add(a.Version)
	}
	_, err := d.ReadToken()
	return err
}

// readAlert finds a row's id and version. What cannot be read stays zero.
func readAlert(row []byte, f *Feed) Alert {
	a := Alert{Raw: row}
	if row[0] != '{' {
		return a
	}
	if id := gjson.GetBytes(row, f.ID); id.Type == gjson.String {
		a.ID = id.Str
	}
	if at := gjson.GetBytes(row, f.Time); at.Type == gjson.String {
		a.Version = readTime(at.Str)
	}
	return a
}

// readTime parses one of Microsoft's stamps: RFC 3339 with up to 9 fraction
// digits. Everything else is the zero time, and so is 0001-01-01T00:00:00Z,
// which .NET services send for "never", and what UTC puts outside years 1 to
// 9999, which no filter can name.
func readTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

func (x *extent) add(version time.Time) {
	x.rows++
	if version.IsZero() {
		return
	}
	if x.oldest.IsZero() {
		x.oldest, x.newest = version, version
		return
	}
	if version.Before(x.newest) {
		x.ascending = false
	} else {
		x.newest = version
	}
	if version.Before(x.oldest) {
		x.oldest = version
	}
}

func (p *page) parseNext(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '"':
		link, err := d.ReadToken()
		if err == nil {
			p.next = link.String()
		}
		return err
	case 'n':
		return d.SkipValue()
	}
	if err := d.SkipValue(); err != nil {
		return err
	}
	return errors.New("@odata.nextLink is not a string")
}

// broken words a decoding error.
func broken(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax) && errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return errors.New("the JSON is cut off")
	case errors.As(err, &syntax):
		return fmt.Errorf("not valid JSON at byte %d", syntax.ByteOffset)
	}
	return err
}

// notJSON says what a body is that does not start with an object.
func notJSON(body []byte) error {
	text := bytes.TrimSpace(body)
	switch {
	case len(text) == 0:
		return errors.New("the body is empty")
	case text[0] == '<':
		return errors.New("an HTML or XML page instead of JSON" + inside(body))
	}
	return errors.New("not a JSON object" + inside(body))
}

// inside quotes the beginning of a body.
func inside(body []byte) string {
	const shown = 80
	text := strings.TrimSpace(string(body[:min(len(body), 4*shown)]))
	if text = oneLine(text, shown); text == "" {
		return ""
	}
	return ": " + text
}
