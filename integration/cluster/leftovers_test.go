package cluster

import (
	"testing"
)

func TestJudge(t *testing.T) {
	self := owner{host: "here", boot: "b", pid: 7, started: "100"}
	processes := map[int]string{7: "100", 8: "200"}
	look := func(pid int) (string, bool) {
		started, ok := processes[pid]
		return started, ok
	}
	for _, test := range []struct {
		name  string
		owner owner
		want  liveness
	}{
		{"itself", self, alive},
		{"another process that runs", owner{"here", "b", 8, "200"}, alive},
		{"a pid used again", owner{"here", "b", 8, "150"}, dead},
		{"a process that has ended", owner{"here", "b", 9, "1"}, dead},
		{"before a reboot", owner{"here", "a", 7, "100"}, dead},
		{"on another machine", owner{"there", "b", 9, "1"}, unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := self.judge(test.owner.labels(), look); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestHostIdentity(t *testing.T) {
	const name, namespace = "build", "pid:[4026531836]"
	here := hostIdentity(name, "m1", namespace, "b1")
	for _, test := range []struct {
		name, other string
		same        bool
	}{
		{"after a reboot", hostIdentity(name, "m1", namespace, "b2"), true},
		{"another machine of that name", hostIdentity(name, "m2", namespace, "b2"), false},
		{"a container on this machine", hostIdentity(name, "m1", "pid:[4026532200]", "b1"), false},
		{"a machine without an id", hostIdentity(name, "", namespace, "b1"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if same := test.other == here; same != test.same {
				t.Errorf("%q is taken for %q: %v", test.other, here, same)
			}
		})
	}
	if hostIdentity(name, "", namespace, "b1") == hostIdentity(name, "", namespace, "b2") {
		t.Error("two machines without an id are taken for one")
	}
}
