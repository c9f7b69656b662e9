package explain

// What to change, for each cause, with the names of the settings: of Kafka's Java client,
// of kgo, and of package member where it has one of its own. kgo's options are given to
// package member as they are.
const (
	doRepair = "Stop or repair these members: see that their client, its version and its assignor's metadata fit the group. A leader of package member isolates them, so that the others go on."

	doStayAway = "Nothing, while it stays away. Before it comes back, see that its client, its version and its assignor's metadata fit the group."

	doFinishMigration = "Finish the migration: move the members that are left to KIP-848 (group.protocol=consumer; kgo.ServerSideBalancer and no other balancer; GroupProtocol of member.Config), or bring all of them back to the classic protocol."

	doAllowMigration = "A classic group takes in members of KIP-848 only while none of its assignments carries user data (those of Kafka Streams and of some custom assignors do, those of package member do not), and while the brokers allow it (group.consumer.migration.policy). Groups of another protocol type, such as elections and those of Kafka Connect, take in none. Change the assignor first; or stop all members, and start them with the new protocol."

	doAgree = "Give all members at least one assignor in common (partition.assignment.strategy; kgo.Balancers; Protocols of member.HooksConfig), and the same protocol type. To change it, roll twice: first with both, then without the old one."

	doPreferTheSame = "Give all members the same assignors, in the same order (partition.assignment.strategy; kgo.Balancers; Protocols of member.HooksConfig): of those that all of them have the group takes the one that most prefer."

	doRenameElection = "Give the election a name that no other group has (the first argument of member.Elect): a group of another kind has this one, and a group takes members of one kind only."

	doRenameConsumers = "Give the consumers a group id of their own (group.id, kgo.ConsumerGroup), or the election another name: an election of that name (member.Elect) takes in no consumers."

	doGiveOwnInstance = "Give each process an instance id of its own, such as one with the ordinal of its pod (group.instance.id, kgo.InstanceID), and see that a process has ended before another takes its place."

	doSubscribeAlike = "Give all members the same subscription from the start, and change it in one rollout. A pattern (subscribe with a Pattern, kgo.ConsumeRegex) is resolved anew whenever topics come and go: make it narrower, or name the topics."

	doExpectPartitions = "Nothing, if partitions were added on purpose: one rebalance hands them out. To spare the group that, add them when it may pause."

	doPlanFaster = "Make the leader plan faster: its assignor and the requests it makes run while the whole group stands still. No heartbeat is sent meanwhile, so a plan that takes longer than the session timeout (session.timeout.ms, kgo.SessionTimeout) costs the leader its place. A leader of package member sends a safe plan after PlanTimeout of member.HooksConfig, a third of that by default."

	doRejoinSooner = "Make the member answer a rebalance sooner: let it handle fewer records between two polls (max.poll.records; the argument of kgo's PollRecords; MaxBatch of member.Config), or end its work when partitions are revoked (DrainTimeout of member.Config bounds that). With kgo, do not hold rebalances back for long (kgo.BlockRebalanceOnPoll). The group waits at most for the longest rebalance timeout of its members (max.poll.interval.ms, kgo.RebalanceTimeout): lower it to what handling needs."

	doGiveUpSooner = "Make the member give up revoked partitions sooner: let it handle fewer records between two polls (max.poll.records; the argument of kgo's PollRecords; MaxBatch of member.Config), or end its work when partitions are revoked (DrainTimeout of member.Config bounds that). Its rebalance timeout (max.poll.interval.ms, kgo.RebalanceTimeout) bounds the wait."

	doKeepSession = "Look at what silenced the member at that time: a crash or a kill, a pause of its machine or of its garbage collector, the network, or, where it led, a plan that took too long. Where such pauses are normal, raise its session timeout above them (session.timeout.ms, kgo.SessionTimeout; at most group.max.session.timeout.ms of the brokers). Have a process that stops close its client, so that it leaves at once."

	doKeepSessionOfGroup = "Look at what silenced the member at that time: a crash or a kill, a pause of its machine or of its garbage collector, or the network. Where such pauses are normal, raise the session timeout of the group above them (consumer.session.timeout.ms of the group, by kafka-configs.sh --entity-type groups; at most group.consumer.max.session.timeout.ms of the brokers). Have a process that stops close its client, so that it leaves at once."

	doKeepStatic = "Raise the session timeout above the time that a restart of the static member takes (session.timeout.ms, kgo.SessionTimeout), or bring it back sooner. Remove one that stops for good by its instance id (removeMembersFromConsumerGroup of Java's Admin, LeaveGroup of kadm), rather than wait for its session to end."

	doKeepStaticOfGroup = "Raise the session timeout of the group above the time that a restart of the static member takes (consumer.session.timeout.ms of the group, by kafka-configs.sh --entity-type groups), or bring it back sooner."

	doFindCrash = "Look at what that member logs before it goes: it is restarted or fails again and again (a crash loop, a liveness probe, an error of its handler), or it takes too long between two polls, for which a Java consumer leaves (max.poll.interval.ms), and a member of package member with StallLeave (StallTimeout of member.Config)."

	doFindCrashOfCandidate = "Look at what that candidate logs before it goes: it is restarted or fails again and again (a crash loop, a liveness probe, an error of what it does while it leads)."

	doBeStaticMeanwhile = "Until that is mended, an instance id (group.instance.id, kgo.InstanceID) with a session timeout above the time of a restart spares the group the rebalances."

	doSeeHowItGoes = "Whether it leaves, or is removed because it is slow or silent, was not seen: record the group while it happens, for a minute or more (--for 2m)."

	doBeStatic = "Give each member an instance id that it keeps over restarts (group.instance.id, kgo.InstanceID), and a session timeout above the time that a restart takes: a restart then moves nothing, and the group rebalances for it only where the one that is back leads by package member."

	doReplaceLeaderLast = "Nothing, if it was a deployment and is over. Candidates are not static, so each restart is a rebalance, for which the term of another leader goes on. Restart the leader last: its work then moves once."

	doBeStaticInPlace = "Nothing, if it was a deployment and is over. To spare the group the rebalances of the next one, give each member an instance id that the one in its place has too (group.instance.id, kgo.InstanceID), such as the name of a StatefulSet's pod, and a session timeout above the time that a restart takes; or replace more of them at a time."

	doReadLogs = "Look at what members log at these times, or give it with --events: a member asks for a rebalance itself when its subscription, its metadata or its leader's view of the topics changes, and joins again after an error."

	doNothing = "Nothing."

	doNothingIfMeant = "Nothing, if it was restarted on purpose."

	doStayStatic = "Its instance id spares the group the rebalances of a restart only where the member stops without leaving, and is back within its session timeout."

	doNothingForRestart = doNothingIfMeant + " An instance id (group.instance.id, kgo.InstanceID), with a session timeout above the time that a restart takes, spares the group the rebalances of a restart."

	doSeeWhyItWent = "If it was not, look at what it logged before it went: whether it left, or was removed because it was slow or silent, was not seen."

	doSlowAutoscaler = "If an autoscaler adds and removes members that often, have it wait longer between its steps."

	doSeeWhoAsks = "See what asks for it that often: the evidence has what the leader says."

	doNothingForJob = "Nothing, if it is run now and then, as a job or a console consumer. Otherwise: "

	doAwaitDeployment = "Nothing, if it was deployed or scaled just now; it is stable soon after the last one has joined. Otherwise watch it for longer (--for 2m)."

	doWatchAndHear = "Watch it for longer (--for 2m), and give what its members log (--events): one of them is slow, or joins again and again."

	doCheckName = "Check its name, and that a member has joined it."

	doStartMembers = "Start its members, or look at what they log if they should be running: a member that is refused is not seen here."

	doAllowLog = "Watch it for longer (--for 2m), allow READ on the topic __consumer_offsets, or give what its members log (--events)."

	doWatch = "Watch it for longer (--for 2m)."

	doReadThose = "Look at what those members log at these times."
)
