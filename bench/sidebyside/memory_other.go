//go:build !unix

package main

// limitMemory does nothing where there is no setrlimit.
func limitMemory(uint64) error { return nil }
