package main

type checkCommand struct{}

// Run is written next.
func (checkCommand) Run(out *console) error { panic("being written") }
