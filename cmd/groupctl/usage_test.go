package main

import (
	"slices"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args string
		says string
	}{
		{"", "needs a command"},
		{"group", "needs a command"},
		{"grup describe x", "did you mean group"},
		{"group descibe x", "did you mean describe"},
		{"group frobnicate", `no command "frobnicate"`},
		{"group describe", "needs at least one group"},
		{"group coordinator", "needs at least one group"},
		{"cluster controller now", `"now"`},
		{"topic leaders --frob", "--frob"},
		{"--frob", "--frob"},
		{"group describe -a-dash", "put -- before"},
		{"topic leaders", "GROUPCTL_BOOTSTRAP_SERVER"},
		{"topic leaders -b ,", "GROUPCTL_BOOTSTRAP_SERVER"},
		{"-b x topic leaders -o yaml", `"yaml"`},
		{"-b x topic leaders --timeout 0s", "not positive"},
		{"-b x topic leaders --timeout 8", "8"},
		{"-b x:y topic leaders", "x:y"},
		{"-b x group describe \xff", "UTF-8"},
	} {
		t.Run(test.args, func(t *testing.T) {
			result := runArgs(t, strings.Fields(test.args)...)
			if result.code != exitUsage || result.stdout != "" || strings.Count(result.stderr, "\n") != 1 || !strings.Contains(result.stderr, test.says) {
				t.Errorf("%+v", result)
			}
			// With -o json at the front, the same comes as an envelope.
			if strings.Contains(test.args, "-o") {
				return
			}
			result = runArgs(t, append([]string{"-o", "json"}, strings.Fields(test.args)...)...)
			p := parse(t, result.stdout)
			if result.code != exitUsage || len(p.Errors) != 1 || p.Errors[0]["code"] != "USAGE" || p.Data != nil {
				t.Errorf("%+v", result)
			}
		})
	}
}

func TestUsageErrorsComeAsJSONWhereverTheFlagIs(t *testing.T) {
	for _, args := range []string{"--frob -o json", "group describe -o=json", "--frob --output json", "--frob --output=json", "--frob -ojson"} {
		if result := runArgs(t, strings.Fields(args)...); result.code != exitUsage || len(parse(t, result.stdout).Errors) != 1 {
			t.Errorf("%s: %+v", args, result)
		}
	}
	if result := runArgs(t, "--frob", "--", "-o", "json"); result.stdout != "" {
		t.Errorf("what comes after -- is no flag: %+v", result)
	}
}

func TestNamesThatLookLikeFlags(t *testing.T) {
	_, address := newCluster(t)
	result := runArgs(t, "-b", address, "-o", "json", "group", "coordinator", "--", "-a", "--help", "", "two words", "☕")
	if result.code != exitFound {
		t.Fatalf("%+v", result)
	}
	var got []string
	for _, row := range parse(t, result.stdout).Data.([]any) {
		got = append(got, row.(map[string]any)["group"].(string))
	}
	if want := []string{"-a", "--help", "", "two words", "☕"}; !slices.Equal(got, want) {
		t.Errorf("groups %q, want %q", got, want)
	}
}

func TestTheBrokersMayComeFromTheEnvironment(t *testing.T) {
	_, address := newCluster(t)
	getenv := func(name string) string {
		if name == bootstrapVariable {
			return address
		}
		return ""
	}
	if result := runWith(t, getenv, "topic", "leaders"); result.code != exitFound {
		t.Errorf("%+v", result)
	}
	if result := runWith(t, getenv, "topic", "leaders", "-b", "127.0.0.1:1"); result.code != exitFailed {
		t.Errorf("the flag does not win: %+v", result)
	}
}

func TestHelpHasAnExample(t *testing.T) {
	for _, args := range []string{"", "group", "cluster", "topic", "group coordinator", "group describe", "cluster controller", "topic leaders"} {
		result := runArgs(t, append(strings.Fields(args), "--help")...)
		if result.code != exitFound || !strings.Contains(result.stdout, "Examples:") || !strings.Contains(result.stdout, "groupctl -b localhost:9092") || result.stderr != "" {
			t.Errorf("%q: %+v", args, result)
		}
	}
}
