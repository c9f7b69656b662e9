package inspect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"github.com/groupkit/groupkit/internal/exchange"
)

// Code says what kind of [Problem] it is, for programs. A Kafka error that has
// no code below is given under Kafka's own name, such as
// "COORDINATOR_LOAD_IN_PROGRESS".
type Code string

const (
	// CodeUnreachable: no broker, or not the broker needed, could be talked to.
	CodeUnreachable Code = "BROKER_UNREACHABLE"
	// CodeTimeout: the time given, or a step's share of it, was over.
	CodeTimeout Code = "TIMEOUT"
	// CodeCanceled: the context was canceled.
	CodeCanceled Code = "CANCELED"
	// CodeRequestFailed: the exchange failed in another way, such as an answer
	// that does not parse.
	CodeRequestFailed Code = "REQUEST_FAILED"
	// CodeNotAuthorized: an ACL is missing; the message names it.
	CodeNotAuthorized Code = "NOT_AUTHORIZED"
	// CodeUnsupported: the brokers do not know the request that it takes.
	CodeUnsupported Code = "UNSUPPORTED"
	// CodeInvalidName: an argument cannot be the name of anything in Kafka.
	CodeInvalidName Code = "INVALID_NAME"
	// CodeGroupNotFound: there is no such group.
	CodeGroupNotFound Code = "GROUP_NOT_FOUND"
	// CodeTopicNotFound: there is no such topic, or its existence is hidden
	// because DESCRIBE on it is missing and the broker chose to hide it.
	CodeTopicNotFound Code = "TOPIC_NOT_FOUND"
	// CodeNodeNotFound: there is no such broker, voter or rack.
	CodeNodeNotFound Code = "NODE_NOT_FOUND"
	// CodeReassigning: replicas of partitions are being added or removed.
	CodeReassigning Code = "REASSIGNING"
	// CodeNoEffect: a node is to go down and is down, or to come back and is up.
	CodeNoEffect Code = "NO_EFFECT"
	// CodeOffsetsTopicAbsent: __consumer_offsets does not exist yet, so no
	// group has a coordinator so far.
	CodeOffsetsTopicAbsent Code = "OFFSETS_TOPIC_ABSENT"
	// CodeOffsetsTopicConcealed: the brokers list groups and show no
	// __consumer_offsets: it may not be seen, or groups are not kept there.
	CodeOffsetsTopicConcealed Code = "OFFSETS_TOPIC_CONCEALED"
	// CodeStateTopicAbsent: __transaction_state or __share_group_state does not
	// exist yet, so no transactional id, or no share group, has a coordinator so
	// far.
	CodeStateTopicAbsent Code = "STATE_TOPIC_ABSENT"
	// CodeCoordinatorMismatch: the brokers name another coordinator than the
	// leader of the group's offsets partition.
	CodeCoordinatorMismatch Code = "COORDINATOR_MISMATCH"
	// CodeNoLeader: there is no leader at present.
	CodeNoLeader Code = "LEADER_NOT_AVAILABLE"
	// CodeMigrating: the cluster migrates, or migrated, from ZooKeeper to KRaft.
	CodeMigrating Code = "MIGRATING_TO_KRAFT"
	// CodeRebalancing: the group is between two generations.
	CodeRebalancing Code = "GROUP_REBALANCING"
	// CodeRecordNotFound: the group's record was not found in as much of
	// __consumer_offsets as may be read.
	CodeRecordNotFound Code = "GROUP_RECORD_NOT_FOUND"
	// CodeRecordUnreadable: the group's record, or the log around it, does not
	// decode.
	CodeRecordUnreadable Code = "GROUP_RECORD_UNREADABLE"
	// CodeRecordStale: the group's record tells of a leader who is no longer
	// a member.
	CodeRecordStale Code = "GROUP_RECORD_STALE"
	// CodeLogTruncated: the budget ended before all was read that was asked for.
	CodeLogTruncated Code = "LOG_TRUNCATED"
	// CodeCommittedBeforeStart: records were deleted before the group consumed
	// them.
	CodeCommittedBeforeStart Code = "COMMITTED_BEFORE_START"
	// CodeCommittedBeyondEnd: the group committed an offset that the log has not
	// reached.
	CodeCommittedBeyondEnd Code = "COMMITTED_BEYOND_END"
	// CodeMemberUnreadable: what a member sent about itself does not decode.
	CodeMemberUnreadable Code = "MEMBER_UNREADABLE"
	// CodeElectionUnclear: what the members of an election were told does not say who
	// leads it.
	CodeElectionUnclear Code = "ELECTION_UNCLEAR"
	// CodeSubscribedByPattern: a member subscribes by a regular expression
	// that the broker resolves, so its topics are not told.
	CodeSubscribedByPattern Code = "SUBSCRIBED_BY_PATTERN"
	// CodeEventsSkipped: a file of what members say has lines that cannot be read, or none
	// about the group.
	CodeEventsSkipped Code = "EVENTS_SKIPPED"
)

