package member_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// produce writes so many records to each of the partitions of "t".
func produce(t *testing.T, cluster *kfake.Cluster, partitions, records int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range records {
		// A batch each, so that they can be fetched one by one.
		var all []*kgo.Record
		for p := range partitions {
			all = append(all, &kgo.Record{Partition: int32(p), Value: fmt.Appendf(nil, "%d/%d", p, i)})
		}
		if err := client.ProduceSync(t.Context(), all...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}
