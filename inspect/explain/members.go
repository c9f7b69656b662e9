package explain

import (
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// expired: members of which the coordinator heard nothing.
func (h *history) expired(departures []*departure) []*finding {
	// Members that were killed and replaced, one after the other, are a restart.
	rolled := map[who]int{}
	var followed []*departure
	for _, d := range departures {
		if d.how == howExpired && d.successor != nil {
			rolled[whoIs(d.member.MemberRef)]++
			followed = append(followed, d)
		}
	}
	inRestart := slices.Concat(restartsIn(followed)...)
	v := find(SessionExpired, Possible, "")
	members := map[string]watch.MemberRef{}
	names := map[who]watch.MemberRef{}
	var at []time.Time
	static, modern := true, true
	for _, d := range departures {
		if d.how != howExpired || d.round.by != nil && d.round.by != v && d.sure != Certain {
			continue
		}
		if rolled[whoIs(d.member.MemberRef)] == 1 && slices.Contains(inRestart, d) {
			continue
		}
		if d.sure.rank() < v.Sure.rank() {
			v.Sure = d.sure
		}
		at = append(at, d.round.at)
		members[d.member.ID], names[whoIs(d.member.MemberRef)] = d.member.MemberRef, d.member.MemberRef
		static, modern = static && d.member.Instance != nil, modern && d.round.after.Type == "consumer"
		v.Evidence = append(v.Evidence, d.why...)
		v.quote(d.round.at, d.round.source, fmt.Sprintf("%s: %s", generationOf(d.round), changes(d.round)))
		v.takes(d.round, d.returned)
	}
	if len(members) == 0 {
		return nil
	}
	v.Members = sortedRefs(members)
	called := namedAll(v.Members)
	if len(names) == 1 {
		called = calledWho(v.Members[0])
	}
	v.Says = fmt.Sprintf("The coordinator heard nothing of %s for the session timeout, and removed %s, %s.", called, plural(len(names), "it", "them"), rhythm(at))
	switch {
	case static && modern:
		v.Do = doKeepStaticOfGroup
	case static:
		v.Do = doKeepStatic
	case modern:
		v.Do = doKeepSessionOfGroup
	default:
		v.Do = doKeepSession
	}
	return []*finding{v}
}

// restarts: members that go and come back, the same again and again, or one after the
// other.
func (h *history) restarts(departures []*departure) []*finding {
	var open []*departure
	for _, d := range departures {
		if d.round.by == nil && (d.how == howUnknown || d.how == howLeft || d.how == howExpired && d.successor != nil) {
			open = append(open, d)
		}
	}
	// A member whose life began and ended while it was watched lives short. One that
	// was there from the beginning may be restarted for a reason.
	byWho := map[who][]*departure{}
	var order []who
	for _, d := range open {
		key := whoIs(d.member.MemberRef)
		if byWho[key] == nil {
			order = append(order, key)
		}
		byWho[key] = append(byWho[key], d)
	}
	var verdicts []*finding
	var rest []*departure
	for _, key := range order {
		all := byWho[key]
		short := slices.DeleteFunc(slices.Clone(all), func(d *departure) bool { return d.began == nil })
		shared := slices.ContainsFunc(all, func(d *departure) bool { return h.alike(d.round.before, d.member) > 1 })
		switch {
		case len(short) >= 2 && (shared || len(all) >= 2):
			taken := all
			if shared {
				taken = short
				// The life before the first short one belongs to the same chain.
				for _, d := range all {
					if d.began == nil && d.returned != nil && d.returned == short[0].began {
						taken = append([]*departure{d}, taken...)
						break
					}
				}
			}
			verdicts = append(verdicts, h.repeated(taken))
			for _, d := range all {
				if !slices.Contains(taken, d) {
					rest = append(rest, d)
				}
			}
		default:
			rest = append(rest, all...)
		}
	}
	if rolling := h.rolling(rest); rolling != nil {
		verdicts = append(verdicts, rolling)
	}
	return verdicts
}

func (h *history) repeated(all []*departure) *finding {
	v := find(LeavesRepeatedly, Certain, doFindCrash)
	switch {
	case isElection(all[0].round.before):
		v.Do = doFindCrashOfCandidate
	case all[0].member.Instance == nil:
		v.Do += " " + doBeStaticMeanwhile
	}
	members := map[string]watch.MemberRef{}
	var at []time.Time
	for _, d := range all {
		members[d.member.ID] = d.member.MemberRef
		at = append(at, d.round.at)
		lived := ""
		if d.began != nil {
			lived = fmt.Sprintf(", %s after it joined", roughly(d.round.at.Sub(d.began.at)))
		}
		back := ""
		if d.returned != nil {
			back = "; it was back at once"
			if away := d.returned.at.Sub(d.round.at); away > 0 {
				back = fmt.Sprintf("; it was back %s later", roughly(away))
			}
			if d.returned != d.round && d.returned.after.Generation != nil {
				back += ", in " + generationOf(d.returned)
			}
		}
		v.quote(d.round.at, d.round.source, fmt.Sprintf("%s: %s went%s%s", generationOf(d.round), named(d.member.MemberRef), lived, back))
		v.Evidence = append(v.Evidence, d.why...)
		v.takes(d.began, d.round, d.returned)
	}
	v.Members = sortedRefs(members)
	leaves := "leaves the group and comes back"
	if !slices.ContainsFunc(all, func(d *departure) bool { return d.how != howUnknown }) {
		v.Sure = Likely
		leaves = "goes and comes back"
		v.Do += " " + doSeeHowItGoes
	}
	v.Says = fmt.Sprintf("%s %s, %s.", upperFirst(calledWho(all[0].member.MemberRef)), leaves, rhythm(at))
	if !slices.ContainsFunc(all, func(d *departure) bool { return len(d.round.after.Members) > 0 || len(d.round.before.Members) > 1 }) {
		v.Sure = Possible
		v.Says = fmt.Sprintf("%s is alone in the group, and %s, %s.", upperFirst(calledWho(all[0].member.MemberRef)), leaves, rhythm(at))
		v.Do = doNothingForJob + lowerFirst(v.Do)
	}
	return v
}

func within(at []time.Time) string {
	return fmt.Sprintf("within %s", roughly(slices.MaxFunc(at, time.Time.Compare).Sub(slices.MinFunc(at, time.Time.Compare))))
}

func lowerFirst(s string) string {
	if s != "" && s[0] >= 'A' && s[0] <= 'Z' {
		return string(s[0]-'A'+'a') + s[1:]
	}
	return s
}

func upperFirst(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}
