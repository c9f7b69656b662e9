package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tellWhyItWaits looks, until the group has taken the member in for the first time, for
// what keeps the client from asking to be. kgo tries on in silence for as long as no
// broker can be reached, and does not join for topics that do not exist. What goes wrong
// later is told by EventLost.
func (m *Member) tellWhyItWaits(ctx context.Context) {
	look := time.NewTicker(m.settings.interval)
	defer look.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if in, _, _ := m.session.state(); in {
			m.waiting.Store(nil)
			return
		}
		err := m.findObstacle(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			told = ""
			m.waiting.Store(nil)
			continue
		}
		m.waiting.Store(&err)
		if err.Error() != told {
			told = err.Error()
			m.emit(Event{Kind: EventWaiting, Err: err})
		}
	}
}

// findObstacle returns why the client cannot ask the group to take the member in, nil
// where it can as far as brokers tell.
func (m *Member) findObstacle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(m.settings.session, 10*time.Second))
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // of none; nil would ask for all
	if !optValue[bool](m.client, kgo.ConsumeRegex) {
		for _, topic := range slices.Compact(slices.Sorted(slices.Values(m.cfg.Topics))) {
			asked := kmsg.NewMetadataRequestTopic()
			asked.Topic = &topic
			req.Topics = append(req.Topics, asked)
		}
	}
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		if refused := m.refusedConnection.Load(); refused != nil {
			err = *refused // and not that ctx ended while it was tried again
		}
		return fmt.Errorf("no broker answers; check the seed brokers, TLS and SASL in Config.Client: %w", err)
	}
	var errs []error
	for _, topic := range resp.Topics {
		name := ""
		if topic.Topic != nil {
			name = *topic.Topic
		}
		switch err := kerr.ErrorForCode(topic.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			errs = append(errs, fmt.Errorf("topic %q does not exist, or may not be described; create it, or correct Config.Topics: %w", name, err))
		case err != nil && !kerr.IsRetriable(err):
			errs = append(errs, fmt.Errorf("topic %q cannot be consumed: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// waitsFor returns what tellWhyItWaits found last.
func (m *Member) waitsFor() error {
	if err := m.waiting.Load(); err != nil {
		return *err
	}
	return nil
}
