package member

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The longest wait of a fetch is shorter than kgo's default, and the user's where there is
// one.
func TestFetchMaxWait(t *testing.T) {
	for _, test := range []struct {
		opts []kgo.Opt
		want time.Duration
	}{
		{nil, 500 * time.Millisecond},
		{[]kgo.Opt{kgo.FetchMaxWait(2 * time.Second)}, 2 * time.Second},
	} {
		m, err := New(Config{Group: "g", Topics: []string{"t"}, Client: append([]kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, test.opts...)})
		if err != nil {
			t.Fatal(err)
		}
		if got := optValue[time.Duration](m.Client(), kgo.FetchMaxWait); got != test.want {
			t.Errorf("with %d options of the user's: %s, want %s", len(test.opts), got, test.want)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
