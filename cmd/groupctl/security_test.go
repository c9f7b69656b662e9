package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/groupkit/groupkit/internal/kafkatest"
)

// files writes files into a folder of the test's own and returns it.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range contents {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func secured(t *testing.T, options ...kfake.Opt) string {
	t.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, "orders")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake.ListenAddrs()[0]
}

// inFolder puts the folder where an argument has "@".
func inFolder(folder, args string) []string {
	return strings.Fields(strings.ReplaceAll(args, "@", folder+"/"))
}

func withPassword(password string) func(string) string {
	return func(name string) string {
		if name == passwordVariable {
			return password
		}
		return ""
	}
}

func TestLoggingIn(t *testing.T) {
	const password = `it's "my" p\w=1;`
	address := secured(t, kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "p", password), kfake.Superuser("SCRAM-SHA-256", "s", password), kfake.Superuser("SCRAM-SHA-512", "l", password))
	jaas := func(module, user string) string {
		return `sasl.jaas.config=org.apache.kafka.common.security.` + module + ` required \` + "\n  username=\"" + user + `" password="it's \\"my\\" p\\\\w=1;";` + "\n"
	}
	folder := files(t, map[string]string{
		"password": password + "\n",
		"wrong":    "nothing like it",
		"plain":    "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n" + jaas("plain.PlainLoginModule", "p"),
		"scram":    "bootstrap.servers=" + address + "\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism: SCRAM-SHA-512\n" + jaas("scram.ScramLoginModule", "l"),
	})
	for args, want := range map[string]struct {
		code     int
		password string // in the environment
		says     string
	}{
		"--sasl plain --user p --password-file @password":              {exitFound, "", "sent as it is"},
		"--sasl PLAIN --user p":                                        {exitFound, password, "sent as it is"},
		"--sasl scram-sha-256 --user s --password-file @password":      {exitFound, "", ""},
		"--sasl scram-sha-512 --user l":                                {exitFound, password, ""},
		"--config @plain":                                              {exitFound, "", "sent as it is"},
		"--config @scram":                                              {exitFound, "", ""},
		"--config @scram --sasl scram-sha-256 --user s":                {exitFound, password, ""},
		"--config @scram --password-file @wrong":                       {exitFailed, "", "check user, password"},
		"--sasl scram-sha-512 --user l --password-file @wrong":         {exitFailed, password, "check user, password"},
		"--sasl scram-sha-512 --user nobody --password-file @password": {exitFailed, "", "check user, password"},
		"--sasl plain --user p --password-file @password --tls":        {exitFailed, "", "whether"},
		"": {exitFailed, "", "whether"},
		"--sasl scram-sha-512 --user l --password-file @nothing": {exitUsage, "", "no such file"},
		"--sasl scram-sha-512":                           {exitUsage, password, "--user"},
		"--sasl scram-sha-512 --user q":                  {exitUsage, "", passwordVariable},
		"--sasl gssapi --user q":                         {exitUsage, password, `"GSSAPI" is not supported`},
		"--user q":                                       {exitUsage, password, "--sasl"},
		"--tls-ca @password":                             {exitUsage, "", "with --tls only"},
		"--tls --tls-ca @password":                       {exitUsage, "", "holds no certificate"},
		"--tls --tls-cert @password":                     {exitUsage, "", "belong together"},
		"--tls --tls-cert @password --tls-key @password": {exitUsage, "", "cannot be used"},
		"--config @nothing":                              {exitUsage, "", "no such file"},
		"--config @password":                             {exitUsage, "", ""},
		"--config @scram --user q":                       {exitUsage, "", passwordVariable},
	} {
		if want.code == exitUsage && args == "--config @password" {
			want.code, want.says = exitFailed, "whether" // a file of other properties is no login
		}
		start := time.Now()
		result := runWith(t, withPassword(want.password), append(inFolder(folder, args), "-b", address, "--timeout", "2s", "topic", "leaders")...)
		if result.code != want.code || !strings.Contains(result.stderr, want.says) || want.code != exitFound && want.says == "" {
			t.Errorf("%q: exit %d, want %d and %q: %+v", args, result.code, want.code, want.says, result)
		}
		if strings.Contains(result.stderr+result.stdout, `p\w=1`) || strings.Contains(result.stderr, "nothing like it") {
			t.Errorf("%q: the password is shown: %+v", args, result)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%q took %v", args, took)
		}
	}
	// The file may say where the brokers are, too, and may be named by the environment.
	if result := runArgs(t, inFolder(folder, "--config @scram topic leaders")...); result.code != exitFound {
		t.Errorf("%+v", result)
	}
	named := func(name string) string {
		if name == configVariable {
			return filepath.Join(folder, "scram")
		}
		return ""
	}
	if result := runWith(t, named, "topic", "leaders"); result.code != exitFound {
		t.Errorf("%+v", result)
	}
}

