// Package clientfile reads the client configuration that Kafka's own tools take by
// --command-config, so that one file serves those tools and groupctl.
//
// It knows the properties that say where the brokers are and how to be let in:
//
//	bootstrap.servers
//	security.protocol                      PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
//	sasl.mechanism                         PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
//	sasl.jaas.config                       of PlainLoginModule or ScramLoginModule
//	ssl.truststore.type, ssl.keystore.type PEM
//	ssl.truststore.location, ssl.truststore.certificates
//	ssl.keystore.location, ssl.keystore.certificate.chain, ssl.keystore.key
//	ssl.endpoint.identification.algorithm  https, or empty
//
// Other properties of security are refused rather than overlooked; all others are of
// no concern here and skipped, as Kafka's tools skip those of other clients.
package clientfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Config is how to reach a cluster.
type Config struct {
	// Brokers is bootstrap.servers as it stands, empty if it is not given.
	Brokers string
	TLS     bool
	// CA, Certificate and Key are PEM; empty for the machine's own authorities, and
	// for a client without a certificate.
	CA, Certificate, Key []byte
	// AnyHost is whether a broker's certificate may be for another host.
	AnyHost bool
	// Mechanism is the SASL mechanism in Kafka's spelling, empty for none.
	Mechanism, User, Password string
}

// mostBytes is far more than a configuration or a store of certificates has.
const mostBytes = 4 << 20

// Read reads a file. No error holds a password.
func Read(path string) (Config, error) {
	text, err := ReadSmall(path)
	if err != nil {
		return Config{}, err
	}
	values, err := parseProperties(string(text))
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	c, err := fromProperties(values, filepath.Dir(path))
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ReadSmall reads a file that is bounded in size.
func ReadSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > mostBytes {
		return nil, fmt.Errorf("%s has %d bytes, which is too much for a configuration", path, info.Size())
	}
	return os.ReadFile(path)
}

var known = []string{
	"security.protocol", "sasl.mechanism", "sasl.jaas.config",
	"ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.certificates",
	"ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.certificate.chain", "ssl.keystore.key",
	"ssl.endpoint.identification.algorithm",
}

func fromProperties(values map[string]string, folder string) (Config, error) {
	c := Config{Brokers: values["bootstrap.servers"]}
	for key := range values {
		about, _, _ := strings.Cut(key, ".")
		if slices.Contains([]string{"security", "sasl", "ssl"}, about) && !slices.Contains(known, key) {
			return c, fmt.Errorf("%s is not supported; those that are: %s", key, strings.Join(known, ", "))
		}
	}
	protocol := strings.ToUpper(values["security.protocol"])
	switch protocol {
	case "", "PLAINTEXT":
	case "SSL", "SASL_SSL":
		c.TLS = true
	case "SASL_PLAINTEXT":
	default:
		return c, fmt.Errorf("security.protocol %q is not known; give PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", protocol)
	}
	if c.TLS {
		if err := c.stores(values, folder); err != nil {
			return c, err
		}
	}
	if strings.HasPrefix(protocol, "SASL_") {
		return c, c.credentials(values)
	}
	return c, nil
}

// stores reads the certificates. Kafka keeps the chain and the key of a PEM keystore in
// one file.
func (c *Config) stores(values map[string]string, folder string) error {
	for _, store := range []string{"truststore", "keystore"} {
		kind, location := values["ssl."+store+".type"], values["ssl."+store+".location"]
		if location == "" || strings.EqualFold(kind, "PEM") {
			continue
		}
		return fmt.Errorf("ssl.%s.location names a store of the type %q; only ssl.%s.type=PEM can be read: turn it into PEM with keytool -importkeystore and openssl pkcs12",
			store, orElse(kind, "JKS"), store)
	}
	read := func(location string) ([]byte, error) {
		if !filepath.IsAbs(location) {
			// As for Kafka's tools, relative to where the program runs; where there
			// is no such file, beside the configuration.
			if _, err := os.Stat(location); err != nil {
				location = filepath.Join(folder, location)
			}
		}
		return ReadSmall(location)
	}
	var err error
	c.CA = []byte(values["ssl.truststore.certificates"])
	if location := values["ssl.truststore.location"]; location != "" {
		if c.CA, err = read(location); err != nil {
			return err
		}
	}
	c.Certificate, c.Key = []byte(values["ssl.keystore.certificate.chain"]), []byte(values["ssl.keystore.key"])
	if location := values["ssl.keystore.location"]; location != "" {
		if c.Certificate, err = read(location); err != nil {
			return err
		}
		c.Key = c.Certificate
	}
	algorithm, given := values["ssl.endpoint.identification.algorithm"]
	if given && algorithm != "" && !strings.EqualFold(algorithm, "https") {
		return fmt.Errorf("ssl.endpoint.identification.algorithm %q is not known; give https, or leave it empty", algorithm)
	}
	c.AnyHost = given && algorithm == ""
	return nil
}

func (c *Config) credentials(values map[string]string) error {
	c.Mechanism = strings.ToUpper(values["sasl.mechanism"])
	if c.Mechanism == "" {
		return fmt.Errorf("security.protocol %s needs a sasl.mechanism", values["security.protocol"])
	}
	entry, err := parseJAAS(values["sasl.jaas.config"])
	if err != nil {
		return fmt.Errorf("sasl.jaas.config cannot be read: %w", err)
	}
	if entry.module != "PlainLoginModule" && entry.module != "ScramLoginModule" {
		return fmt.Errorf("sasl.jaas.config is of %q; only PlainLoginModule and ScramLoginModule are supported", entry.module)
	}
	c.User, c.Password = entry.options["username"], entry.options["password"]
	if c.User == "" || c.Password == "" {
		return fmt.Errorf("sasl.jaas.config has no username or no password")
	}
	return nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
