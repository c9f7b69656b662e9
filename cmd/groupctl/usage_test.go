package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
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
		{"-b x group coordinator --share --transactional-id y", "not both"},
		{"-b x group coordinator --share y", "GROUP:TOPIC:PARTITION"},
		{"cluster controller --watch -b x", "with --zookeeper only"},
		{"cluster controller -b x --zookeeper y", "not both"},
		{"cluster controller --zookeeper :1", "is not the address of a ZooKeeper server"},
		{"cluster controller --watch --zookeeper ,", "names no ZooKeeper server"},
		{"cluster controller --zookeeper x --config y", "--config tells how to reach the brokers"},
		{"cluster controller --zookeeper x --sasl plain --user y", "SASL is not supported"},
		{"cluster controller --zookeeper x --tls-ca y", "of use with --tls only"},
		{"cluster controller --zookeeper x --tls --tls-ca /does/not/exist", "/does/not/exist"},
		{"cluster controller --zookeeper x --password-file y", "give --user"},
		{"cluster controller --zookeeper x --user y", "GROUPCTL_PASSWORD"},
		{"group explain", "needs one group"},
		{"group explain a b", "needs one group"},
		{"-b x group explain a --for 0s", "--for"},
		{"-b x group explain a --since soon", "neither a duration"},
		{"-b x group explain a --since 0s", "not in the past"},
		{"-b x group explain a --since 2999-01-31T12:00:00Z", "not in the past"},
		{"-b x group explain a --events /does/not/exist", "cannot read --events"},
		{"-b x watch orders", "give elections or groups"},
		{"-b x watch groups orders --controllers y:9093", "does not watch the controller"},
		{"-b x watch --rate 0", "more than 0"},
		{"-b x watch --rate NaN", "more than 0"},
		{"-b x watch --rate Inf", "more than 0"},
		{"-b x -o yaml watch", "give -o table or -o jsonl"},
		{"cluster controller --zookeeper x -o jsonl", "give -o table, -o wide or -o json"},
		{"plan --input /does/not/exist", "cannot read --input"},
		{"cluster controller now", `"now"`},
		{"topic leaders --frob", "--frob"},
		{"--frob", "--frob"},
		{"group describe -a-dash", "put -- before"},
		{"topic leaders", "GROUPCTL_BOOTSTRAP_SERVER"},
		{"topic leaders -b ,", "GROUPCTL_BOOTSTRAP_SERVER"},
		{"-b x topic leaders -o yaml", `"yaml"`},
		{"-b x topic leaders --timeout 0s", "not positive"},
		{"-b x topic leaders --timeout 8", "8"},
		{"-b x:y topic leaders", `"x:y" is not an address; give host:port`},
		{"-b localhost: topic leaders", "give host:port"},
		{"-b localhost:9092x topic leaders", "give host:port"},
		{"-b localhost:99999 topic leaders", "give host:port"},
		{"-b localhost:-1 topic leaders", "give host:port"},
		{"-b localhost:0 topic leaders", "give host:port"},
		{"-b :9092 topic leaders", "give host:port"},
		{"-b a:1,kafka://b:2 topic leaders", `"kafka://b:2"`},
		{"-b [::1]9092 topic leaders", "give host:port"},
		{"demo --brokers localhost:", "give host:port"},
		{"impact --brokers-down two", `--brokers-down is "two"; give whole numbers with commas between, such as 2,3; see 'groupctl impact --help'`},
		{"impact --brokers-back=", `--brokers-back is ""; give whole numbers`},
		{"impact --brokers-down 99999999999", `is "99999999999", which is out of range; give whole numbers`},
		{"impact --racks-down a\"b", `--racks-down is "a\"b"; give one or more with commas between, and quotes in pairs`},
		{"offsets dump g --from x", `--from is "x"; give a whole number`},
		{"watch --rate x", `--rate is "x"; give a number;`},
		{"watch --for 5", `--for is "5"; give a number with its unit, such as 500ms, 30s or 5m`},
		{"topic leaders --offline=maybe", `--offline is "maybe"; give true or false, or no value for true`},
		{"plan g --add-members x", `--add-members is "x"; give a whole number`},
		{"plan g --svg", "--svg needs a value: draw before and after into this file; see 'groupctl plan --help'"},
		{"topic leaders -b", "--bootstrap-server needs a value: brokers to start from, as host:port with commas between"},
		{"group list --type", "--type needs a value: only groups of these types: classic,"},
		{"offsets dump g --limit", "--limit needs a value; give a whole number"},
		{"topic leaders --frob", "there is no flag --frob; put -- before a name that begins with a dash; see 'groupctl topic leaders --help'"},
		{"topic leaders -z", "there is no flag -z;"},
		{"group describe -a-dash", "there is no flag -a in -a-dash;"},
		{"topic leaders --=x", "--=x"},
		{"topic leaders --version", "only 'groupctl --version' takes --version, without a command; see 'groupctl --help'"},
		{"--version topic leaders", "only 'groupctl --version' takes --version"},
		{"group --version", "only 'groupctl --version' takes --version"},
		{"-b x --tls --tls-ca /does/not/exist topic leaders", "cannot read --tls-ca: stat /does/not/exist"},
		{"-b x --tls --tls-cert /does/not --tls-key /exist topic leaders", "cannot read --tls-cert"},
		{"-b x --sasl plain --user a --password-file /does/not/exist topic leaders", "cannot read --password-file"},
		{"-b x --sasl frob topic leaders", "give plain, scram-sha-256 or scram-sha-512"},
		{"-b x offsets dump g --since 2999-01-31T12:00:00Z", "not in the past"},
		{"-b x watch orders", "such as 'groupctl watch groups orders'"},
		{"help nosuch", `no command "nosuch"`},
		{"help group nosuch", `no command "group nosuch"`},
		{"help --frob", "--frob"},
		{"completion", "'groupctl completion' needs a command"},
		{"completion frob", `'groupctl completion' has no command "frob"`},
		{"completion bash extra", `"extra"`},
		{"completion bash --frob", "--frob"},
		{"-b x group describe \xff", "UTF-8"},
		{"-b x group list --type frob", "streams"},
		{"-b x group list --state Stabel", "Stable"},
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
	for _, args := range []string{
		"--frob -o json", "group describe -o=json", "--frob --output json", "--frob --output=json", "--frob -ojson",
		"-b x --frob -o table -o json", "group describe -o json", "help nosuch -o json",
	} {
		if result := runArgs(t, strings.Fields(args)...); result.code != exitUsage || len(parse(t, result.stdout).Errors) != 1 {
			t.Errorf("%s: %+v", args, result)
		}
	}
	if result := runArgs(t, "cluster", "controller", "--zookeeper", "x", "--watch", "-o", "json"); result.code != exitUsage || !strings.Contains(result.stderr, "give -o jsonl") {
		t.Errorf("%+v", result)
	}
	for _, args := range []string{
		"--frob -- -o json", "group describe -o json --output=table", "--frob -o json --output=table", "--frob -ojson -o=table",
		"-b -o json group", "--frob -b -o json", "--frob --timeout --output=json -x", "--frob -o",
	} {
		if result := runArgs(t, strings.Fields(args)...); result.code != exitUsage || result.stdout != "" {
			t.Errorf("%s: %+v", args, result)
		}
	}
}

func TestHelpAndCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"help":                  "Available Commands:",
		"help group describe":   "groupctl group describe GROUP...",
		"help help":             "help [command]",
		"completion --help":     "autocompletion",
		"completion bash":       "bash completion V2 for groupctl",
		"completion zsh":        "#compdef groupctl",
		"__complete group desc": "describe",
	} {
		if result := runArgs(t, strings.Fields(args)...); result.code != exitFound || !strings.Contains(result.stdout, want) {
			t.Errorf("%s: exit %d, stderr %q, no %q in\n%s", args, result.code, result.stderr, want, result.stdout)
		}
	}
}

func TestErrorsThatCobraMakesAreUsage(t *testing.T) {
	if result := runArgs(t, "__complete"); result.code != exitUsage || !strings.Contains(result.stderr, "requires at least 1 arg") || strings.Count(result.stderr, "\n") != 1 {
		t.Errorf("%+v", result)
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left\x1b[31m") }

func TestWhatCannotBeWrittenIsAFailure(t *testing.T) {
	_, address := newCluster(t)
	for _, args := range []string{"--help", "help", "help topic", "completion bash", "completion fish", "__complete group desc", "topic leaders", "topic leaders -o json", "group describe workers"} {
		var stderr bytes.Buffer
		code := run(t.Context(), append([]string{"-b", address}, strings.Fields(args)...), environment{stdout: full{}, stderr: &stderr, getenv: func(string) string { return "" }})
		if code != exitFailed || !strings.Contains(stderr.String(), `no space left\x1b[31m`) || strings.Contains(stderr.String(), "\x1b") {
			t.Errorf("%s: exit %d, stderr %q", args, code, stderr.String())
		}
	}
}

func TestAddresses(t *testing.T) {
	got, err := addresses([]string{" a ", "", "b:9092", "10.0.0.1:1", "::1", "[::1]", "[::1]:65535", "grüße:1"})
	if want := []string{"a", "b:9092", "10.0.0.1:1", "::1", "[::1]", "[::1]:65535", "grüße:1"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"a:", "a:9092x", "a:65536", "a:-1", "a:+1", "a:0", ":1", "a b:1", "a:1:2", "[::1", "[::1]x", "[::1]9", "[a]:1", "u@a:1", "http://a"} {
		if got, err := addresses([]string{bad}); err == nil {
			t.Errorf("%q is taken for %q", bad, got)
		}
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
		got = append(got, row.(map[string]any)["name"].(string))
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
	for _, args := range []string{"", "group", "cluster", "topic", "group coordinator", "group describe", "group explain", "watch", "cluster brokers", "cluster controller", "topic leaders", "impact", "elect", "elect preferred", "elect unclean"} {
		result := runArgs(t, append(strings.Fields(args), "--help")...)
		if result.code != exitFound || !strings.Contains(result.stdout, "Examples:") || !strings.Contains(result.stdout, "groupctl -b localhost:9092") || result.stderr != "" {
			t.Errorf("%q: %+v", args, result)
		}
	}
}

// TestEveryCommandTellsWhatItDoesAndItsExamplesMakeSense parses each example, up to a pipe.
func TestEveryCommandTellsWhatItDoesAndItsExamplesMakeSense(t *testing.T) {
	var check func(*cobra.Command)
	check = func(command *cobra.Command) {
		for _, child := range command.Commands() {
			check(child)
		}
		if command.Short == "" || command.Example == "" || command.Long == "" && !command.HasSubCommands() {
			t.Errorf("%s: a part of its help is missing", command.CommandPath())
		}
		for _, line := range strings.Split(command.Long+"\n"+command.Example, "\n") {
			if len([]rune(line)) > 120 {
				t.Errorf("%s: a line of its help is %d wide: %s", command.CommandPath(), len([]rune(line)), line)
			}
		}
		for _, line := range strings.Split(command.Example, "\n") {
			line, _, _ = strings.Cut(line, " | ")
			words := strings.Fields(strings.ReplaceAll(line, "'", ""))
			if len(words) == 0 || words[0] != "groupctl" {
				t.Errorf("%s: the example %q", command.CommandPath(), line)
				continue
			}
			root := newRootCommand(&session{})
			named, rest, err := root.Find(words[1:])
			if err == nil {
				if err = named.ParseFlags(rest); err == nil {
					err = named.ValidateArgs(named.Flags().Args())
				}
			}
			if err != nil || named.HasSubCommands() || !strings.HasPrefix(named.CommandPath(), command.CommandPath()) {
				t.Errorf("%s: the example %q is of %s: %v", command.CommandPath(), line, named.CommandPath(), err)
			}
		}
	}
	check(newRootCommand(&session{}))
}

func TestAnEmptyNameOfATopic(t *testing.T) {
	_, address := newCluster(t)
	if result := runArgs(t, "-b", address, "topic", "leaders", "orders", ""); result.code != exitUsage || !strings.Contains(result.stderr, "not empty") {
		t.Errorf("%+v", result)
	}
}
