// Defenderctl is the operator's tool: it signs in to the tenants that a Fluent Bit configuration names and shows what
// comes back, runs a Microsoft look-alike to try things against, and prints the reference of the configuration.
//
// Each command is one file; none holds logic that a room could hold.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is stamped in by the Makefile.
var version = "unversioned"

// commands is what "defenderctl --help" lists, in this order.
type commands struct {
	Check    checkCommand    `cmd:"" help:"Sign in to every tenant of a Fluent Bit configuration and say what is wrong and who must act."`
	Tail     tailCommand     `cmd:"" help:"Print records as JSON lines straight from Microsoft: no Fluent Bit, no state touched."`
	Audit    auditCommand    `cmd:"" help:"Compare what Microsoft shows with what was delivered, or with what the SIEM holds."`
	State    stateCommand    `cmd:"" help:"Look at, move, repair or rekey what the plugin keeps in State_Path."`
	Demo     demoCommand     `cmd:"" help:"Run the plugin against three simulated customers and show their alerts."`
	Simulate simulateCommand `cmd:"" help:"Serve look-alikes of Entra ID and Microsoft Graph."`
	Help     helpCommand     `cmd:"" help:"Explain a topic."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
