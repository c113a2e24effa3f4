package record

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// scan reads the very texts that encoding/json.Valid calls valid: here every
// byte in every place of a word, and every way to damage small texts by one byte.
func TestScanAgreesWithEncodingJSON(t *testing.T) {
	var e event
	valid, invalid := 0, 0
	check := func(raw []byte) {
		t.Helper()
		f := e.scan(raw)
		if json.Valid(raw) != (f == nil) {
			t.Fatalf("%q: %v", raw, f)
		}
		if f == nil {
			valid++
		} else {
			invalid++
		}
	}
	for place := range 20 {
		for c := range 256 {
			text := []byte(`{"` + strings.Repeat("x", 20) + `":1}`)
			text[2+place] = byte(c)
			check(text)
		}
	}
	for _, seed := range []string{
		`{"a":[1,-0.5e+10,{"b":null},[]],"c":{},"d":"\u00e9\n\"","e":true,"f":false} `,
		` [ 0 , 10 , "\ud83d\ude00" , { "" : "" } , [ [ ] ] , 1E5 ]`,
		`"a text of more than eight bytes \\"`, `-1`, `0`, `null`, ` `, ``,
	} {
		for i := range len(seed) + 1 {
			check([]byte(seed[:i]))
			for _, c := range []byte("\x00\x1f\x7f\xff \t,:[]{}\"\\-+.eE0159uantrf/") {
				check([]byte(seed[:i] + string(rune(c)) + seed[i:]))
				if i < len(seed) {
					changed := bytes.Clone([]byte(seed))
					changed[i] = c
					check(changed)
					check([]byte(seed[:i] + seed[i+1:]))
				}
			}
		}
	}
	if valid < 1000 || invalid < 1000 {
		t.Errorf("%d valid and %d invalid texts: too few to mean much", valid, invalid)
	}
}
