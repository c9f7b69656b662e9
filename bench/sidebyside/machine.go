package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/groupkit/groupkit/bench/oracle"
)

// machine is what figures depend on besides the code.
type machine struct {
	Cores       int
	CPU         string
	System      string
	Go          string
	Java        string
	Kgo, Sarama string // versions
	Date        string
	Load        string // of the last minute, when the run began
}

func thisMachine() (machine, error) {
	java, err := oracle.Version()
	if err != nil {
		return machine{}, err
	}
	m := machine{
		Cores: runtime.NumCPU(), CPU: "unknown CPU", System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Java: java, Date: time.Now().UTC().Format(time.DateOnly),
	}
	// Linux only; elsewhere the model and the load stay unknown.
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(text), " ")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			switch dependency.Path {
			case "github.com/twmb/franz-go":
				m.Kgo = dependency.Version
			case "github.com/IBM/sarama":
				m.Sarama = dependency.Version
			}
		}
	}
	return m, nil
}
