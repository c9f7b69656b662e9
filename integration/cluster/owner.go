package cluster

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Labels of everything that the harness makes on the engine.
const (
	labelHarness = "io.groupkit.integration" // "1"
	labelCluster = "io.groupkit.cluster"     // the cluster's name
	labelNode    = "io.groupkit.node"        // the node's id
	labelAddress = "io.groupkit.address"     // where clients reach the node
	labelIP      = "io.groupkit.ip"          // its address in the network
	labelKeep    = "io.groupkit.keep"        // what was asked for, if the cluster is kept
	labelHost    = "io.groupkit.owner.host"  // the machine of the process that made it, and the pid namespace
	labelBoot    = "io.groupkit.owner.boot"  // that machine's boot
	labelPID     = "io.groupkit.owner.pid"   // the process
	labelStarted = "io.groupkit.owner.start" // when the process started, in clock ticks since boot
)

// owner names a process so that no other process, now or later, on this machine
// or on another that uses the same engine, is taken for it: a pid is used
// again, and means nothing in another pid namespace.
type owner struct {
	host, boot string
	pid        int
	started    string
}

// currentOwner is this process. Where there is no /proc the pid has to do.
func currentOwner() owner {
	name, _ := os.Hostname()
	namespace, _ := os.Readlink("/proc/self/ns/pid")
	boot := fileContent("/proc/sys/kernel/random/boot_id")
	pid := os.Getpid()
	return owner{
		host: hostIdentity(name, fileContent("/etc/machine-id"), namespace, boot),
		boot: boot, pid: pid, started: startTime(pid),
	}
}

// hostIdentity is what only processes of this machine and pid namespace have. Many
// machines go by one name, and the first namespace has the same number on all of
// them. Where there is no machine id, the boot takes its place: what was made
// before a reboot is then a stranger's.
func hostIdentity(name, machine, namespace, boot string) string {
	if machine == "" {
		machine = boot
	}
	return strings.Join([]string{name, machine, namespace}, "/")
}

// fileContent is empty where the file cannot be read.
func fileContent(path string) string {
	content, _ := os.ReadFile(path)
	return strings.TrimSpace(string(content))
}

func (o owner) labels() map[string]string {
	return map[string]string{labelHost: o.host, labelBoot: o.boot, labelPID: strconv.Itoa(o.pid), labelStarted: o.started}
}

// liveness is what can be said of the process that made something.
type liveness int

const (
	unknown liveness = iota // it is on another machine
	alive
	dead
)

// judge tells whether the owner that the labels name still lives. running tells
// of a process of this machine whether it runs and when it was started.
func (o owner) judge(labels map[string]string, running func(pid int) (started string, ok bool)) liveness {
	if labels[labelHost] != o.host {
		return unknown
	}
	if labels[labelBoot] != o.boot {
		return dead
	}
	pid, err := strconv.Atoi(labels[labelPID])
	if err != nil {
		return dead
	}
	if started, ok := running(pid); ok && started == labels[labelStarted] {
		return alive
	}
	return dead
}

// processRunning looks at a process of this machine.
func processRunning(pid int) (started string, ok bool) {
	err := syscall.Kill(pid, 0)
	return startTime(pid), err == nil || err == syscall.EPERM
}

// startTime is field 22 of /proc/PID/stat, or empty where there is none.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command's name, field 2, is in parentheses and may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) > 19 {
		return fields[19]
	}
	return ""
}
