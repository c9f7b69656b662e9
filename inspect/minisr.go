package inspect

import "context"

// addMinISR reads min.insync.replicas of each topic that there are rows of, and
// judges the rows by it. Where it cannot be read, rows stay as they are, and there
// is one problem for each reason.
func (in *Inspector) addMinISR(ctx context.Context, rows []Partition) []Problem {
	configs := in.topicConfigs(ctx, topicsOf(rows), minISRName)
	var topic string
	var least *int32
	for i := range rows {
		row := &rows[i]
		if i == 0 || row.Topic != topic {
			topic, least = row.Topic, nil
			if value, ok := configs.number(topic, minISRName); ok {
				least = &value
			}
		}
		if row.MinISR = least; least != nil {
			under := len(row.ISR) < min(int(*least), len(row.Replicas))
			row.UnderMinISR = &under
		}
	}
	return configs.problems("so whether too few replicas are in sync is not known")
}
