"""The inventory: what the other objects of one input come to, in small facts that policies can ask for.

Pure, over the objects that it is given. It stands here and not in `pratique` because it is a `FactSource` as any other:
the engine knows the protocol only, and the inventory of a cluster will be another implementation of the same keys.

The keys and their values:

* `gpus/<label>=<value>`, for each label of a workload: `{"peak", "objects"}`, the GPUs that all workloads with that
  label can use together, and how many those are;
* `networkpolicies/<namespace>`: `{"names", "ingress", "egress", "open_ingress", "open_egress"}`, the NetworkPolicies of
  the namespace by name: all, those that select every pod for ingress and for egress, and those that allow everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from pratique.canonical import canonical_json, sha256
from pratique.errors import InputError
from pratique.facts import Absent, Fact, Known, Unavailable
from pratique.kinds import context_of, subject_of
from pratique.quantity import json_number
from pratique.subject import Resource, Subject, Workload

GPUS, NETWORK_POLICIES = "gpus/", "networkpolicies/"
_NEVER = datetime.max.replace(tzinfo=UTC)
"""When what is known of an input ends: an input does not change."""

_LARGEST_PORT = 65535
_EVERYTHING = frozenset({ip_network("0.0.0.0/0"), ip_network("::/0")})


@dataclass(slots=True)
class _Sum:
    """What the workloads with one label come to; `problem` says why they cannot be counted."""

    peak: Fraction = Fraction(0)
    objects: int = 0
    problem: str = ""


@dataclass(slots=True)
class _NetworkPolicies:
    names: set[str] = field(default_factory=set)
    ingress: set[str] = field(default_factory=set)
    egress: set[str] = field(default_factory=set)
    open_ingress: set[str] = field(default_factory=set)
    open_egress: set[str] = field(default_factory=set)


class Inventory:
    """Facts about one input; read when they are first asked for."""

    name = "inventory"

    def __init__(
        self,
        objects: Iterable[Mapping[str, Any]],
        *,
        collected_at: datetime,
        namespace: str = "",
        unread: str = "",
    ) -> None:
        """`namespace` is that of objects that do not name theirs. `unread` says what of the input could not be read:
        then nothing is known of the whole."""
        self._objects = objects
        self._collected_at = collected_at
        self._namespace = namespace
        self._unread = unread
        self._facts: Mapping[str, Fact] | None = None

    def keys(self, subject: Subject) -> Sequence[str]:
        """What there is to know about the surroundings of `subject`."""
        if not isinstance(subject, Resource):
            return ()
        if (subject.gvk.group, subject.gvk.kind) == ("", "Namespace"):
            return (f"{NETWORK_POLICIES}{subject.identity.name}",)
        if not isinstance(subject, Workload):
            return ()
        labels = [f"{GPUS}{name}={value}" for name, value in subject.labels.items() if isinstance(value, str)]
        return (*labels, f"{NETWORK_POLICIES}{subject.namespace}")

    async def gather(self, keys: Sequence[str], *, deadline: float) -> Mapping[str, Fact]:
        """One fact for each key; nothing is waited for."""
        if self._unread:
            return dict.fromkeys(keys, Unavailable(f"the input is not known as a whole: {self._unread}"))
        if self._facts is None:
            self._facts = self._read()
        return {key: self._facts.get(key, _absent(key)) for key in keys}

    def _read(self) -> Mapping[str, Fact]:
        objects = [obj for obj in self._objects if isinstance(obj, dict)]
        facts: dict[str, Fact] = {}
        for label, total in _sums(objects, self._namespace).items():
            if total.problem:
                facts[f"{GPUS}{label}"] = Unavailable(total.problem)
            else:
                facts[f"{GPUS}{label}"] = self._known({"peak": json_number(total.peak), "objects": total.objects})
        for namespace, found in _network_policies(objects, self._namespace).items():
            value = {
                "names": sorted(found.names),
                "ingress": sorted(found.ingress),
                "egress": sorted(found.egress),
                "open_ingress": sorted(found.open_ingress),
                "open_egress": sorted(found.open_egress),
            }
            facts[f"{NETWORK_POLICIES}{namespace}"] = self._known(value)
        return facts

    def _known(self, value: Any) -> Known:
        return Known(value, self._collected_at, _NEVER, sha256(canonical_json(value)))


def _absent(key: str) -> Absent:
    if key.startswith(NETWORK_POLICIES):
        namespace = key.removeprefix(NETWORK_POLICIES)
        return Absent(f"the input does not hold the namespace {namespace}, hence perhaps not its NetworkPolicies")
    return Absent(f"no workload of the input has the label {key.removeprefix(GPUS)}")


# GPUs


def _sums(objects: Sequence[dict[str, Any]], namespace: str) -> Mapping[str, _Sum]:
    """By `<label>=<value>`: what the workloads with it come to.

    What is in the input twice (a base and its overlay) counts once, at its largest. What a controller made of another
    object of the input (in a dump of a cluster) is counted together with that, kind by kind, and the largest kind
    counts: the pods of a Deployment are its own, and something larger that only claims to be is not left out.
    """
    context = context_of(objects, namespace=namespace)
    largest: dict[tuple[str, str, str, str | int], tuple[Fraction, Mapping[str, Any], str]] = {}
    sums: dict[str, _Sum] = {}
    problems: list[tuple[str, Mapping[str, Any]]] = []
    roots = _roots(objects)
    for index, obj in enumerate(objects):
        try:
            subject = subject_of(obj, namespace=namespace, context=context)
        except InputError as error:
            metadata = _metadata(obj)
            what = f"the GPUs of {obj.get('kind')} {metadata.get('name')} cannot be counted: {error}"
            problems.append((what, _mapping(metadata.get("labels"))))
            continue
        if not isinstance(subject, Workload):
            continue
        key = (subject.gvk.group, subject.gvk.kind, subject.namespace, subject.identity.name or index)
        if key not in largest or largest[key][0] < subject.content.gpus.peak:
            largest[key] = (subject.content.gpus.peak, subject.labels, roots.get(index, "/".join(map(str, key))))
    groups: dict[str, dict[str, dict[str, Fraction]]] = {}
    for (_, kind, _, _), (peak, labels, root) in largest.items():
        for label in _labels(labels):
            kinds = groups.setdefault(label, {}).setdefault(root, {})
            kinds[kind] = kinds.get(kind, Fraction(0)) + peak
    for label, by_root in groups.items():
        sums[label] = _Sum(sum((max(kinds.values()) for kinds in by_root.values()), Fraction(0)), len(by_root))
    for problem, labels in problems:
        for label in _labels(labels):
            sums.setdefault(label, _Sum()).problem = problem
    return sums


def _roots(objects: Sequence[Mapping[str, Any]]) -> Mapping[int, str]:
    """For objects with a uid, or that objects with one control: the uid at the end of the chain of controllers."""
    above: dict[str, str] = {}
    own: dict[int, str] = {}
    for index, obj in enumerate(objects):
        metadata = _metadata(obj)
        uid = metadata.get("uid")
        if not isinstance(uid, str) or not uid:
            continue
        own[index] = uid
        for owner in map(_mapping, _list(metadata.get("ownerReferences"))):
            if owner.get("controller") is True and isinstance(owner.get("uid"), str):
                above[uid] = owner["uid"]
    known = set(own.values())
    roots = {}
    for index, uid in own.items():
        passed = {uid}
        while (controller := above.get(uid, "")) in known and controller not in passed:
            uid = controller
            passed.add(uid)
        roots[index] = uid
    return roots


def _labels(labels: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items() if isinstance(value, str)]


# NetworkPolicies (k8s.io/api networking/v1 types.go and k8s.io/kubernetes pkg/apis/networking/v1/defaults.go, 1.35)


def _network_policies(objects: Sequence[dict[str, Any]], namespace: str) -> Mapping[str, _NetworkPolicies]:
    """What the policies of each namespace of the input come to: of those that the input holds itself, since of others
    it need not hold every policy."""
    found: dict[str, _NetworkPolicies] = {
        str(_metadata(obj).get("name")): _NetworkPolicies()
        for obj in objects
        if (obj.get("apiVersion"), obj.get("kind")) == ("v1", "Namespace")
    }
    for obj in objects:
        group = str(obj.get("apiVersion")).rpartition("/")[0]
        if (group, obj.get("kind")) != ("networking.k8s.io", "NetworkPolicy"):
            continue
        metadata = _metadata(obj)
        mine, name = found.get(str(metadata.get("namespace") or namespace)), metadata.get("name")
        spec = obj.get("spec")
        if mine is None or not isinstance(name, str) or not isinstance(spec, dict):
            continue  # not of a namespace of the input, or nothing that a cluster would take
        mine.names.add(name)
        types = _types(spec)
        for type_, closed, opened, rules, peers in (
            ("Ingress", mine.ingress, mine.open_ingress, spec.get("ingress"), "from"),
            ("Egress", mine.egress, mine.open_egress, spec.get("egress"), "to"),
        ):
            if type_ not in types:
                continue
            if _selects_every_pod(spec.get("podSelector")):
                closed.add(name)
            if any(_allows_everything(_mapping(rule), peers) for rule in _list(rules)):
                opened.add(name)
    return found


def _types(spec: Mapping[str, Any]) -> Sequence[Any]:
    """The directions that a policy is about: where it does not say, ingress, and egress if it has rules for that."""
    types = _list(spec.get("policyTypes"))
    return types or (["Ingress", "Egress"] if _list(spec.get("egress")) else ["Ingress"])


def _selects_every_pod(selector: object) -> bool:
    return selector is None or (
        isinstance(selector, dict) and not selector.get("matchLabels") and not selector.get("matchExpressions")
    )


def _allows_everything(rule: Mapping[str, Any], peers: str) -> bool:
    """Whether the rule allows traffic with everybody, on every port of a protocol.

    Every pod of every namespace (`namespaceSelector: {}`) is not everybody: what is outside stays there.
    """
    ports = _list(rule.get("ports"))
    every_port = not ports or any(_is_every_port(_mapping(each)) for each in ports)
    return every_port and _are_everybody(_list(rule.get(peers)))


def _is_every_port(port: Mapping[str, Any]) -> bool:
    first, last = port.get("port"), port.get("endPort")
    if first is None:
        return True
    return isinstance(first, int) and isinstance(last, int) and first <= 1 and last >= _LARGEST_PORT


def _are_everybody(peers: Sequence[Any]) -> bool:
    """No peers are all there are; so are blocks of addresses that come to all of one family, with none taken out."""
    if not peers:
        return True
    networks: list[IPv4Network | IPv6Network] = []
    for peer in peers:
        block = _mapping(_mapping(peer).get("ipBlock"))
        if block and not block.get("except"):
            try:
                networks.append(ip_network(str(block.get("cidr")), strict=False))
            except ValueError:
                continue  # no cluster would take it
    four = collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    six = collapse_addresses(network for network in networks if isinstance(network, IPv6Network))
    return not _EVERYTHING.isdisjoint([*four, *six])


def _metadata(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(obj.get("metadata"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
