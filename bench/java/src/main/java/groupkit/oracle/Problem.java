package groupkit.oracle;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** A group to plan, as it comes in; the Go side describes the fields in its package wire. */
@JsonIgnoreProperties(ignoreUnknown = true)
final class Problem {
    @JsonProperty String id = "";
    @JsonProperty List<Topic> topics = List.of();
    @JsonProperty List<Member> members = List.of();
    @JsonProperty List<String> assignors = List.of();
    @JsonProperty int warmUp;
    @JsonProperty int repeat = 1;
    @JsonProperty long budgetMillis = Long.MAX_VALUE;

    @JsonIgnoreProperties(ignoreUnknown = true)
    static final class Topic {
        @JsonProperty String name;
        @JsonProperty int partitions;
        @JsonProperty List<List<String>> racks = List.of();
    }

    @JsonIgnoreProperties(ignoreUnknown = true)
    static final class Member {
        @JsonProperty String id;
        @JsonProperty String instance = "";
        @JsonProperty String rack = "";
        @JsonProperty List<String> topics = List.of();
        @JsonProperty List<Owned> owned = List.of();
        @JsonProperty int generation;
    }

    static final class Owned {
        @JsonProperty String topic;
        @JsonProperty List<Integer> partitions = List.of();
    }

    /** The metadata of a cluster with one node in each rack, and one whose rack is unknown. */
    Cluster cluster() {
        Map<String, Node> nodes = new HashMap<>();
        List<PartitionInfo> partitions = new ArrayList<>();
        for (Topic topic : topics) {
            for (int p = 0; p < topic.partitions; p++) {
                List<String> racks = p < topic.racks.size() ? topic.racks.get(p) : List.of();
                Node[] replicas = racks.stream()
                        .map(rack -> nodes.computeIfAbsent(rack, r -> new Node(nodes.size(), "localhost", 9092, r.isEmpty() ? null : r)))
                        .toArray(Node[]::new);
                Node leader = replicas.length > 0 ? replicas[0] : Node.noNode();
                partitions.add(new PartitionInfo(topic.name, p, leader, replicas, replicas));
            }
        }
        return new Cluster("oracle", nodes.values(), partitions, Set.of(), new HashSet<>());
    }

    /**
     * What the members told when they joined, with the user data that an assignor of the same
     * class makes on their side. Planning reads the buffers to their end, so each needs its own.
     */
    GroupSubscription subscriptions(ConsumerPartitionAssignor assignor) throws ReflectiveOperationException {
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (Member member : members) {
            List<TopicPartition> owned = new ArrayList<>();
            for (Owned list : member.owned) {
                list.partitions.forEach(p -> owned.add(new TopicPartition(list.topic, p)));
            }
            ConsumerPartitionAssignor joining = assignor.getClass().getDeclaredConstructor().newInstance();
            if (member.generation > 0) {
                Optional<String> instance = Optional.of(member.instance).filter(i -> !i.isEmpty());
                joining.onAssignment(new Assignment(owned), new ConsumerGroupMetadata("group", member.generation, member.id, instance));
            }
            ByteBuffer userData = joining.subscriptionUserData(new HashSet<>(member.topics));
            Subscription subscription = new Subscription(member.topics, userData, owned,
                    member.generation > 0 ? member.generation : -1,
                    Optional.of(member.rack).filter(r -> !r.isEmpty()));
            if (!member.instance.isEmpty()) {
                subscription.setGroupInstanceId(Optional.of(member.instance));
            }
            subscriptions.put(member.id, subscription);
        }
        return new GroupSubscription(subscriptions);
    }
}
