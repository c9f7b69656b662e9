package integration

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/integration/cluster"
)

// recording is how long the groups of TestExplainFindsTheCause are recorded, but for those
// that say otherwise; all at the same time.
const recording = 30 * time.Second

// source is what an explanation is drawn from.
type source string

const (
	// fromAll is all that there is, while it goes on.
	fromAll source = "all"
	// fromPolls is a recording, for those who may not read __consumer_offsets.
	fromPolls source = "polls"
	// fromLog and fromEvents are looked at when all is over.
	fromLog    source = "log"
	fromEvents source = "events"
)

// TestExplainFindsTheCause brings about, in a group each and all at the same time, what
// makes groups rebalance, and has each explained from all that there is together, and from
// each source alone: __consumer_offsets, a recording, and the logs of its members, where
// these have hooks of package member. GROUPKIT_CAUSE names a part of them; with GROUPKIT_DOCS=1
// what groupctl prints of each is written into the page on it.
func TestExplainFindsTheCause(t *testing.T) {
	c := cluster.Shared(t)
	only, shown := os.Getenv("GROUPKIT_CAUSE"), os.Getenv("GROUPKIT_DOCS") == "1"
	var ctl groupctl
	if shown {
		ctl = buildGroupctl(t, c)
	}
	for _, test := range causes() {
		if only != "" && !strings.Contains(test.name, only) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newTrouble(t, c)
			ctx, cancel := context.WithCancel(t.Context())
			var working sync.WaitGroup
			defer working.Wait()
			defer cancel()
			working.Go(func() { g.produce(ctx) })
			test.set(g)
			began := time.Now()
			working.Go(func() { test.bring(ctx, g) })

			lasts, limits := cmp.Or(test.lasts, recording), busyMachine
			if test.byDefault {
				limits = explain.Limits{}
			}
			var mu sync.Mutex
			found := map[source]explain.Diagnosis{}
			in := inspect.New(newClient(t, c))
			ask := func(from source, how inspect.Explaining) {
				how.Limits = limits
				answer, err := in.Explain(t.Context(), g.group, how)
				if err != nil {
					t.Errorf("from %s: %v", from, err)
				}
				mu.Lock()
				found[from] = answer.Data
				mu.Unlock()
			}
			var asking sync.WaitGroup
			asking.Go(func() {
				ask(fromAll, inspect.Explaining{For: lasts, Since: time.Millisecond, Said: g.heard})
			})
			asking.Go(func() { ask(fromPolls, inspect.Explaining{For: lasts, NoLog: true}) })
			if shown {
				asking.Go(func() { g.document(ctl, test.name, lasts) })
			}
			asking.Wait()
			ask(fromLog, inspect.Explaining{For: time.Millisecond, Since: time.Since(began)})
			ask(fromEvents, inspect.Explaining{For: time.Millisecond, NoLog: true, Said: g.heard})
			for _, from := range []source{fromAll, fromPolls, fromLog, fromEvents} {
				test.judge(t, from, found[from])
			}
		})
	}
}

// judge holds what was found from one source to what is the matter.
func (test causeCase) judge(t *testing.T, from source, d explain.Diagnosis) {
	told, _ := json.MarshalIndent(d, "", " ")
	want, differs := test.found[from]
	if !differs {
		want = test.cause
	}
	if len(test.also) > 0 && !differs {
		// Either may come first. Of a group that hardly ever gets stable, each source shows
		// few rebalances, so that one of the causes is enough.
		found := 0
		for _, v := range d.Verdicts {
			switch {
			case v.Cause == want, slices.Contains(test.also, v.Cause):
				found++
			case v.Sure != explain.Possible:
				t.Errorf("from %s, a verdict too many: %s: %s", from, v.Cause, told)
			}
		}
		if found == 0 || from == fromAll && found <= len(test.also) {
			t.Errorf("from %s, want %s and %v: %s", from, want, test.also, told)
		}
		return
	}
	// For whom a group waits does not always show in polls.
	mustSay := !differs && (from != fromPolls || want != explain.SlowToRejoin)
	if from == fromEvents && want == explain.Fine {
		mustSay = false // members tell of how their group came to be, too
	}
	if len(d.Verdicts) == 0 || d.Verdicts[0].Cause != want || mustSay && !strings.Contains(d.Verdicts[0].Says, test.says) {
		t.Errorf("from %s, want %s with %q: %s", from, want, test.says, told)
		return
	}
	v := d.Verdicts[0]
	if v.Do == "" || len(v.Evidence) == 0 {
		t.Errorf("from %s, the verdict has no evidence or says nothing to do: %s", from, told)
	}
	for _, v := range d.Verdicts[1:] {
		if v.Sure != explain.Possible {
			t.Errorf("from %s, a verdict too many: %s: %s", from, v.Cause, told)
		}
	}
}
