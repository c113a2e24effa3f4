package secrettest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

const token = "0.AXcA/fake+token&of=contoso~1234567890-abcdefghijklmnop"

func TestFindsEveryForm(t *testing.T) {
	quoted, _ := json.Marshal(map[string]string{"refresh_token": token})
	for name, text := range map[string]string{
		"plain": "line " + token + " end", "hex": hex.EncodeToString([]byte("x" + token)), "HEX": fmt.Sprintf("%X", token),
		"query": url.Values{"refresh_token": {token}}.Encode(), "path": "/a/" + url.PathEscape(token), "json": string(quoted),
		"go": fmt.Sprintf("%q", token), "middle": token[20:36], "first": token[:Window], "last": token[len(token)-Window:],
		"base64 of json":    base64.StdEncoding.EncodeToString(quoted),
		"base64url of json": base64.URLEncoding.EncodeToString(quoted),
	} {
		if found := hunt(token).In([]byte(text)); len(found) == 0 {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
}

// TestBase64AtEveryOffset: whatever stands before and behind, in either alphabet.
func TestBase64AtEveryOffset(t *testing.T) {
	h := hunt(token)
	for before := range 7 {
		for behind := range 4 {
			plain := strings.Repeat("\xf7", before) + token + strings.Repeat("z", behind)
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
				found := h.In([]byte("Authorization: " + encoding.EncodeToString([]byte(plain))))
				if len(found) == 0 || found[0].Length < len(token) {
					t.Errorf("%d before, %d behind: %v", before, behind, found)
				}
			}
		}
	}
}

func TestShortSecretsCountWhole(t *testing.T) {
	h := hunt("hunter2-s")
	if found := h.In([]byte("pw=hunter2-s.")); len(found) != 1 || found[0].Offset != 3 {
		t.Errorf("%v", found)
	}
	if found := h.In([]byte("pw=hunter2-")); len(found) != 0 {
		t.Errorf("a part of a short one counts: %v", found)
	}
	if h := hunt("abc"); h.Len() != 0 {
		t.Error("a word of three letters is looked for")
	}
}

func TestFindsNothingElse(t *testing.T) {
	h := hunt(token)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(random.UintN(256))
	}
	for _, text := range []string{"", "short", string(noise), token[:Window-1] + " " + token[Window:2*Window-1]} {
		if found := h.In([]byte(text)); found != nil {
			t.Errorf("%v", found)
		}
	}
	if found := new(Hunt).In([]byte(token)); found != nil {
		t.Errorf("without secrets: %v", found)
	}
}

func TestSightingsAreJoinedAndShowNothing(t *testing.T) {
	found := hunt(token).In([]byte("a " + token + " b " + token))
	if len(found) != 2 || found[0].Offset != 2 || found[0].Length != len(token) {
		t.Fatalf("%v", found)
	}
	if text := fmt.Sprint(found); strings.Contains(text, token[:6]) || !strings.Contains(text, "contoso's token (plain, 56 characters at offset 2)") {
		t.Errorf("%s", text)
	}
}

func hunt(values ...string) *Hunt {
	h := new(Hunt)
	h.Add("contoso's token", values...)
	return h
}

func BenchmarkIn(b *testing.B) {
	h := new(Hunt)
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		value := make([]byte, 600)
		for i := range value {
			value[i] = "abcdefghijklmnopqrstuvwxyzABCDEF0123456789-_."[random.IntN(45)]
		}
		h.Add("token", string(value))
	}
	text := []byte(strings.Repeat("2026-11-24T00:00:00Z [info] tenant contoso: read again after 5s\n", 1<<10))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		h.In(text)
	}
}
