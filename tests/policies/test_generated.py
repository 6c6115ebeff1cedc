"""Objects made at random, through the whole engine: OPA and regopy come to the same evaluations of every policy."""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from attestations.images import images_of
from attestations.store import FACT_NAMES
from evaluators.select import choose_engine, start_evaluator
from pratique.decision import Decision, Door, Result
from pratique.engine import Engine, Request
from pratique.errors import InputError
from pratique.facts import Fact, FactSource
from pratique.kinds import subject_of
from pratique.policy import PolicySet
from pratique.subject import Subject
from tests.policies.cases import REPOSITORY, Case, load_cases
from tests.policies.conftest import ENGINES, SECONDS, facts_of
from tests.support.policies import binding, configuration

pytestmark = pytest.mark.slow

_WORDS = st.sampled_from(
    ["", "x", "team", "registry.internal", "Search", 'quo"te', "back\\slash", "%s %q", "ü\u2028", "0"]
)
_TEXTS = _WORDS | st.text(max_size=12)
_ODD = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_QUANTITIES = st.sampled_from(["0", "1", "500m", "1e3", "-1", "4Gi", "0.0", "x", "1E", "9" * 30]) | _TEXTS | _ODD
_IMAGES = (
    st.sampled_from(
        [
            "vllm",
            "registry.internal/vllm:1",
            f"registry.internal/vllm@sha256:{'a' * 64}",
            f"registry.internal.evil.example/vllm@sha256:{'a' * 64}",
            "registry.internal:5000/vllm",
            "Registry.Internal/VLLM",
            "a@sha256:b",
        ]
    )
    | _TEXTS
    | _ODD
)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


