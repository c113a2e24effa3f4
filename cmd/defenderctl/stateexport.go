package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"fluent-bit-defender/state"
)

// stateExportCommand prints a State_Path as JSON.
type stateExportCommand struct {
	statePlace
	WithTokens string `placeholder:"KEYFILE" help:"Put the refresh tokens in too, sealed with the key in this file."`
}

// Help is printed below the flags.
func (stateExportCommand) Help() string {
	return `Prints every checkpoint with its seen set, and whose refresh tokens there are. The tokens themselves are left out
unless --with-tokens names a file with a key, which must be another one than the state's own: 32 bytes in base64, as
"openssl rand -base64 32" makes them. Whoever has both the export and that key can act as your customers do: keep them
apart, and destroy the key when the tokens have arrived where they are to go.

What is damaged is named on stderr and left out of the export, and the exit code is then 1. So a damaged state is
repaired as far as it can be by: export, "state reset --all", import.

Examples:
  defenderctl state export -c fluent-bit.conf > state.json
  openssl rand -base64 32 > move.key && chmod 600 move.key
  defenderctl state export --path /var/lib/fluent-bit/defender --with-tokens move.key > state.json`
}

// Run prints the export, whole or not at all.
func (c stateExportCommand) Run(out *console) (err error) {
	p, err := c.one(out.say)
	if err != nil {
		return err
	}
	store, err := p.open(out.say)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	export, fault := store.Export(c.WithTokens)
	if export == nil {
		return fault
	}
	text := json.NewEncoder(out.data)
	text.SetEscapeHTML(false)
	text.SetIndent("", " ")
	if err := text.Encode(export); err != nil {
		return err
	}
	tokens := "left out"
	if c.WithTokens != "" {
		tokens = "sealed with the key in " + c.WithTokens
	}
	out.say.notef("exported %s and %s, %s", plural(len(export.Checkpoints), "checkpoint"), plural(len(export.Tokens), "sign-in"), "whose refresh tokens are "+tokens)
	if fault != nil {
		return withHint(fmt.Errorf("not all of it could be exported:\n%w", fault), "what could is in the export")
	}
	return nil
}

// stateImportCommand takes in an export.
type stateImportCommand struct {
	statePlace
	File      string      `arg:"" help:"The export; - is stdin."`
	TokensKey string      `placeholder:"KEYFILE" help:"The key that the export's refresh tokens were sealed with."`
	Clash     state.Clash `enum:"refuse,keep,replace" default:"refuse" help:"What to do where the state already holds something else: refuse (nothing is imported), keep what is there, or replace it."`
}

// Help is printed below the flags.
func (stateImportCommand) Help() string {
	return `Adds what the export holds and the state does not, all of it in one step or nothing. What is there already and is
the same is no clash. A State_Path that does not exist yet is made: run this as the user that Fluent Bit runs as.

Examples:
  defenderctl state import --path /var/lib/fluent-bit/defender state.json
  defenderctl state import -c fluent-bit.conf --tokens-key move.key --clash keep state.json`
}

// Run imports, or says what stands in the way.
func (c stateImportCommand) Run(out *console) (err error) {
	p, err := c.one(out.say)
	if err != nil {
		return err
	}
	export, err := readExport(c.File)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	options := p.options(out.say)
	options.Existing = false
	store, err := state.Open(p.dir, options)
	if err != nil {
		return p.explain(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	done, err := store.Import(export, c.TokensKey, c.Clash)
	for _, what := range done.Clashes {
		out.say.warnf("held differently: %s", plain(what))
	}
	if refused := (*state.ClashError)(nil); errors.As(err, &refused) {
		return withHint(err, "--clash keep leaves these as they are, --clash replace takes the export's")
	}
	if err != nil {
		return err
	}
	out.say.notef("added %d, replaced %d, kept %d; %d were the same", done.Added, done.Replaced, done.Kept, done.Same)
	if done.Omitted > 0 {
		out.say.notef("the refresh tokens of %s are not in the export: those start from the configuration's", plural(done.Omitted, "sign-in"))
	}
	return nil
}

func readExport(name string) (*state.Export, error) {
	from := io.Reader(os.Stdin)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, errors.Unwrap(err)
		}
		defer file.Close()
		from = file
	}
	text := json.NewDecoder(from)
	text.DisallowUnknownFields()
	export := new(state.Export)
	if err := text.Decode(export); err != nil {
		return nil, fmt.Errorf("it is no whole export: %w", err)
	}
	if _, err := text.Token(); err != io.EOF {
		return nil, errors.New("it is no whole export: something follows its end")
	}
	return export, nil
}
