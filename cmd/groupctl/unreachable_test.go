package main

import (
	"net"
	"strings"
	"testing"
	"time"
)

func TestBrokersThatDoNotAnswer(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	serve := func(handle func(net.Conn)) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go handle(conn)
			}
		}()
		return listener.Addr().String()
	}
	silent := serve(func(conn net.Conn) {
		buffer := make([]byte, 1024)
		for {
			if _, err := conn.Read(buffer); err != nil {
				conn.Close()
				return
			}
		}
	})
	for name, address := range map[string]string{
		"refuses":  closed.Addr().String(),
		"hangs up": serve(func(conn net.Conn) { conn.Close() }),
		"silent":   silent,
		"web": serve(func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			conn.Close()
		}),
	} {
		for _, command := range []string{"group coordinator x", "group describe x", "cluster controller", "topic leaders"} {
			t.Run(name+" "+command, func(t *testing.T) {
				start := time.Now()
				result := runArgs(t, append([]string{"-b", address, "-o", "json", "--timeout", "500ms"}, strings.Fields(command)...)...)
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("took %v", took)
				}
				p := parse(t, result.stdout)
				if result.code != exitFailed || p.Data != nil || len(p.Errors) != 1 || p.Errors[0]["code"] != "BROKER_UNREACHABLE" || !strings.Contains(p.Errors[0]["message"], address) {
					t.Errorf("%+v", result)
				}
				if strings.Count(result.stderr, "\n") != 1 || strings.Contains(result.stderr, "goroutine") {
					t.Errorf("stderr %q", result.stderr)
				}
			})
		}
	}
	t.Run("one of two", func(t *testing.T) {
		_, address := newCluster(t)
		first, _, _ := strings.Cut(address, ",")
		if result := runArgs(t, "-b", silent+","+first, "--timeout", "4s", "topic", "leaders", "orders"); result.code != exitFound {
			t.Errorf("%+v", result)
		}
	})
}
