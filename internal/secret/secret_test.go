package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	"log"
	"log/slog"
	"reflect"
	"testing"
	"text/template"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"

	"fluent-bit-defender/internal/secret"
	"fluent-bit-defender/internal/secret/secrettest"
)

const value = "0.AXcA-very-secret-refresh-token"

// Exported is how most structs hold a secret.
type Exported struct {
	Name  string
	Token secret.Text
}

// hidden holds it where fmt's reflection finds it and may call none of its methods.
type hidden struct {
	name    string
	token   secret.Text
	pointer *secret.Text
	nested  Exported
	list    []secret.Text
	byName  map[string]secret.Text
	any     any
}

func holders() map[string]any {
	token := secret.New(value)
	inside := hidden{"contoso", token, &token, Exported{"a", token}, []secret.Text{token}, map[string]secret.Text{"a": token}, token}
	return map[string]any{
		"value": token, "pointer": &token, "slice": []secret.Text{token}, "map": map[string]secret.Text{"k": token},
		"key": map[secret.Text]int{token: 1}, "struct": Exported{"contoso", token}, "pointer to struct": &Exported{"contoso", token},
		"hidden": inside, "pointer to hidden": &inside, "slice of hidden": []hidden{inside},
		"error": fmt.Errorf("signing in with %v: %w", token, errors.New("refused")),
	}
}

// TestNeverFormatted tries every verb and flag on everything that may hold a secret.
func TestNeverFormatted(t *testing.T) {
	for name, holder := range holders() {
		for _, flags := range []string{"", "+", "#", "-40", "040", " ", "+#", ".100"} {
			for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
				format := "%" + flags + string(verb)
				unseen(t, name+" "+format, fmt.Sprintf(format, holder))
			}
		}
		unseen(t, name+" Sprint", fmt.Sprint(holder)+fmt.Sprintln(holder))
	}
}

// TestNeverLogged tries both loggers.
func TestNeverLogged(t *testing.T) {
	for name, holder := range holders() {
		var out bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			l := slog.New(handler).With("with", holder)
			l.Info("x", "token", holder, slog.Group("group", "in", holder))
			l.Info(fmt.Sprint(holder))
		}
		log.New(&out, "", 0).Print(holder)
		unseen(t, name, out.String())
	}
}

// TestNeverEncoded tries what turns Go values into text or bytes.
func TestNeverEncoded(t *testing.T) {
	encoders := map[string]func(any) ([]byte, error){
		"json":   json.Marshal,
		"indent": func(v any) ([]byte, error) { return json.MarshalIndent(v, "", " ") },
		"jsonv2": func(v any) ([]byte, error) { return jsonv2.Marshal(v) },
		"yaml":   yaml.Marshal,
		"xml":    xml.Marshal,
		"gob": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := gob.NewEncoder(&out).Encode(v)
			return out.Bytes(), err
		},
		"template": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := template.Must(template.New("").Parse(`{{.}} {{printf "%s %v %q" . . .}}`)).Execute(&out, v)
			return out.Bytes(), err
		},
		"expvar": func(v any) ([]byte, error) { return []byte(expvar.Func(func() any { return v }).String()), nil },
		"text":   func(any) ([]byte, error) { return secret.New(value).MarshalText() },
		"binary": func(any) ([]byte, error) { return secret.New(value).MarshalBinary() },
	}
	for encoder, encode := range encoders {
		worked := false
		for name, holder := range holders() {
			out, err := encode(holder) // not every encoder takes every holder
			worked = worked || err == nil
			unseen(t, encoder+" of "+name, string(out)+fmt.Sprint(err))
		}
		if !worked {
			t.Errorf("%s encoded nothing, so it proves nothing", encoder)
		}
	}
}

// TestPanicShowsMask: a panic with a secret in its value, as our loops report it.
func TestPanicShowsMask(t *testing.T) {
	for name, holder := range holders() {
		func() {
			defer func() { unseen(t, name, fmt.Sprintf("panic: %v %+v", recover(), holder)) }()
			panic(holder)
		}()
	}
}

func TestIsAValue(t *testing.T) {
	one, same, other := secret.New(value), secret.New("0.AXcA-"+value[7:]), secret.New("another")
	if one != same || one == other || !reflect.DeepEqual(one, same) || reflect.DeepEqual(one, other) {
		t.Error("secrets do not compare by their values")
	}
	if one.Reveal() != value || secret.New("").Reveal() != "" || (secret.Text{}).Reveal() != "" {
		t.Error("Reveal does not return the value")
	}
	if !(secret.Text{}).IsZero() || !secret.New("").IsZero() || one.IsZero() {
		t.Error("IsZero does not tell an absent secret from a present one")
	}
	if fmt.Sprint(secret.Text{}) != fmt.Sprint(one) {
		t.Error("the mask tells whether there is a secret")
	}
}

func unseen(t *testing.T, where, text string) {
	t.Helper()
	var hunt secrettest.Hunt
	hunt.Add("refresh token", value)
	for _, found := range hunt.In([]byte(text)) {
		t.Errorf("%s: %s in %q", where, found, text)
	}
}
