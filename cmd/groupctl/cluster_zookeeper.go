package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/groupkit/groupkit/cmd/groupctl/internal/clientfile"
	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/zk"
)

func zooKeeperTables(t *table, c inspect.Controller) {
	t.row("CONTROLLER", "EPOCH", "HELD-BY", "SINCE", "BROKERS", "SOURCE")
	t.row(number(c.Node), number(c.Epoch), nameOr(c.Mode), moment(c.ZooKeeper.Since), numbersOrNone(c.ZooKeeper.Brokers), nameOr(c.Source))
	m := c.ZooKeeper.Migration
	if m == nil {
		return
	}
	t.gap()
	t.row("MIGRATION", "KRAFT-CONTROLLER", "KRAFT-EPOCH", "METADATA-OFFSET", "WRITTEN")
	t.row(name(m.Stage), number(m.Controller), number(m.ControllerEpoch), number(m.MetadataOffset), moment(m.Written))
}

// zooKeeperOptions are how ZooKeeper is reached, by the flags. The file for the brokers'
// clients says nothing of it.
func (s *session) zooKeeperOptions() ([]zk.Option, error) {
	f := &s.security
	switch {
	case f.config != "":
		return nil, &usageError{"--config tells how to reach the brokers; with --zookeeper give --tls, --tls-ca, --tls-cert and --tls-key"}
	case f.mechanism != "":
		return nil, &usageError{"ZooKeeper's SASL is not supported, and Kafka's nodes are read without; give --user without --sasl for its scheme digest"}
	}
	config := clientfile.Config{}
	if err := f.addTLS(&config); err != nil {
		return nil, err
	}
	var options []zk.Option
	if config.TLS {
		secured, err := tlsConfig(config)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		options = append(options, zk.TLS(secured))
	}
	if f.user == "" && f.passwordFile == "" {
		return options, nil
	}
	config.Mechanism = "digest"
	if err := s.login(&config); err != nil {
		return nil, err
	}
	if !config.TLS {
		s.warnOfPassword("use --tls")
	}
	return append(options, zk.Digest(config.User, config.Password)), nil
}

// watchZooKeeper prints events until it is interrupted, which is how it ends well.
func (s *session) watchZooKeeper(ctx context.Context, connect string, options []zk.Option, schema string, asLines bool) error {
	for event, err := range zk.Watch(ctx, connect, options...) {
		if err != nil {
			if problem, ok := errors.AsType[inspect.Problem](err); ok && problem.Code == inspect.CodeInvalidName {
				return &usageError{problem.Message}
			}
			s.exit = exitFailed
			return err
		}
		if asLines {
			err = writeEventLine(s.stdout, schema, event)
		} else {
			_, err = fmt.Fprintln(s.stdout, eventLine(event))
		}
		if err != nil {
			return fmt.Errorf("cannot write the event: %w", err)
		}
	}
	return nil
}

func eventLine(e zk.Event) string {
	at := clock(e.At, ".000")
	controller := func(n *int32) string {
		if n == nil {
			return "nobody"
		}
		return number(n)
	}
	switch e.Kind {
	case zk.Snapshot:
		return fmt.Sprintf("%s  controller %s, epoch %s, held by %s; brokers %s", at, controller(e.Controller.Node), number(e.Controller.Epoch), nameOr(e.Controller.Mode), numbersOrNone(e.Controller.ZooKeeper.Brokers))
	case zk.ControllerChanged:
		line := fmt.Sprintf("%s  controller %s → %s, epoch %s, held by %s", at, controller(e.From), controller(e.To), number(e.Controller.Epoch), nameOr(e.Controller.Mode))
		if e.Missed > 0 {
			line += "; not seen: " + counted(e.Missed, "election") + " in between"
		}
		return line
	case zk.BrokersChanged:
		var parts []string
		if len(e.Up) > 0 {
			parts = append(parts, "up "+numbers(e.Up))
		}
		if len(e.Down) > 0 {
			parts = append(parts, "down "+numbers(e.Down))
		}
		return fmt.Sprintf("%s  brokers %s; now %s", at, strings.Join(parts, ", "), numbersOrNone(e.Controller.ZooKeeper.Brokers))
	case zk.MigrationChanged:
		m := e.Controller.ZooKeeper.Migration
		if m == nil {
			return at + "  migration: ZooKeeper holds nothing of one; it was undone"
		}
		line := fmt.Sprintf("%s  migration: %s", at, name(m.Stage))
		if m.Controller != nil {
			line += fmt.Sprintf(", by KRaft controller %d, epoch %s", *m.Controller, number(m.ControllerEpoch))
		}
		return line
	case zk.Disconnected:
		return fmt.Sprintf("%s  disconnected: %s", at, problemText(e.Problem))
	}
	return fmt.Sprintf("%s  %s", at, e.Kind)
}

func problemText(p *inspect.Problem) string {
	if p == nil {
		return "no ZooKeeper server answers"
	}
	return printable(p.Message)
}

// numbersOrNone tells a list that is empty from one that is not known.
func numbersOrNone(ns []int32) string {
	if ns != nil && len(ns) == 0 {
		return "none"
	}
	return numbers(ns)
}
