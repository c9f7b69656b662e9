package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// Options say where the demo plays and how it is told.
type Options struct {
	// Brokers are the addresses of a real cluster. Without any, three brokers
	// are started in this process.
	Brokers []string
	// Reach is how long to try to reach real brokers.
	Reach time.Duration
	// Out gets the play, Colour says whether it takes escape codes.
	Out    io.Writer
	Colour bool
}

// closingTime is how long members, and a real cluster, get to clean up.
const closingTime = 8 * time.Second

// Run plays the demo and returns whether every step was seen to happen. The error is
// for what keeps it from beginning or from cleaning up.
func Run(ctx context.Context, options Options) (seen bool, err error) {
	s, err := openStage(ctx, options)
	if err != nil {
		return false, err
	}
	defer s.close()
	return newPlay(s, options).run(ctx)
}

func openStage(ctx context.Context, options Options) (*stage, error) {
	if len(options.Brokers) == 0 {
		return inProcess()
	}
	ctx, cancel := context.WithTimeout(ctx, options.Reach)
	defer cancel()
	return onBrokers(ctx, options.Brokers)
}

// play is one performance.
type play struct {
	stage          *stage
	voice          *voice
	billing, audit *company
	traffic        *traffic
	playing        context.Context // what outlives a step: members and traffic
	before         rest            // billing, when the step before ended
	steps          []step
	interrupted    bool
}

// step is one scene. It ends with the evidence that it was seen, or with the error
// that tells what was missing.
type step struct {
	title   string
	claim   string // what the summary calls it
	perform func(ctx context.Context) (evidence string, err error)

	seen bool
	took time.Duration
}

func newPlay(s *stage, options Options) *play {
	v := &voice{out: options.Out, colour: options.Colour, began: time.Now()}
	p := &play{
		stage: s, voice: v,
		billing: newCompany("billing", s.billing, s, v, hotOnFastDisk),
		audit:   newCompany("audit", s.audit, s, v, keepProposed),
	}
	p.steps = []step{
		{title: "Who leads the partitions, and who is the controller?", claim: "partition leaders and controller found", perform: p.deciders},
		{title: "Which broker coordinates the group billing?", claim: "coordinator computed and confirmed", perform: p.coordinator},
		{title: "Who becomes group leader? The first to join.", claim: "first joiner elected leader", perform: p.firstLeader},
		{title: "What does the leader plan, and what does its hook change?", claim: "plan proposed, and changed by the hook", perform: p.planning},
		{title: "Who has what now?", claim: "plan adopted by every member", perform: p.adoption},
		{title: "What if there are more members than partitions?", claim: "one member idle", perform: p.idleness},
		{title: "What if the leader dies?", claim: "leader killed, the next one elected", perform: p.takeover},
		{title: "Who handles the records within a group? (point-to-point)", claim: "point-to-point: no record of billing missed", perform: p.pointToPoint},
		{title: "What does a second group get? (publish/subscribe)", claim: "publish/subscribe: audit got every record again", perform: p.publishSubscribe},
	}
	return p
}

// keepProposed is the hook of those who want none.
func keepProposed(_ context.Context, round member.Round) (assign.Plan, error) {
	return round.Proposed, nil
}

// run performs the steps until one is not seen, cleans up and sums up.
func (p *play) run(ctx context.Context) (seen bool, err error) {
	playing, stop := context.WithCancel(ctx)
	defer stop()
	p.playing = playing
	p.voice.onError = stop
	p.opening()
	p.traffic, err = startTraffic(playing, p.stage.client, p.stage.topic)
	if err == nil {
		seen = p.perform(playing)
		p.interrupted = ctx.Err() != nil
		_ = p.traffic.stop() // the last steps look at its error
	}
	err = errors.Join(err, p.close(ctx))
	if p.voice.failed != nil {
		return false, fmt.Errorf("cannot write what happens: %w", p.voice.failed)
	}
	if err == nil {
		p.summary()
	}
	return seen && err == nil, err
}

func (p *play) perform(ctx context.Context) bool {
	for i := range p.steps {
		s := &p.steps[i]
		p.voice.heading(i+1, s.title)
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, p.stage.patience)
		evidence, err := s.perform(limited)
		cancel()
		s.took = time.Since(began)
		if err != nil {
			p.voice.missing(err.Error())
			return false
		}
		s.seen = true
		p.voice.seen(evidence)
	}
	return true
}

// close ends what the play started, also when ctx has ended.
func (p *play) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	leaving, cancelLeaving := context.WithTimeout(ctx, closingTime/4)
	defer cancelLeaving()
	dead := make(map[string][]string)
	for _, c := range []*company{p.billing, p.audit} {
		dead[c.group] = c.close(leaving)
	}
	return p.stage.clear(ctx, dead)
}

func (p *play) opening() {
	v := p.voice
	where := "three brokers inside this process (kfake)"
	if !p.stage.inProcess {
		where = "the cluster at " + strings.Join(p.stage.seeds, ", ")
	}
	v.line(v.paint(bold, "A consumer group at work") + ", on " + where)
	v.line("")
	v.line("Kafka elects four kinds of leader. Three are brokers, one is yours:")
	for _, word := range []struct{ name, meaning string }{
		{"controller", "a broker: decides for the cluster, picks partition leaders"},
		{"partition leader", "a broker: takes the writes of one partition, others copy it"},
		{"coordinator", "a broker: keeps one group: who is in it, how far it has read"},
		{"group leader", "a member, so your code: plans which member reads what"},
	} {
		v.line("  " + v.paint(bold, fmt.Sprintf("%-18s", word.name)) + word.meaning)
	}
	v.line("")
	v.line(fmt.Sprintf("The topic has %d partitions, to which records are written all the time: every", partitionCount))
	v.line(fmt.Sprintf("second one to partition %d, the hot one. Its readers are the group billing.", hotPartition))
	if !p.stage.inProcess {
		v.line("The topic and the groups are made for this, and removed at the end:")
		v.line("  " + p.stage.topic + "*")
		v.line(fmt.Sprintf("A dead member is noticed after %s, so it all takes less than half a minute.", p.stage.session))
	}
}

func (p *play) summary() {
	v := p.voice
	v.line("")
	v.line(v.paint(bold, "Summary"))
	all, stoppedIn := true, 0
	for i, s := range p.steps {
		verdict, took := v.paint(green, "seen   "), fmt.Sprintf("%5.2fs", s.took.Seconds())
		switch {
		case s.seen:
		case s.took > 0:
			verdict = v.paint(red, "MISSING")
			if p.interrupted {
				stoppedIn = i + 1
			}
		default:
			verdict, took = v.paint(yellow, "not run"), ""
		}
		all = all && s.seen
		v.line(strings.TrimRight(fmt.Sprintf("  %s  %d. %-50s %s", verdict, i+1, s.claim, v.paint(dim, took)), " "))
	}
	if !p.stage.inProcess {
		v.line(fmt.Sprintf("  The topic and the groups %s* were removed.", p.stage.topic))
	}
	if stoppedIn > 0 {
		v.line(fmt.Sprintf("  Interrupted in step %d.", stoppedIn))
	}
	if all {
		v.line(fmt.Sprintf("  All %d steps were seen to happen, in %.1f seconds.", len(p.steps), time.Since(v.began).Seconds()))
		v.line("  Its code is in cmd/groupctl/internal/demo: assignor.go and hook.go first.")
	}
}
