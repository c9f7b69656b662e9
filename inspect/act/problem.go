package act

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/internal/exchange"
)

// problem says why the election was, or will be, refused.
func (e Election) problem(kind Kind) (inspect.Problem, bool) {
	p := inspect.Problem{Code: inspect.Code(e.Result), Target: e.String()}
	switch e.Result {
	case predict.ElectionDone, predict.ElectionNotNeeded:
		return p, false
	case predict.ElectionUnknownPartition:
		p.Code = inspect.CodeTopicNotFound
		p.Message = fmt.Sprintf("there is no partition %s, or it may not be seen, which takes DESCRIBE on the topic; check the name of the topic and the number", e)
		if e.Partition == predict.AllPartitions {
			p.Target = e.Topic
			p.Message = fmt.Sprintf("the topic %q does not exist on this cluster, or may not be seen, which takes DESCRIBE on it; check its name", e.Topic)
		}
	case predict.ElectionPreferredUnavailable:
		p.Message = fmt.Sprintf("%s stays with %s: its first replica is down or not in sync", e, whom(e.From))
		if e.From == nil {
			p.Message = fmt.Sprintf("%s stays without a leader: no replica that is in sync or eligible is up", e)
		}
	case predict.ElectionNobodyEligible:
		p.Message = fmt.Sprintf("%s stays without a leader: all of its replicas are down", e)
	case predict.ElectionNoController:
		p.Message = fmt.Sprintf("no leader can be elected for %s: the controllers have no majority", e)
	default:
		p.Message = fmt.Sprintf("the controller refused the %v election of %s: %s", kind, e, e.Result)
	}
	return p, true
}

// String returns topic-partition.
func (e Election) String() string { return fmt.Sprintf("%s-%d", e.Topic, e.Partition) }

func whom(leader *int32) string {
	if leader == nil {
		return "nobody"
	}
	return fmt.Sprintf("broker %d", *leader)
}

// fewOf names the first, and counts the others.
func fewOf(rows []*Election) string {
	if len(rows) == 1 {
		return rows[0].String()
	}
	return fmt.Sprintf("%s and %d more", rows[0], len(rows)-1)
}

// leftOut is an answer that tells nothing of some partitions.
func leftOut(kind Kind, rows []*Election) inspect.Problem {
	return inspect.Problem{
		Code: inspect.CodeRequestFailed, Target: rows[0].String(),
		Message: fmt.Sprintf("the controller's answer leaves out the %v election of %s: whether it was held is not known; see who leads", kind, fewOf(rows)),
	}
}

// problemOf is a request that failed as a whole.
func problemOf(err error, doing string) inspect.Problem {
	p := inspect.Problem{Code: inspect.CodeRequestFailed, Target: "cluster", Cause: err}
	var network net.Error
	kafka, isKafka := errors.AsType[*kerr.Error](err)
	switch {
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		p.Code = inspect.CodeNotAuthorized
		p.Message = fmt.Sprintf("cannot %s: not authorized; it takes the ACL ALTER on the cluster", doing)
	case isKafka:
		p.Code = inspect.Code(kafka.Message)
		p.Message = fmt.Sprintf("cannot %s: %s (%s)", doing, kafka.Message, kafka.Description)
	case errors.Is(err, context.Canceled):
		p.Code = inspect.CodeCanceled
		p.Message = fmt.Sprintf("cannot %s: canceled; it may have been done all the same", doing)
	case errors.Is(err, context.DeadlineExceeded):
		p.Code = inspect.CodeTimeout
		p.Message = fmt.Sprintf("cannot %s: the controller did not answer within the time given; it may have been done all the same", doing)
	case errors.As(err, &network), kgo.IsRetryableBrokerErr(err):
		p.Code = inspect.CodeUnreachable
		p.Message = fmt.Sprintf("cannot %s: the controller, or the broker that hands the request on, cannot be reached, or was lost before it answered; it may have been done all the same: see who leads (%v)", doing, err)
	case exchange.IsUnreadable(err):
		p.Message = fmt.Sprintf("cannot %s: the answer cannot be read; it may have been done all the same: see who leads (%v)", doing, err)
	default:
		p.Message = fmt.Sprintf("cannot %s: %v; whether it was done is not known: see who leads", doing, err)
	}
	return p
}
