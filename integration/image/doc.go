// Package image finds or makes the container image of Kafka that the
// integration tests run.
//
// [Ensure] takes the first of these that there is:
//
//  1. the wanted image, on the engine already: what KAFKA_IMAGE names, or
//     apache/kafka:VERSION;
//  2. groupkit/kafka:VERSION, built earlier by the recipe as it is now;
//  3. the wanted image, pulled;
//  4. groupkit/kafka:VERSION, built.
//
// # The image that is built
//
// It needs no base image, and so no image registry: Kafka's jars come from
// Maven Central, a Java runtime from the JDK's jlink, and a shell with the C
// libraries from the machine itself. Its layout is that of the official image
// as far as the tests use it:
//
//	/opt/kafka/bin/    kafka-storage.sh, kafka-server-start.sh, kafka-run-class.sh
//	/opt/kafka/libs/   the jars of the broker and of Kafka's tools
//	/opt/kafka/config/ logging to standard output
//	/opt/java/openjdk/ the runtime; java is on the PATH
//
// So one harness serves both, and a test may run Kafka's own clients with
//
//	java -cp '/opt/kafka/libs/*' org.apache.kafka.tools.VerifiableConsumer
//
// The jars of Kafka 3 include ZooKeeper's.
//
// A label holds a hash of the recipe: files/ and the tables in recipe.go. The
// image is built again only when that changes. Building needs Linux with glibc,
// the processor architecture of the engine, mvn, and a JDK of version 17 or
// later with jlink; it takes about half a minute on two cores.
package image
