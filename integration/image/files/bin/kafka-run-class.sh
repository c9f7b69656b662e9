#!/bin/sh
# kafka-run-class.sh CLASS ARGS...: runs a class of Kafka's jars, with the
# variables that Kafka's own script knows. Logs go to standard output.
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1} \
  ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/opt/kafka/config/log4j2.properties -Dlog4j.configuration=file:/opt/kafka/config/log4j.properties} \
  ${KAFKA_OPTS:-} -cp '/opt/kafka/libs/*' "$@"
