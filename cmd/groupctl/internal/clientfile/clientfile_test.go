package clientfile

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProperties(t *testing.T) {
	text := "# a comment\n! another\n\n  a=1\nb : 2\nc 3\nd\\=\\:\\ e = f=g\nlong=one\\\n   two\\\n\tthree\nend\\\\\nu=\\u00e9\\uD83D\\uDE00\\u65e5é\nesc=\\t\\n\\q\\\\\r\nempty=\nempty2\na=9\nlast=x\\"
	got, err := parseProperties(text)
	want := map[string]string{
		"a": "9", "b": "2", "c": "3", "d=: e": "f=g", "long": "onetwothree", `end\`: "", "u": "é😀日é",
		"esc": "\t\nq\\", "empty": "", "empty2": "", "last": "x",
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v\n%q\nwant\n%q", err, got, want)
	}
	if _, err := parseProperties("a=1\nb=\\u12"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}

func TestJAAS(t *testing.T) {
	got, err := parseJAAS(`a.b.ScramLoginModule required
		username="al\"ice" password='p w;=' tokenauth=true ;`)
	if err != nil || got.module != "ScramLoginModule" || !maps.Equal(got.options, map[string]string{"username": `al"ice`, "password": "p w;=", "tokenauth": "true"}) {
		t.Errorf("%v %+v", err, got)
	}
	for _, bad := range []string{"", ";", "a required", `a required username="x`, "a required username;", "a required =;", "a required x = ;"} {
		if got, err := parseJAAS(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, got)
		}
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	const login = "\nsasl.jaas.config=x.PlainLoginModule required username=u password=secret;"
	for text, says := range map[string]string{
		"security.protocol=SASL_PLAINTEXT" + login:                                                                        "needs a sasl.mechanism",
		"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN":                                                          "sasl.jaas.config cannot be read",
		"security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\nsasl.jaas.config=x.Y required;":                          "only PlainLoginModule",
		"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config=x.PlainLoginModule required username=secret;": "no username or no password",
		"security.protocol=TLS":                                                           `"TLS" is not known`,
		"security.protocol=SSL\nssl.keystore.location=x.jks":                              "ssl.keystore.type=PEM",
		"security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=nothing": "no such file",
		"security.protocol=SSL\nssl.endpoint.identification.algorithm=none":               "give https",
		"ssl.trutstore.location=x":                                                        "ssl.trutstore.location is not supported",
		"a=\\u":                                                                           "hexadecimal",
	} {
		path := filepath.Join(t.TempDir(), "client.properties")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Read(path); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, mostBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(large); err == nil {
		t.Error("a file of any size is read")
	}
}

func TestWhatIsOfNoConcernIsSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.properties")
	text := "bootstrap.servers=a:1,b:2\ngroup.id=x\nauto.offset.reset=earliest\nsecurity.protocol=PLAINTEXT\nssl.truststore.location=not-read\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Read(path); err != nil || c.Brokers != "a:1,b:2" || c.TLS || c.Mechanism != "" {
		t.Errorf("%v %+v", err, c)
	}
}
