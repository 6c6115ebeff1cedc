package main

import "testing"

func TestPercentilesAreNearestRanks(t *testing.T) {
	values := make([]int64, 200)
	for i := range values {
		values[len(values)-1-i] = int64(i+1) * 1e6
	}
	if got, want := summarize(values), (Latency{P50: 100, P90: 180, P99: 198, Max: 200}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOneValueIsEveryPercentile(t *testing.T) {
	if got, want := summarize([]int64{3e6}), (Latency{P50: 3, P90: 3, P99: 3, Max: 3}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNoValues(t *testing.T) {
	if got := summarize(nil); got != (Latency{}) {
		t.Errorf("got %v", got)
	}
}
