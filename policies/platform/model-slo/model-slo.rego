# METADATA
# title: An AIModel says what may be expected of it
# description: >-
#   Alerts and dashboards are made from the objectives of an AIModel. Without them nobody is woken, and with ones that cannot be
#   read the rules that are made of them do not load.
# scope: package
# related_resources:
#   - ref: https://sre.google/sre-book/service-level-objectives/
# custom:
#   id: PLATFORM-004
#   severity: low
#   subjects: [workload]
#   needs: [object]
#   reads: {}
#   parameters:
#     min_availability:
#       description: The least availability that may be aimed at, in per cent. It also catches 0.999 where 99.9 is meant.
#       type: number
#       minimum: 0
#       maximum: 100
#       default: 90
#   remediation: >-
#     Add spec.monitoring.slo with latencyP99, a time such as 500ms, and availabilityTarget, a percentage such as 99.9.
#   controls:
#     nist-800-53-r5: [CP-2, SI-4]
package policies.platform.model_slo

import data.lib.platform
import data.lib.values

violations contains {"message": message, "path": _latency.path} if {
	platform.is_a(input.subject, "AIModel")
	not _is_time
	message := platform.message(_latency, "a time above 0, such as 500ms")
}

violations contains {"message": message, "path": _availability.path} if {
	platform.is_a(input.subject, "AIModel")
	not _is_percentage
	message := platform.message(_availability, concat("", [
		"a number of per cent from ",
		values.shown(input.parameters.min_availability),
		" to 100, such as 99.9",
	]))
}

_latency := platform.field(input.object, ["spec", "monitoring", "slo", "latencyP99"])

_availability := platform.field(input.object, ["spec", "monitoring", "slo", "availabilityTarget"])

# As Go and Prometheus write times.
_is_time if {
	platform.is_text(_latency, "([0-9]{1,9}([.][0-9]{1,9})?(us|ms|s|m|h))+")
	regex.match("[1-9]", _latency.value)
}

_is_percentage if {
	_availability.wants == ""
	is_number(_availability.value)
	_availability.value >= input.parameters.min_availability
	_availability.value <= 100
}
