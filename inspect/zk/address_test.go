package zk

import (
	"slices"
	"testing"
)

func TestConnectStrings(t *testing.T) {
	for connect, want := range map[string]struct {
		servers []string
		chroot  string
	}{
		"a":            {[]string{"a:2181"}, ""},
		"a:1, b:2,,":   {[]string{"a:1", "b:2"}, ""},
		"a:1,b/kafka":  {[]string{"a:1", "b:2181"}, "/kafka"},
		"[::1]:7/x/y/": {[]string{"[::1]:7"}, "/x/y"},
		"a//":          {[]string{"a:2181"}, ""},
		"::1":          {[]string{"[::1]:2181"}, ""},
	} {
		servers, chroot, err := parseConnect(connect)
		if err != nil || !slices.Equal(servers, want.servers) || chroot != want.chroot {
			t.Errorf("%q: %v, %q, %v", connect, servers, chroot, err)
		}
	}
}

func TestWhatIsNoConnectString(t *testing.T) {
	for _, connect := range []string{"", ",", "/kafka", "a b", "u@a", ":1", "a:", "a/x//y", "a/..", "a/./x", "a/x,b/x", "a/x y"} {
		if servers, chroot, err := parseConnect(connect); err == nil {
			t.Errorf("%q: %q, %q", connect, servers, chroot)
		}
	}
}

func TestServersAreTriedInTurn(t *testing.T) {
	r := &roundRobin{}
	_ = r.Init([]string{"a", "b"})
	var got []string
	var all []bool
	for i := range 6 {
		if i == 3 {
			r.Connected()
		}
		server, allTried := r.Next()
		got, all = append(got, server), append(all, allTried)
	}
	if !slices.Equal(got, []string{"a", "b", "a", "b", "a", "b"}) || !slices.Equal(all, []bool{false, false, true, false, false, true}) {
		t.Errorf("%v %v", got, all)
	}
}
