package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// floodEvery is the time between two bursts of requests. Each burst has floodBurst
// requests.
const (
	floodEvery = 20 * time.Millisecond
	floodBurst = 10
)

// flood requests predictions and job records, and discards the answers.
func flood(ctx context.Context, e *enemy) error {
	inbox := e.nc.NewRespInbox()
	rows := []byte(`{"rows":[[` + strings.Repeat("1,", 63) + "1]" + strings.Repeat(",[1]", 5000) + "]}")
	for wait(ctx, floodEvery) == nil {
		for range floodBurst {
			subject, body := "tributary.jobs.get", []byte(e.victim)
			switch e.r.IntN(6) {
			case 0:
				subject, body = "tributary.predict."+string(e.victim), rows
			case 1:
				subject, body = "tributary.predict.none", []byte(`{"rows":[[1]]}`)
			case 2:
				subject, body = "tributary.jobs.list", nil
			case 3:
				subject, body = "tributary.jobs.submit", []byte("batch: [")
			default:
			}
			_ = e.nc.PublishRequest(subject, inbox, body) // it fails while NATS is down
		}
	}
	return nil
}

// panics returns an error with the lines of a log that report a panic.
func panics(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	var faults []error
	for len(faults) < 3 {
		line, err := lines.ReadBytes('\n')
		if lower := bytes.ToLower(line); bytes.Contains(lower, []byte("panic")) || bytes.Contains(lower, []byte("fatal error:")) {
			faults = append(faults, fmt.Errorf("log: %.300s", bytes.TrimSpace(line)))
		}
		if err != nil {
			break // the end
		}
	}
	return errors.Join(faults...)
}