_PROBES: st.SearchStrategy[Any] = (
    st.just({"httpGet": {"path": "/health"}}) | st.just({}) | _some(exec=_ODD, tcpSocket=_TEXTS) | _ODD
)
_AMOUNTS = st.dictionaries(
    st.sampled_from(["cpu", "memory", "nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "amd.com/gpu", "gpu.intel.com/i915"]),
    _QUANTITIES,
    max_size=3,
)
_CONTAINERS = _some(
    name=_TEXTS | _ODD,
    image=_IMAGES,
    ports=st.just([{"containerPort": 8000}]) | st.just([]) | _ODD,
    livenessProbe=_PROBES,
    readinessProbe=_PROBES,
    resources=_some(limits=_AMOUNTS | _ODD, requests=_AMOUNTS) | _ODD,
    restartPolicy=st.just("Always") | _TEXTS,
    securityContext=_some(privileged=st.booleans() | _TEXTS | _ODD) | _ODD,
)
_SPECS = st.builds(
    lambda containers, rest: {"containers": containers, **rest},
    st.lists(_CONTAINERS, min_size=1, max_size=3),
    _some(
        initContainers=st.lists(_CONTAINERS, max_size=2),
        ephemeralContainers=st.lists(_CONTAINERS, max_size=1),
        restartPolicy=st.sampled_from(["Always", "Never", "OnFailure"]) | _TEXTS,
        volumes=st.lists(_some(name=_TEXTS, image=_some(reference=_IMAGES)), max_size=2),
    ),
)
_LABELS = st.dictionaries(
    st.sampled_from(["team", "cost-center"]) | _TEXTS,
    st.sampled_from(["search", "cc-4711", "4711", "Search", "4711\n"]) | _TEXTS | _ODD,
    max_size=4,
)
_METADATA = _some(
    name=_TEXTS, namespace=_TEXTS, labels=_LABELS, annotations=st.dictionaries(_TEXTS, _TEXTS, max_size=2)
)


def _of_kind(kind: str, metadata: dict[str, Any], spec: dict[str, Any], count: int) -> dict[str, Any]:
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    template = {"metadata": metadata, "spec": spec}
    if kind == "Deployment":
        made: dict[str, Any] = {"replicas": count, "template": template}
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": made}
    job: dict[str, Any] = {"parallelism": count, "template": template}
    if kind == "Job":
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": job}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": {"jobTemplate": {"spec": job}}}


_OBJECTS = st.builds(
    _of_kind, st.sampled_from(["Pod", "Deployment", "Job", "CronJob"]), _METADATA, _SPECS, st.integers(0, 2**31)
)


_NUMBERS = st.sampled_from([0, 1, 2, 8, 51, 1.5, 99.9, 99.95, 0.999, 100]) | _ODD
_SOURCES = _IMAGES | st.sampled_from(["registry.internal/models/x:v1", "registry.internal/models/x", "hf://a/b"])
_TIMES = st.sampled_from(["500ms", "1.5s", "30d", "4w", "721h", "0d", "1m", "never"]) | _TEXTS | _ODD
_CONDITIONS = (
    st.sampled_from(
        [
            "model.size_gb < 200",
            "model.a['x\\\\y'] == \"it's\"",
            "model.size_gb <",
            "true",
            "model.ü > 1",
            "model.x == 'ü'",
        ]
    )
    | _TEXTS
    | st.text("model.xy<>=!&|()[]'\"\\ 019", max_size=24)
    | _ODD
)
_MODEL_SPECS = _some(
    model=_some(source=_SOURCES),
    serving=_some(gpu=_TEXTS | _ODD, gpuCount=_NUMBERS, replicas=_some(min=_NUMBERS, max=_NUMBERS)),
    monitoring=_some(slo=_some(latencyP99=_TIMES, availabilityTarget=_NUMBERS | _TEXTS) | _ODD) | _ODD,
)
_REGISTRY_SPECS = _some(
    storage=_some(type=_TEXTS, bucket=_TEXTS | _ODD, region=st.just("eu-west-1") | _TEXTS | _ODD) | _ODD,
    policies=st.lists(_some(name=_TEXTS | _ODD, rule=_CONDITIONS) | _ODD | _TEXTS, max_size=4) | _ODD,
)
_WORKSPACE_SPECS = _some(
    team=_TEXTS | _ODD,
    environment=st.sampled_from(["development", "production"]) | _TEXTS | _ODD,
    resources=_some(gpuQuota=_NUMBERS, memoryQuota=_QUANTITIES, cpuQuota=_QUANTITIES | _NUMBERS) | _ODD,
    capabilities=st.lists(st.just("model-serving") | _TEXTS | _ODD, max_size=3) | _ODD,
    expiry=_TIMES,
)


def _of_platform(kind: str, spec: Any) -> dict[str, Any]:
    return {"apiVersion": "ai.platform.internal/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}


_OF_PLATFORM = (
    st.builds(_of_platform, st.just("AIModel"), _MODEL_SPECS)
    | st.builds(_of_platform, st.just("ModelRegistry"), _REGISTRY_SPECS | _ODD)
    | st.builds(_of_platform, st.just("AIWorkspace"), _WORKSPACE_SPECS | _ODD)
)


def _facts(obj: dict[str, Any]) -> dict[str, FactSource]:
    evidence = {name: _Evidence(name) for name in FACT_NAMES}
    return {**facts_of(Case("any", "allow", "generated", obj)), **evidence}


class _Evidence:
    """A source that knows of each image what the cases know of theirs: which of it, its reference decides."""

    known: ClassVar[Mapping[str, Sequence[Fact]]] = {
        name: [fact for case in load_cases().values() for fact in case.facts.get(name, {}).values()]
        for name in FACT_NAMES
    }

    def __init__(self, name: str) -> None:
        self.name = name

    def keys(self, subject: Subject) -> Sequence[str]:
        return sorted(images_of(subject))

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        facts = self.known[self.name]
        return {key: facts[zlib.crc32(key.encode(errors="replace")) % len(facts)] for key in keys}


class _Both:
    """One engine on OPA and one on regopy, of the same policies and bindings."""

    def __init__(self, policies: PolicySet) -> None:
        self.runner = asyncio.Runner()
        self.policies = policies
        self.engines: list[Engine] = []
        self.facts = _facts({})
        for name in ENGINES:
            choice = choose_engine(name, tools_cache=REPOSITORY / ".cache" / "tools", environ=os.environ)
            evaluator = self.runner.run(start_evaluator(choice, policies))
            bound = configuration(
                policies, *(binding(policy.replace("/", "-"), policy) for policy in policies.policies)
            )
            self.engines.append(
                Engine(
                    policies=policies,
                    configuration=bound,
                    evaluator=evaluator,
                    facts=self.facts,
                    namespace_labels=lambda namespace: {"team": "search", "cost-center": "cc-4711"},
                )
            )

    def decide(self, obj: dict[str, Any]) -> list[Decision]:
        subject = subject_of(obj)
        self.facts |= _facts(obj)
        deadline = time.monotonic() + SECONDS
        return [
            self.runner.run(engine.decide(subject, Door.CI, request=Request(), deadline=deadline))
            for engine in self.engines
        ]

    def close(self) -> None:
        for engine in self.engines:
            self.runner.run(engine.evaluator.close())
        self.runner.close()


@pytest.fixture(scope="module")
def both(policies: PolicySet) -> Iterator[_Both]:
    made = _Both(policies)
    yield made
    made.close()


@settings(max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck))
@given(obj=_OBJECTS)
@example(
    obj=_of_kind("Pod", {}, {"containers": [{}, {"name": "x"}]}, 1)
)  # a message that sorts text with quotation marks
def test_the_engines_agree_about_everything(both: _Both, obj: dict[str, Any]) -> None:
    _agree(both, obj)


@settings(max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck))
@given(obj=_OF_PLATFORM)
def test_the_engines_agree_about_the_platform_s_own_kinds(both: _Both, obj: dict[str, Any]) -> None:
    _agree(both, obj)


def _agree(both: _Both, obj: dict[str, Any]) -> None:
    """OPA always has an answer; regopy has the same or, for what it cannot be given, an error."""
    try:
        subject = subject_of(obj)
        opa, regopy = both.decide(obj)
    except InputError:
        return  # refused before any engine is asked
    assert len(opa.evaluations) == sum(subject.type in policy.subjects for policy in both.policies.policies.values())
    for theirs, ours in zip(opa.evaluations, regopy.evaluations, strict=True):
        if Result.ERROR not in (theirs.result, ours.result):
            assert (ours.binding, ours.result, ours.findings) == (theirs.binding, theirs.result, theirs.findings)
    assert Result.ERROR not in {evaluation.result for evaluation in opa.evaluations}
