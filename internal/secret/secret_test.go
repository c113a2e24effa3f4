package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"fluent-bit-defender/internal/secret"
)

// TestNeverShown tries every usual way a value ends up in text.
func TestNeverShown(t *testing.T) {
	const value = "0.AXcA-very-secret-refresh-token"
	holder := struct{ Token secret.Text }{secret.New(value)}

	var shown []string
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%10s"} {
		shown = append(shown, fmt.Sprintf(verb, holder), fmt.Sprintf(verb, holder.Token), fmt.Sprintf(verb, &holder))
	}
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var log, asGob bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", holder.Token, "holder", holder)
	if err := gob.NewEncoder(&asGob).Encode(holder); err != nil {
		t.Fatal(err)
	}
	shown = append(shown, string(asJSON), string(asYAML), log.String(), asGob.String())

	hex := fmt.Sprintf("%x", value)
	for _, s := range shown {
		if strings.Contains(s, value) || strings.Contains(strings.ToLower(s), hex) {
			t.Errorf("the secret shows in %q", s)
		}
	}
	if got := holder.Token.Reveal(); got != value {
		t.Errorf("Reveal() = %q, want %q", got, value)
	}
}

func TestIsZero(t *testing.T) {
	if !(secret.Text{}).IsZero() || !secret.New("").IsZero() || secret.New("x").IsZero() {
		t.Error("IsZero does not tell an absent secret from a present one")
	}
}
