// Command groupctl shows who decides in a Kafka cluster (coordinators, the controller,
// partition leaders and group leaders), why that moved, and who is next: it watches,
// explains and predicts elections and rebalances, and holds elections if told to. It can
// also plan assignments, and play a demo of a group at work.
//
// It prints data on stdout, as a table, as one JSON object, or for what has no end as one
// object a line, and everything else on stderr. It exits with
//
//	0  all that was asked for was found, or done
//	1  Kafka or this machine failed, such as when no broker answers
//	2  the command line makes no sense; nothing was sent
//	3  nothing of what was asked for exists
//	5  a part of it was found, and a part is missing
//
// It connects in plaintext, with TLS, and with SASL (PLAIN and SCRAM), by flags or by
// the client configuration of Kafka's own tools.
//
// All that it knows comes from this module's packages; here are only flags,
// printing and exit codes. The demo (internal/demo) is a user of them like any
// other.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], environment{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv})
	stop()
	os.Exit(code)
}
