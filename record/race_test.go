//go:build race

package record

const raceEnabled = true // sync.Pool then drops at random