func TestConnectingWithTLS(t *testing.T) {
	authority, other := kafkatest.NewAuthority(t), kafkatest.NewAuthority(t)
	listener := func(hosts ...string) *tls.Config {
		certificate, key := authority.Issue(t, "broker", hosts...)
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	mutual := listener("127.0.0.1")
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	mutual.ClientCAs.AppendCertsFromPEM(authority.PEM)
	addresses := map[string]string{
		"plain":     secured(t),
		"tls":       secured(t, kfake.TLS(listener("127.0.0.1"))),
		"elsewhere": secured(t, kfake.TLS(listener("kafka.example.org"))),
		"mutual":    secured(t, kfake.TLS(mutual)),
	}
	certificate, key := authority.Issue(t, "client")
	stranger, strangersKey := other.Issue(t, "stranger")
	inline := func(pem []byte) string { return strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", "\\n\\\n ") }
	folder := files(t, map[string]string{
		"ca": string(authority.PEM), "other": string(other.PEM), "cert": string(certificate), "key": string(key),
		"stranger": string(stranger), "strangersKey": string(strangersKey), "both": string(certificate) + string(key),
		"conf":   "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=ca\nssl.keystore.type=PEM\nssl.keystore.location=both\n",
		"inline": "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=" + inline(authority.PEM) + "\n",
		"any":    "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=ca\nssl.endpoint.identification.algorithm=\n",
		"anyBad": "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=other\nssl.endpoint.identification.algorithm=\n",
		"jks":    "security.protocol=SSL\nssl.truststore.location=ca\n",
	})
	for _, test := range []struct {
		to, args string
		code     int
		says     string
	}{
		{"tls", "--tls --tls-ca @ca", exitFound, ""},
		{"tls", "--config @conf", exitFound, ""},
		{"tls", "--config @inline", exitFound, ""},
		{"tls", "--tls --tls-ca @other", exitFailed, "does not trust"},
		{"tls", "--tls", exitFailed, "does not trust"},
		{"tls", "", exitFailed, "whether"},
		{"elsewhere", "--tls --tls-ca @ca", exitFailed, "127.0.0.1"},
		{"elsewhere", "--config @any", exitFound, ""},
		{"elsewhere", "--config @anyBad", exitFailed, "certificate"},
		{"mutual", "--tls --tls-ca @ca --tls-cert @cert --tls-key @key", exitFound, ""},
		{"mutual", "--config @conf", exitFound, ""},
		{"mutual", "--tls --tls-ca @ca --tls-cert @both --tls-key @both", exitFound, ""},
		{"mutual", "--tls --tls-ca @ca", exitFailed, "the client's own certificate"},
		{"mutual", "--tls --tls-ca @ca --tls-cert @stranger --tls-key @strangersKey", exitFailed, "certificate"},
		{"plain", "--tls --tls-ca @ca", exitFailed, ""},
		{"plain", "--config @jks", exitUsage, "ssl.truststore.type=PEM"},
	} {
		start := time.Now()
		result := runArgs(t, append(inFolder(folder, test.args), "-b", addresses[test.to], "--timeout", "2s", "topic", "leaders")...)
		if result.code != test.code || !strings.Contains(result.stderr, test.says) {
			t.Errorf("%s %q: exit %d, want %d and %q: %+v", test.to, test.args, result.code, test.code, test.says, result)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s %q took %v", test.to, test.args, took)
		}
	}
}
