package main

import (
	"errors"
	"path/filepath"

	"fluent-bit-defender/state"
)

// stateRekeyCommand changes the key that seals refresh tokens.
type stateRekeyCommand struct {
	statePlace
	ToKeyFile     string `placeholder:"FILE" help:"The new State_Key_File; made when it is missing."`
	ForgetDamaged bool   `help:"Leave out refresh tokens that cannot be unsealed, instead of stopping."`
}

// Help is printed below the flags.
func (stateRekeyCommand) Help() string {
	return `Makes a new key and seals every refresh token with it, in one step: stopped at any moment, it leaves the old state with
the old key or the new one with the new key. The old key then opens nothing in the state any more; copies of the state
made before still need it, and whoever has both such a copy and the old key still has those tokens: revoke them in Entra
(revoke the sign-in sessions of the user who signed in, then sign in again) if the old key has leaked.

Without --to-key-file the new key is state.key in the folder, in the old one's place. With it, put the file's name into
State_Key_File before Fluent Bit is started again; DIR/state.key leads back to the folder's own.

Examples:
  defenderctl state rekey -c fluent-bit.conf
  defenderctl state rekey --path /var/lib/fluent-bit/defender --to-key-file /run/credentials/defender.key`
}

// Run changes the key.
func (c stateRekeyCommand) Run(out *console) error {
	p, err := c.one(out.say)
	if err != nil {
		return err
	}
	to := state.RekeyOptions{ForgetDamaged: c.ForgetDamaged}
	if c.ToKeyFile != "" {
		if to.KeyFile, err = filepath.Abs(c.ToKeyFile); err != nil {
			return err
		}
	}
	done, err := state.Rekey(p.dir, p.options(out.say), to)
	if corrupt := (*state.CorruptError)(nil); errors.As(err, &corrupt) && !c.ForgetDamaged {
		return withHint(err, "to give up the refresh tokens that cannot be unsealed, add --forget-damaged")
	}
	if err != nil {
		return p.explain(err)
	}
	out.say.notef("sealed the refresh tokens of %s with the new key in %s; keep a copy of it elsewhere", plural(done.Tokens, "sign-in"), done.KeyPath)
	if done.Forgotten > 0 {
		out.say.warnf("left out the refresh tokens of %s, which could not be unsealed", plural(done.Forgotten, "sign-in"))
	}
	own := done.KeyPath == filepath.Join(p.dir, "state.key")
	switch {
	case !own && done.KeyPath != p.keyFile:
		out.say.notef("now write in the [INPUT]: State_Key_File %s", done.KeyPath)
	case own && p.keyFile != "":
		out.say.notef("now remove State_Key_File from the [INPUT]")
	}
	return nil
}
