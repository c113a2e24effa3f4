package state

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
)

// sealer seals values with AES-256-GCM under a key of their own each, derived
// by HKDF (RFC 5869) from the master key and the name the value is kept under.
// Name and kind are authenticated too: a value moved elsewhere does not open.
type sealer struct{ master []byte }

const kindToken = "token"

// keyCheck tells one master key from another and gives nothing away about it.
func (s sealer) keyCheck() (check [32]byte) {
	copy(check[:], s.derive("fluent-bit-defender state key check 1"))
	return check
}

func (s sealer) matches(check [32]byte) bool {
	own := s.keyCheck()
	return subtle.ConstantTimeCompare(own[:], check[:]) == 1
}

func (s sealer) seal(kind, name string, value []byte) []byte {
	return s.aead(kind, name).Seal(nil, nil, value, additional(kind, name))
}

func (s sealer) open(kind, name string, sealed []byte) ([]byte, error) {
	return s.aead(kind, name).Open([]byte{}, nil, sealed, additional(kind, name))
}

func additional(kind, name string) []byte { return []byte(kind + "\x00" + name) }

func (s sealer) aead(kind, name string) cipher.AEAD {
	block, err := aes.NewCipher(s.derive("fluent-bit-defender state seal 1\x00" + kind + "\x00" + name))
	if err != nil {
		panic(err) // only for a key of another length than the 32 bytes derived
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for a block size other than AES's
	}
	return aead
}

func (s sealer) derive(info string) []byte {
	key, err := hkdf.Key(sha256.New, s.master, nil, info, 32)
	if err != nil {
		panic(err) // only for more than 255 hashes of output
	}
	return key
}
