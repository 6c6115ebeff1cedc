package main

import "slices"

// Latency is in milliseconds, of right answers only; all zero when there was none.
type Latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// summarize sorts nanoseconds in place. A percentile is the nearest rank: the smallest value that this many in a hundred
// do not exceed.
func summarize(nanoseconds []int64) Latency {
	if len(nanoseconds) == 0 {
		return Latency{}
	}
	slices.Sort(nanoseconds)
	at := func(percent int) float64 {
		rank := (percent*len(nanoseconds) + 99) / 100
		return float64(nanoseconds[rank-1]) / 1e6
	}
	return Latency{P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}