// Problem is one thing that could not be found out, or that makes an answer
// doubtful. It is an error, so errors.AsType[inspect.Problem] finds it.
type Problem struct {
	Code Code `json:"code"`
	// Target is what it is about: the name of a group or topic, a partition as
	// "topic-3", a broker as "broker 3", or "cluster".
	Target string `json:"target"`
	// Message is one sentence that names what is wrong and, where there is
	// something to do, what.
	Message string `json:"message"`
	// Cause is the error behind it, nil if there is none.
	Cause error `json:"-"`
}

// Error returns the message.
func (p Problem) Error() string { return p.Message }

// Unwrap returns the cause, such as a *kerr.Error or a network error.
func (p Problem) Unwrap() error { return p.Cause }

const clusterTarget = "cluster"

// brokerError is why one broker did not answer.
type brokerError struct {
	node int32
	err  error
}

func (e brokerError) Error() string { return fmt.Sprintf("broker %d: %v", e.node, e.err) }

func (e brokerError) Unwrap() error { return e.err }

// problemFrom names the kind of a failed request. doing completes "cannot …";
// acl is what that takes, such as "DESCRIBE on the group".
func problemFrom(err error, target, doing, acl string) Problem {
	p := Problem{Target: target, Cause: err}
	who := "the broker"
	if of, ok := errors.AsType[brokerError](err); ok {
		who, err = fmt.Sprintf("broker %d", of.node), of.err
	}
	var network net.Error
	kafka, isKafka := errors.AsType[*kerr.Error](err)
	_, isFirstRead := errors.AsType[*kgo.ErrFirstReadEOF](err)
	switch {
	case isKafka && isAuthorization(kafka):
		p.Code = CodeNotAuthorized
		p.Message = fmt.Sprintf("cannot %s: not authorized; it takes the ACL %s", doing, acl)
	case isKafka && kafka == kerr.UnsupportedVersion:
		p.Code = CodeUnsupported
		p.Message = fmt.Sprintf("cannot %s: the broker does not support that request", doing)
	case isKafka:
		p.Code = Code(kafka.Message)
		p.Message = fmt.Sprintf("cannot %s: the broker answered %s (%s)", doing, kafka.Message, strings.TrimSuffix(kafka.Description, "."))
		if kafka.Retriable {
			p.Message += "; try again"
		}
	case errors.Is(err, context.DeadlineExceeded):
		p.Code = CodeTimeout
		p.Message = fmt.Sprintf("cannot %s: no answer within the time given; give more time, or check that %s is up", doing, who)
	case errors.Is(err, context.Canceled):
		p.Code = CodeCanceled
		p.Message = fmt.Sprintf("cannot %s: canceled", doing)
	case isReadTimeout(err):
		p.Code = CodeTimeout
		p.Message = fmt.Sprintf("cannot %s: %s took the request and did not answer in time; check that it is up and not overloaded", doing, who)
	case isFirstRead:
		p.Code = CodeUnreachable
		p.Message = fmt.Sprintf("cannot %s: %s closed the connection at once; check that it is up, and whether its advertised listener wants TLS or SASL", doing, who)
	case errors.As(err, &network), kgo.IsRetryableBrokerErr(err):
		p.Code = CodeUnreachable
		p.Message = fmt.Sprintf("cannot %s: %s cannot be reached; check that it is up, and that its advertised address works from here (%v)", doing, who, err)
	case exchange.IsUnreadable(err):
		p.Code = CodeRequestFailed
		p.Message = fmt.Sprintf("cannot %s: the answer of %s cannot be read (%v); check that it is a Kafka broker, and what is between", doing, who, err)
	default:
		p.Code = CodeRequestFailed
		p.Message = fmt.Sprintf("cannot %s: %v", doing, err)
	}
	return p
}

