package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	data "tributary/coordinator/ingest"
	"tributary/deployments/bench/fleet"
	"tributary/shared/blob"
	"tributary/shared/spec"
)

// ingest is the command that ingests a spec's data into a folder.
type ingest struct {
	Spec  string `arg:""`
	Blobs string `arg:""`
}

// cost is what the command printed.
type cost struct {
	Seconds float64 `json:"seconds"`
	MiB     float64 `json:"mib"` // largest resident memory
}

// Run ingests the data. kong calls it.
func (i *ingest) Run(ctx context.Context) error {
	text, err := os.ReadFile(i.Spec)
	if err != nil {
		return err
	}
	s, err := spec.Decode(text)
	if err != nil {
		return err
	}
	store, err := blob.NewDirectory(i.Blobs)
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := data.Run(ctx, s, &data.Roots{Anywhere: true}, store, nil); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(cost{time.Since(began).Seconds(), float64(fleet.OwnPeakRSS()) / (1 << 20)})
}
