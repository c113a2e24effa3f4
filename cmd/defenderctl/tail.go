package main

type tailCommand struct{}

// Run is written next.
func (tailCommand) Run(out *console) error { panic("being written") }
