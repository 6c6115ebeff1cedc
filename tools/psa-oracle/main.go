// Psa-oracle says what Kubernetes' own implementation of the Pod Security Standards makes of a pod.
//
// It reads one pod a line (JSON, core/v1) from its standard input and writes one line for each: which controls allow the pod, by
// their ids, in the version that is the latest of the library, and which of the two levels do.
//
//	{"controls": {"privileged": true, ...}, "levels": {"baseline": true, "restricted": false}}
//
// A line that is not a pod, or has a field that a pod has not, ends it with exit code 1: the tests mean every field they write.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

const library = "k8s.io/pod-security-admission"

// The longest line that is read, in bytes: a pod that the API server would take (etcd's limit), with room for white space.
const maxLine = 4 << 20

type pod struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Spec       corev1.PodSpec    `json:"spec"`
}

type verdict struct {
	Controls map[policy.CheckID]bool `json:"controls"`
	Levels   map[api.Level]bool      `json:"levels"`
}

func main() {
	if len(os.Args) > 1 {
		if os.Args[1] != "--version" {
			fail(fmt.Errorf("unknown argument %q; pods come on the standard input", os.Args[1]))
		}
		version, err := libraryVersion()
		if err != nil {
			fail(err)
		}
		fmt.Println("psa-oracle", version)
		return
	}
	if err := run(os.Stdin, os.Stdout); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "psa-oracle:", err)
	os.Exit(1)
}

// The version of the library that is linked in, as Go recorded it.
func libraryVersion() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, module := range info.Deps {
			if module.Path == library {
				return module.Version, nil
			}
		}
	}
	return "", fmt.Errorf("this build does not say which version of %s it has", library)
}

func run(in io.Reader, out io.Writer) error {
	checks := policy.DefaultChecks()
	evaluator, err := policy.NewEvaluator(checks, nil)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	written := bufio.NewWriter(out)
	encoder := json.NewEncoder(written)
	for number := 1; lines.Scan(); number++ {
		read, err := parse(lines.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := encoder.Encode(judge(checks, evaluator, read)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return written.Flush()
}

func parse(line []byte) (*pod, error) {
	read := &pod{}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(read); err != nil {
		return nil, err
	}
	if read.APIVersion != "v1" || read.Kind != "Pod" {
		return nil, fmt.Errorf("%s %s is not a v1 Pod", read.APIVersion, read.Kind)
	}
	return read, nil
}

func judge(checks []policy.Check, evaluator policy.Evaluator, read *pod) verdict {
	said := verdict{Controls: map[policy.CheckID]bool{}, Levels: map[api.Level]bool{}}
	for _, check := range checks {
		latest := check.Versions[len(check.Versions)-1]
		said.Controls[check.ID] = latest.CheckPod(&read.Metadata, &read.Spec).Allowed
	}
	for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
		at := api.LevelVersion{Level: level, Version: api.LatestVersion()}
		said.Levels[level] = policy.AggregateCheckResults(evaluator.EvaluatePod(at, &read.Metadata, &read.Spec)).Allowed
	}
	return said
}
