// Package arch holds the rules of which room may import which, and the test that keeps them. It contains no code.
package arch