// isReadTimeout says whether the client's own patience for an answer was over.
func isReadTimeout(err error) bool {
	network, ok := errors.AsType[*net.OpError](err)
	return ok && network.Op == "read" && network.Timeout()
}

func isAuthorization(err *kerr.Error) bool {
	switch err {
	case kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed:
		return true
	}
	return false
}

// unreachable is the Problem of a cluster of which no broker answered.
func (in *Inspector) unreachable(err error) Problem {
	seeds, _ := in.client.OptValue(kgo.SeedBrokers).([]string)
	where := strings.Join(seeds, ", ")
	p := Problem{Code: CodeUnreachable, Target: clusterTarget, Cause: err}
	firstRead, isFirstRead := errors.AsType[*kgo.ErrFirstReadEOF](err)
	kafka, isKafka := errors.AsType[*kerr.Error](err)
	why := err // of a connection that was closed: at its first read, or with the request unread
	if isFirstRead {
		why = firstRead
	}
	switch {
	case errors.Is(err, context.Canceled):
		p.Code = CodeCanceled
		p.Message = fmt.Sprintf("canceled before a broker answered at %s", where)
	case errors.Is(err, context.DeadlineExceeded):
		p.Message = fmt.Sprintf("no broker answered at %s within the time given; check the address, and whether the listener there wants TLS or SASL (%s)", where, in.speaks())
	case isKafka:
		p.Code = Code(kafka.Message)
		p.Message = fmt.Sprintf("the broker at %s refused: %s (%s)", where, kafka.Message, strings.TrimSuffix(kafka.Description, "."))
	case isCertificate(err):
		p.Message = fmt.Sprintf("the broker at %s has a certificate that this client does not trust; check which authorities the client is told to trust, and that the address is one that the certificate is for (%v)", where, err)
	case isTLSAlert(err):
		p.Message = fmt.Sprintf("the broker at %s refused the TLS handshake; check the client's own certificate (%v)", where, err)
	case isFirstRead, errors.Is(err, syscall.ECONNRESET):
		p.Message = fmt.Sprintf("the broker at %s closed the connection at once; check whether its listener wants TLS or SASL (%s; %v)", where, in.speaks(), why)
	case errors.Is(err, io.EOF) && in.logsIn():
		p.Message = fmt.Sprintf("the broker at %s closed the connection while the client logged in; check user, password and SASL mechanism (%v)", where, err)
	default:
		p.Message = fmt.Sprintf("no broker answered at %s; check the address, and that a Kafka broker listens there (%v)", where, err)
	}
	return p
}

// isCertificate says whether a broker's certificate was not accepted.
func isCertificate(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verification || authority || host || invalid
}

// isTLSAlert says whether the other side ended the handshake.
func isTLSAlert(err error) bool {
	network, ok := errors.AsType[*net.OpError](err)
	return ok && network.Op == "remote error"
}

func (in *Inspector) logsIn() bool {
	mechanisms, _ := in.client.OptValue(kgo.SASL).([]sasl.Mechanism)
	return len(mechanisms) > 0
}

// speaks says what the client is set up to speak.
func (in *Inspector) speaks() string {
	withTLS, _ := in.client.OptValue(kgo.DialTLS).(bool)
	how := "neither"
	switch {
	case withTLS && in.logsIn():
		how = "both"
	case withTLS:
		how = "TLS only"
	case in.logsIn():
		how = "SASL only"
	}
	return "this client is set up for " + how
}
