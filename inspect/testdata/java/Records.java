// Writes one record of each type and version that Kafka's group coordinator knows, as
// TYPE TAB KEY TAB VALUE in hex, for records_test.go. Run it with the jars of the
// version that is named in records.txt:
//
//	java -cp "$(find ~/.m2 -path '*org/apache/kafka*' -name '*4.3.0.jar' | tr '\n' ':')" Records.java >../records.txt
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.coordinator.group.generated.*;

public class Records {
    static final Uuid ID = new Uuid(1, 2);

    static void write(int type, ApiMessage key, ApiMessage value, int version) {
        ByteBuffer k = MessageUtil.toCoordinatorTypePrefixedByteBuffer(key);
        ByteBuffer v = MessageUtil.toVersionPrefixedByteBuffer((short) version, value);
        System.out.println(type + "\t" + hex(k) + "\t" + hex(v));
    }

    static String hex(ByteBuffer b) {
        byte[] bytes = new byte[b.remaining()];
        b.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    public static void main(String[] args) {
        write(0, new LegacyOffsetCommitKey().setGroup("g").setTopic("t").setPartition(3),
            new LegacyOffsetCommitValue().setOffset(41).setMetadata("m").setCommitTimestamp(1000), 0);
        for (int v = 0; v <= 4; v++)
            write(1, new OffsetCommitKey().setGroup("g").setTopic("t").setPartition(3),
                new OffsetCommitValue().setOffset(41).setMetadata("m").setCommitTimestamp(1000).setLeaderEpoch(7)
                    .setTopicId(v >= 4 ? ID : Uuid.ZERO_UUID), v);
        for (int v = 0; v <= 4; v++)
            write(2, new GroupMetadataKey().setGroup("g"),
                new GroupMetadataValue().setProtocolType("consumer").setGeneration(5).setProtocol("range").setLeader("a")
                    .setCurrentStateTimestamp(2000).setMembers(List.of(
                        new GroupMetadataValue.MemberMetadata().setMemberId("b").setClientId("c").setClientHost("/h")
                            .setRebalanceTimeout(600).setSessionTimeout(500)
                            .setSubscription(HexFormat.of().parseHex("000000000001000174ffffffff"))
                            .setAssignment(HexFormat.of().parseHex("00000000000100017400000002000000010000000400000000")),
                        new GroupMetadataValue.MemberMetadata().setMemberId("a").setGroupInstanceId(v >= 3 ? "i" : null)
                            .setClientId("c").setClientHost("/h").setRebalanceTimeout(600).setSessionTimeout(500)
                            .setSubscription(new byte[0]).setAssignment(new byte[0]))), v);
        write(3, new ConsumerGroupMetadataKey().setGroupId("g"), new ConsumerGroupMetadataValue().setEpoch(9).setMetadataHash(77), 0);
        write(4, new ConsumerGroupPartitionMetadataKey().setGroupId("g"), new ConsumerGroupPartitionMetadataValue().setTopics(List.of(
            new ConsumerGroupPartitionMetadataValue.TopicMetadata().setTopicId(ID).setTopicName("t").setNumPartitions(2)
                .setPartitionMetadata(List.of(new ConsumerGroupPartitionMetadataValue.PartitionMetadata().setPartition(1).setRacks(List.of("r1", "r2")))))), 0);
        write(5, new ConsumerGroupMemberMetadataKey().setGroupId("g").setMemberId("a"), new ConsumerGroupMemberMetadataValue()
            .setInstanceId("i").setRackId("r").setClientId("c").setClientHost("/h").setSubscribedTopicNames(List.of("u", "t"))
            .setSubscribedTopicRegex("x.*").setRebalanceTimeoutMs(600).setServerAssignor("uniform")
            .setClassicMemberMetadata(new ConsumerGroupMemberMetadataValue.ClassicMemberMetadata().setSessionTimeoutMs(500).setSupportedProtocols(List.of(
                new ConsumerGroupMemberMetadataValue.ClassicProtocol().setName("range").setMetadata(new byte[] {1, 2, 3})))), 0);
        write(5, new ConsumerGroupMemberMetadataKey().setGroupId("g").setMemberId("a"), new ConsumerGroupMemberMetadataValue()
            .setInstanceId(null).setRackId(null).setClientId("c").setClientHost("/h").setSubscribedTopicNames(List.of("t"))
            .setSubscribedTopicRegex(null).setRebalanceTimeoutMs(600).setServerAssignor(null).setClassicMemberMetadata(null), 0);
        write(6, new ConsumerGroupTargetAssignmentMetadataKey().setGroupId("g"),
            new ConsumerGroupTargetAssignmentMetadataValue().setAssignmentEpoch(9).setAssignmentTimestamp(3000), 0);
        write(7, new ConsumerGroupTargetAssignmentMemberKey().setGroupId("g").setMemberId("a"), new ConsumerGroupTargetAssignmentMemberValue()
            .setTopicPartitions(List.of(new ConsumerGroupTargetAssignmentMemberValue.TopicPartition().setTopicId(ID).setPartitions(List.of(4, 1)))), 0);
        write(8, new ConsumerGroupCurrentMemberAssignmentKey().setGroupId("g").setMemberId("a"), new ConsumerGroupCurrentMemberAssignmentValue()
            .setMemberEpoch(9).setPreviousMemberEpoch(8).setState((byte) 1)
            .setAssignedPartitions(List.of(new ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions().setTopicId(ID).setPartitions(List.of(1, 4)).setAssignmentEpochs(List.of(8, 9))))
            .setPartitionsPendingRevocation(List.of(new ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions().setTopicId(ID).setPartitions(List.of(2)))), 0);
        write(10, new ShareGroupMemberMetadataKey().setGroupId("g").setMemberId("a"), new ShareGroupMemberMetadataValue()
            .setRackId("r").setClientId("c").setClientHost("/h").setSubscribedTopicNames(List.of("t")), 0);
        write(11, new ShareGroupMetadataKey().setGroupId("g"), new ShareGroupMetadataValue().setEpoch(9).setMetadataHash(77), 0);
        write(12, new ShareGroupTargetAssignmentMetadataKey().setGroupId("g"), new ShareGroupTargetAssignmentMetadataValue().setAssignmentEpoch(9), 0);
        write(13, new ShareGroupTargetAssignmentMemberKey().setGroupId("g").setMemberId("a"), new ShareGroupTargetAssignmentMemberValue()
            .setTopicPartitions(List.of(new ShareGroupTargetAssignmentMemberValue.TopicPartition().setTopicId(ID).setPartitions(List.of(1, 4)))), 0);
        write(14, new ShareGroupCurrentMemberAssignmentKey().setGroupId("g").setMemberId("a"), new ShareGroupCurrentMemberAssignmentValue()
            .setMemberEpoch(9).setPreviousMemberEpoch(8).setState((byte) 0)
            .setAssignedPartitions(List.of(new ShareGroupCurrentMemberAssignmentValue.TopicPartitions().setTopicId(ID).setPartitions(List.of(1, 4)))), 0);
        write(15, new ShareGroupStatePartitionMetadataKey().setGroupId("g"), new ShareGroupStatePartitionMetadataValue()
            .setInitializingTopics(List.of(new ShareGroupStatePartitionMetadataValue.TopicPartitionsInfo().setTopicId(ID).setTopicName("t").setPartitions(List.of(1))))
            .setInitializedTopics(List.of(new ShareGroupStatePartitionMetadataValue.TopicPartitionsInfo().setTopicId(ID).setTopicName("t").setPartitions(List.of(0))))
            .setDeletingTopics(List.of(new ShareGroupStatePartitionMetadataValue.TopicInfo().setTopicId(ID).setTopicName("u"))), 0);
        write(16, new ConsumerGroupRegularExpressionKey().setGroupId("g").setRegularExpression("x.*"),
            new ConsumerGroupRegularExpressionValue().setTopics(List.of("u", "t")).setVersion(3).setTimestamp(4000), 0);
        write(17, new StreamsGroupMetadataKey().setGroupId("g"), new StreamsGroupMetadataValue().setEpoch(9).setMetadataHash(77).setValidatedTopologyEpoch(2)
            .setLastAssignmentConfigs(List.of(new StreamsGroupMetadataValue.LastAssignmentConfig().setKey("k").setValue("v"))), 0);
        write(19, new StreamsGroupMemberMetadataKey().setGroupId("g").setMemberId("a"), new StreamsGroupMemberMetadataValue()
            .setInstanceId("i").setRackId("r").setClientId("c").setClientHost("/h").setRebalanceTimeoutMs(600).setTopologyEpoch(2).setProcessId("p")
            .setUserEndpoint(new StreamsGroupMemberMetadataValue.Endpoint().setHost("h").setPort(80))
            .setClientTags(List.of(new StreamsGroupMemberMetadataValue.KeyValue().setKey("k").setValue("v"))), 0);
        write(20, new StreamsGroupTargetAssignmentMetadataKey().setGroupId("g"), new StreamsGroupTargetAssignmentMetadataValue().setAssignmentEpoch(9), 0);
        write(21, new StreamsGroupTargetAssignmentMemberKey().setGroupId("g").setMemberId("a"), new StreamsGroupTargetAssignmentMemberValue()
            .setActiveTasks(List.of(new StreamsGroupTargetAssignmentMemberValue.TaskIds().setSubtopologyId("s").setPartitions(List.of(1, 0))))
            .setStandbyTasks(List.of(new StreamsGroupTargetAssignmentMemberValue.TaskIds().setSubtopologyId("s").setPartitions(List.of(2))))
            .setWarmupTasks(List.of()), 0);
        write(22, new StreamsGroupCurrentMemberAssignmentKey().setGroupId("g").setMemberId("a"), new StreamsGroupCurrentMemberAssignmentValue()
            .setMemberEpoch(9).setPreviousMemberEpoch(8).setState((byte) 2)
            .setActiveTasks(List.of(new StreamsGroupCurrentMemberAssignmentValue.TaskIds().setSubtopologyId("s").setPartitions(List.of(0, 1)).setAssignmentEpochs(List.of(8, 9))))
            .setActiveTasksPendingRevocation(List.of(new StreamsGroupCurrentMemberAssignmentValue.TaskIds().setSubtopologyId("s").setPartitions(List.of(3)))), 0);
        write(23, new StreamsGroupTopologyKey().setGroupId("g"), new StreamsGroupTopologyValue().setEpoch(9).setSubtopologies(List.of(
            new StreamsGroupTopologyValue.Subtopology().setSubtopologyId("s").setSourceTopics(List.of("t")).setSourceTopicRegex(List.of("x.*"))
                .setStateChangelogTopics(List.of(new StreamsGroupTopologyValue.TopicInfo().setName("log").setPartitions(0).setReplicationFactor((short) 1)
                    .setTopicConfigs(List.of(new StreamsGroupTopologyValue.TopicConfig().setKey("k").setValue("v")))))
                .setRepartitionSinkTopics(List.of("sink"))
                .setRepartitionSourceTopics(List.of(new StreamsGroupTopologyValue.TopicInfo().setName("u").setPartitions(2)))
                .setCopartitionGroups(List.of(new StreamsGroupTopologyValue.CopartitionGroup().setSourceTopics(List.of((short) 0)).setRepartitionSourceTopics(List.of((short) 0)))))), 0);
    }
}
