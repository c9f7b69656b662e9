package inspect

import (
	"context"
	"sync"
	"time"
)

// mostPatience is how long what is not urgent lets others go first.
const mostPatience = time.Second

// pace spaces the requests to each broker evenly. What is urgent goes before what is
// not and has not waited for long.
type pace struct {
	apart time.Duration

	mu     sync.Mutex
	next   map[int32]time.Time // when the next request may go
	urgent map[int32]int       // how many urgent ones wait
}

func newPace(rate float64) *pace {
	return &pace{
		apart: time.Duration(float64(time.Second) / rate),
		next:  map[int32]time.Time{}, urgent: map[int32]int{},
	}
}

// wait returns when a request may be sent to a broker, and false if ctx ends first.
func (p *pace) wait(ctx context.Context, node int32, urgent bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if urgent {
		p.urgent[node]++
		defer func() { p.urgent[node]-- }()
	}
	asked := time.Now()
	for ctx.Err() == nil {
		now := time.Now()
		delay := p.next[node].Sub(now)
		switch {
		case delay > 0:
		case !urgent && p.urgent[node] > 0 && now.Sub(asked) < mostPatience:
			delay = p.apart
		default:
			p.next[node] = now.Add(p.apart)
			return true
		}
		p.mu.Unlock()
		pause(ctx, delay)
		p.mu.Lock()
	}
	return false
}
