package member

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/groupkit/groupkit/assign"
)

// A Protocol is one way of assigning partitions that a member offers when it joins.
// The coordinator picks the one that all members offer and most prefer; the leader
// then plans with its Assignor.
type Protocol struct {
	// Assignor computes the plan when this member leads. Required.
	Assignor assign.Assignor

	// Name is the protocol name on the wire; the default is the assignor's.
	// Under a standard name, such as "cooperative-sticky", the assignor plans
	// for a group that also has members of other clients.
	Name string

	// Eager says that members give up all they own before each round. The
	// default is cooperative (KIP-429): they keep what does not move. The
	// standard names "range", "roundrobin" and "sticky" are always eager, for
	// that is what other clients take them to be, and "cooperative-sticky"
	// never is.
	Eager bool
}

// stickyName is the protocol whose user data is the ownership itself
// (StickyAssignorUserDataV1), so that nothing else can travel there.
const stickyName = "sticky"

const cooperativeStickyName = "cooperative-sticky"

func (p Protocol) name() string { return cmp.Or(p.Name, p.Assignor.Name()) }

func (p Protocol) cooperative() bool {
	switch p.name() {
	case "range", "roundrobin", stickyName:
		return false
	}
	return !p.Eager
}

// standard tells whether the protocol has one of the names that all clients know.
func (p Protocol) standard() bool {
	switch p.name() {
	case "range", "roundrobin", stickyName, "cooperative-sticky":
		return true
	}
	return false
}

func checkProtocols(protocols []Protocol) error {
	if len(protocols) == 0 {
		return errors.New("the config of a member lists no protocol; give at least one, with an assignor")
	}
	names := make(map[string]bool, len(protocols))
	var errs []error
	for i, p := range protocols {
		if p.Assignor == nil {
			errs = append(errs, fmt.Errorf("protocol %d of the member's config has no assignor; set Protocol.Assignor", i))
			continue
		}
		name := p.name()
		if name == "" {
			errs = append(errs, fmt.Errorf("protocol %d of the member's config has no name; set Protocol.Name or let the assignor return one", i))
		}
		if name == cooperativeStickyName && p.Eager {
			errs = append(errs, fmt.Errorf("protocol %q of the member's config is eager, and other clients take it to be cooperative; leave out Protocol.Eager or give another name", name))
		}
		if names[name] {
			errs = append(errs, fmt.Errorf("protocol %q is in the member's config twice; give each protocol a name of its own", name))
		}
		names[name] = true
	}
	return errors.Join(errs...)
}
