package groupkit.oracle;

import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupAssignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.TopicPartition;

/**
 * Answers each problem on standard input, one line of JSON, with one line for each assignor
 * asked for: the assignment, and how long planning alone took, each time that it was repeated.
 */
public final class Oracle {
    /** Takes null, which is how Go writes a list without entries, as left out. */
    private static final ObjectMapper MAPPER =
            new ObjectMapper().setDefaultSetterInfo(JsonSetter.Value.forValueNulls(Nulls.SKIP));

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 20);
        OutputStream out = new BufferedOutputStream(System.out, 1 << 20);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Problem problem = MAPPER.readValue(line, Problem.class);
            Cluster cluster = problem.cluster();
            for (String name : problem.assignors) {
                answer(problem, name, cluster, out);
            }
            if (!in.ready()) {
                out.flush();
            }
        }
        out.flush();
    }

    private static ConsumerPartitionAssignor assignor(String name) {
        return switch (name) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            case "cooperative-sticky" -> new CooperativeStickyAssignor();
            default -> throw new IllegalArgumentException("no assignor " + name);
        };
    }

    private static void answer(Problem problem, String name, Cluster cluster, OutputStream out) throws Exception {
        List<Long> elapsed = new ArrayList<>();
        GroupAssignment result = null;
        long begin = System.nanoTime();
        int rounds = problem.warmUp + Math.max(problem.repeat, 1);
        while (elapsed.isEmpty()
                || elapsed.size() < rounds && (System.nanoTime() - begin) / 1_000_000 < problem.budgetMillis) {
            ConsumerPartitionAssignor assignor = assignor(name);
            GroupSubscription subscriptions = problem.subscriptions(assignor);
            long start = System.nanoTime();
            result = assignor.assign(cluster, subscriptions);
            elapsed.add(System.nanoTime() - start);
        }
        write(problem.id, name, elapsed, result.groupAssignment(), out);
    }

    private static void write(String id, String name, List<Long> elapsed, Map<String, Assignment> assignment, OutputStream out)
            throws IOException {
        JsonGenerator json = MAPPER.getFactory().createGenerator(out);
        json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
        json.disable(JsonGenerator.Feature.FLUSH_PASSED_TO_STREAM);
        json.writeStartObject();
        json.writeStringField("id", id);
        json.writeStringField("assignor", name);
        json.writeArrayFieldStart("elapsedNs");
        for (long ns : elapsed) {
            json.writeNumber(ns);
        }
        json.writeEndArray();
        json.writeObjectFieldStart("assignment");
        for (Map.Entry<String, Assignment> member : new TreeMap<>(assignment).entrySet()) {
            Map<String, List<Integer>> byTopic = new TreeMap<>();
            for (TopicPartition tp : member.getValue().partitions()) {
                byTopic.computeIfAbsent(tp.topic(), t -> new ArrayList<>()).add(tp.partition());
            }
            json.writeArrayFieldStart(member.getKey());
            for (Map.Entry<String, List<Integer>> topic : byTopic.entrySet()) {
                json.writeStartObject();
                json.writeStringField("topic", topic.getKey());
                json.writeArrayFieldStart("partitions");
                for (int p : topic.getValue().stream().sorted().toList()) {
                    json.writeNumber(p);
                }
                json.writeEndArray();
                json.writeEndObject();
            }
            json.writeEndArray();
        }
        json.writeEndObject();
        json.writeEndObject();
        json.close();
        out.write('\n');
    }

    private Oracle() {}
}
