// An OCI registry that keeps everything in memory: what tests/support/oci_registry.py starts.
module pratique.dev/tools/registry

go 1.25.0

tool pratique.dev/tools/registry

require github.com/google/go-containerregistry v0.22.1
