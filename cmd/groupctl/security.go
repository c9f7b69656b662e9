package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/groupkit/groupkit/cmd/groupctl/internal/clientfile"
)

const (
	configVariable   = "GROUPCTL_CONFIG"
	passwordVariable = "GROUPCTL_PASSWORD"
)

// securityFlags say how to be let in by the brokers.
type securityFlags struct {
	config          string
	tls             bool
	ca, cert, key   string
	mechanism, user string
	passwordFile    string
}

func (f *securityFlags) addTo(command *cobra.Command) {
	flags := command.PersistentFlags()
	flags.StringVar(&f.config, "config", "", "a client configuration as Kafka's tools take it by --command-config (default: the environment variable "+configVariable+")")
	flags.BoolVar(&f.tls, "tls", false, "connect with TLS")
	flags.StringVar(&f.ca, "tls-ca", "", "a PEM file with the authorities to trust, with --tls (default: the machine's own)")
	flags.StringVar(&f.cert, "tls-cert", "", "a PEM file with this client's certificate, with --tls and --tls-key")
	flags.StringVar(&f.key, "tls-key", "", "a PEM file with the key of --tls-cert")
	flags.StringVar(&f.mechanism, "sasl", "", "log in with SASL: plain, scram-sha-256 or scram-sha-512, with --user")
	flags.StringVar(&f.user, "user", "", "the user to log in as, with --sasl or --zookeeper")
	flags.StringVar(&f.passwordFile, "password-file", "", "a file that holds the password (default: the environment variable "+passwordVariable+")")
}

// clientConfig is how to reach the brokers, from the file and the flags. Flags win over
// the file; of what belongs together (TLS, or the login) the flags replace all.
func (s *session) clientConfig() (clientfile.Config, error) {
	f := &s.security
	var c clientfile.Config
	path := f.config
	if path == "" {
		path = s.getenv(configVariable)
	}
	if path != "" {
		var err error
		if c, err = clientfile.Read(path); err != nil {
			return c, &usageError{fmt.Sprintf("the client configuration cannot be used: %v", err)}
		}
	}
	if err := f.addTLS(&c); err != nil {
		return c, err
	}
	return c, s.login(&c)
}

// addTLS takes over the flags of TLS.
func (f *securityFlags) addTLS(c *clientfile.Config) error {
	if f.ca != "" || f.cert != "" || f.key != "" {
		if !f.tls && !c.TLS {
			return &usageError{"--tls-ca, --tls-cert and --tls-key are of use with --tls only"}
		}
	}
	if (f.cert == "") != (f.key == "") {
		return &usageError{"--tls-cert and --tls-key belong together; give both or neither"}
	}
	c.TLS = c.TLS || f.tls
	for _, given := range []struct {
		flag, file string
		into       *[]byte
	}{{"--tls-ca", f.ca, &c.CA}, {"--tls-cert", f.cert, &c.Certificate}, {"--tls-key", f.key, &c.Key}} {
		if given.file == "" {
			continue
		}
		content, err := clientfile.ReadSmall(given.file)
		if err != nil {
			return &usageError{fmt.Sprintf("cannot read %s: %v; name a PEM file", given.flag, err)}
		}
		*given.into = content
	}
	return nil
}

// login takes over the flags that tell who logs in.
func (s *session) login(c *clientfile.Config) error {
	f := &s.security
	switch {
	case f.mechanism == "" && f.user == "" && f.passwordFile == "":
		return nil
	case f.mechanism == "" && c.Mechanism == "":
		return &usageError{"--user and --password-file are of use with --sasl only; give --sasl plain, scram-sha-256 or scram-sha-512"}
	}
	if f.mechanism != "" {
		c.Mechanism = strings.ToUpper(f.mechanism)
		if _, err := saslMechanism(*c); err != nil {
			return err // before it asks for a user and a password
		}
	}
	if f.user != "" {
		c.User, c.Password = f.user, ""
	}
	if c.User == "" {
		return &usageError{"nobody is named to log in; give --user"}
	}
	switch {
	case f.passwordFile != "":
		content, err := clientfile.ReadSmall(f.passwordFile)
		if err != nil {
			return &usageError{fmt.Sprintf("cannot read --password-file: %v; name a file that holds the password and nothing else", err)}
		}
		c.Password = strings.TrimRight(string(content), "\r\n")
	case c.Password == "":
		c.Password = s.getenv(passwordVariable)
	}
	if c.Password == "" {
		return &usageError{fmt.Sprintf("no password for %q; set %s or give --password-file", c.User, passwordVariable)}
	}
	return nil
}

// securityOptions are the client's options for a configuration.
func securityOptions(c clientfile.Config) ([]kgo.Opt, error) {
	var options []kgo.Opt
	if c.TLS {
		config, err := tlsConfig(c)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	if c.Mechanism != "" {
		mechanism, err := saslMechanism(c)
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.SASL(mechanism))
	}
	return options, nil
}

func saslMechanism(c clientfile.Config) (sasl.Mechanism, error) {
	switch c.Mechanism {
	case "PLAIN":
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism(), nil
	}
	return nil, &usageError{fmt.Sprintf("the SASL mechanism %q is not supported; give plain, scram-sha-256 or scram-sha-512", c.Mechanism)}
}

func tlsConfig(c clientfile.Config) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("the file of authorities holds no certificate in PEM")
		}
	}
	if len(c.Certificate) > 0 {
		pair, err := tls.X509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, fmt.Errorf("the client's certificate and key cannot be used: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if c.AnyHost {
		// The chain is verified all the same; only the name of the host is not.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("the broker sent no certificate")
			}
			options := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
			for _, certificate := range state.PeerCertificates[1:] {
				options.Intermediates.AddCert(certificate)
			}
			_, err := state.PeerCertificates[0].Verify(options)
			return err
		}
	}
	return config, nil
}
