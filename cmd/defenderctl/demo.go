package main

type demoCommand struct{}

// Run is written next.
func (demoCommand) Run(out *console) error { panic("being written") }
