"""Pods for the oracle of the Pod Security Standards: every value that a control knows or nearly knows, everywhere.

Two parts. `each_value` puts every value at every place, on its own, of a pod that complies with level restricted and of
one that says nothing at all: what one control decides is seen alone. `mixtures` draws several at once from a seed, and
so finds what holds only together (a user namespace, the operating system, what the pod says for its containers).

The API server refuses some of these pods, such as one for Windows with seccomp; library and policies agree on those
too.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any

Object = dict[str, Any]
Change = tuple[tuple[str | int, ...], Any]
"""A value and where it is put; the objects and lists on the way to it are made."""

_POD_CONTEXT = ("spec", "securityContext")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")

_BASELINE_CAPABILITIES = [
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
]
_OTHER_CAPABILITIES = ["NET_RAW", "NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "IPC_LOCK", "BPF", "ALL"]
_CAPABILITIES_MISSPELT = ["all", "CAP_CHOWN", "CAP_NET_BIND_SERVICE", "net_bind_service", "NET_BIND_SERVICE ", ""]

_PROFILES: list[Any] = [
    None,
    {"type": "RuntimeDefault"},
    {"type": "Localhost", "localhostProfile": "profiles/train.json"},
    {"type": "Unconfined"},
    {"type": "runtime/default"},
    {"type": "runtimedefault"},
    {"type": ""},
    {},
]
_SELINUX: list[Any] = [
    None,
    {},
    {"level": "s0:c1,c2"},
    {"user": ""},
    {"user": "system_u"},
    {"role": ""},
    {"role": "system_r"},
    *(
        {"type": value}
        for value in (
            "",
            "container_t",
            "container_init_t",
            "container_kvm_t",
            "container_engine_t",
            "container_logreader_t",
            "container_T",
            "container_t ",
            "spc_t",
        )
    ),
    {"type": "container_t", "user": "user_u", "level": "s0"},
    {"type": "spc_t", "user": "", "role": ""},
]
_WINDOWS: list[Any] = [
    None,
    {},
    {"hostProcess": None},
    {"hostProcess": False},
    {"hostProcess": True},
    {"runAsUserName": "ContainerUser"},
    {"hostProcess": True, "runAsUserName": "NT AUTHORITY\\SYSTEM"},
]
_BOTH: dict[str, list[Any]] = {
    "appArmorProfile": _PROFILES,
    "runAsNonRoot": [None, False, True],
    "runAsUser": [None, 0, 1, 1000, 65534, 2**31 - 1, -1],
    "seccompProfile": _PROFILES,
    "seLinuxOptions": _SELINUX,
    "windowsOptions": _WINDOWS,
}
"""By field of a security context: of the pod and of each container."""
_OF_CONTAINERS: dict[str, list[Any]] = {
    "allowPrivilegeEscalation": [None, False, True],
    "capabilities": [
        None,
        {},
        *(
            {"drop": drop} if add is None else {"drop": drop, "add": add}
            for drop in (None, [], ["ALL"], ["all"], ["NET_RAW"], ["NET_RAW", "ALL"], ["CAP_ALL"])
            for add in (None, [], ["NET_BIND_SERVICE"], ["CHOWN"], ["NET_BIND_SERVICE", "SYS_ADMIN"])
        ),
        *(
            {"drop": ["ALL"], "add": [name]}
            for name in (*_BASELINE_CAPABILITIES, *_OTHER_CAPABILITIES, *_CAPABILITIES_MISSPELT)
        ),
        {"drop": ["ALL"], "add": _BASELINE_CAPABILITIES},
    ],
    "privileged": [None, False, True],
    "procMount": [None, "Default", "Unmasked", "default", ""],
    "readOnlyRootFilesystem": [None, True],
}
_PORTS: list[Any] = [
    None,
    [],
    *([{"containerPort": 8000, "hostPort": port}] for port in (None, 0, 1, 8000, 65535)),
    [{"containerPort": 8000}],
    [{"containerPort": 8000, "hostIP": "127.0.0.1"}],
    [{"containerPort": 8000}, {"containerPort": 8001, "protocol": "UDP", "hostPort": 8001}],
]
_HOSTS: list[Any] = [None, "", "localhost", "127.0.0.1", "::1", "169.254.169.254", "models.example.com", " "]
_HANDLERS: list[Any] = [
    *({"httpGet": {"port": 8000, "path": "/health", "host": host}} for host in _HOSTS),
    *({"tcpSocket": {"port": 8000, "host": host}} for host in _HOSTS),
    {"exec": {"command": ["true"]}},
    {"httpGet": None},
]
_SYSCTLS: list[Any] = [
    None,
    [],
    *(
        [{"name": name, "value": "1"}]
        for name in (
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.tcp_syncookies",
            "net.ipv4.ping_group_range",
            "net.ipv4.ip_unprivileged_port_start",
            "net.ipv4.ip_local_reserved_ports",
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
            "net.ipv4.tcp_rmem",
            "net.ipv4.tcp_wmem",
            "net.ipv4.tcp_mem",
            "net.ipv6.tcp_rmem",
            "net.ipv4.ip_forward",
            "net.core.somaxconn",
            "net/ipv4/tcp_syncookies",
            "NET.ipv4.tcp_syncookies",
            "kernel.msgmax",
            "kernel.shm*",
            "",
        )
    ),
    [{"name": "net.ipv4.tcp_rmem", "value": "1 2 3"}, {"name": "kernel.sem", "value": "1"}],
]
_SOURCES: dict[str, Any] = {
    "awsElasticBlockStore": {"volumeID": "vol-1"},
    "azureDisk": {"diskName": "d", "diskURI": "https://example.com/d"},
    "azureFile": {"secretName": "s", "shareName": "f"},
    "cephfs": {"monitors": ["10.0.0.1:6789"]},
    "cinder": {"volumeID": "v"},
    "configMap": {"name": "c"},
    "csi": {"driver": "inline.storage.kubernetes.io"},
    "downwardAPI": {"items": []},
    "emptyDir": {},
    "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {}}}},
    "fc": {"targetWWNs": ["1"], "lun": 0},
    "flexVolume": {"driver": "example.com/driver"},
    "flocker": {"datasetName": "d"},
    "gcePersistentDisk": {"pdName": "p"},
    "gitRepo": {"repository": "https://example.com/r.git"},
    "glusterfs": {"endpoints": "e", "path": "p"},
    "hostPath": {"path": "/dev/shm"},
    "image": {"reference": "registry.internal/models/llama:1", "pullPolicy": "Always"},
    "iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2001-04.com.example:s", "lun": 0},
    "nfs": {"server": "10.0.0.1", "path": "/models"},
    "persistentVolumeClaim": {"claimName": "models"},
    "photonPersistentDisk": {"pdID": "p"},
    "portworxVolume": {"volumeID": "v"},
    "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]},
    "quobyte": {"registry": "r", "volume": "v"},
    "rbd": {"monitors": ["10.0.0.1:6789"], "image": "i"},
    "scaleIO": {"gateway": "https://example.com", "system": "s", "secretRef": {"name": "s"}, "volumeName": "v"},
    "secret": {"secretName": "s"},
    "storageos": {"volumeName": "v"},
    "vsphereVolume": {"volumePath": "[d] v"},
}
_VOLUMES: list[Any] = [
    None,
    [],
    [{"name": "none"}],
    *([{"name": "data", source: value}] for source, value in _SOURCES.items()),
    *([{"name": "data", source: None}] for source in ("hostPath", "emptyDir")),
    [{"name": "data", "hostPath": {"path": "/", "type": "Directory"}, "emptyDir": {}}],
    [{"name": "a", "emptyDir": {"medium": "Memory"}}, {"name": "b", "hostPath": {"path": "/data"}}],
    [{"name": "a", "emptyDir": {}}, {"name": "b", "nfs": {"server": "s", "path": "/"}}, {"name": "c", "secret": {}}],
]
_ANNOTATIONS: list[Any] = [
    None,
    {},
    *(
        {f"container.apparmor.security.beta.kubernetes.io/{container}": profile}
        for container in ("containers-0", "initContainers-0", "gone", "")
        for profile in (
            "runtime/default",
            "localhost/train",
            "localhost/",
            "localhost",
            "unconfined",
            "",
            "RuntimeDefault",
        )
    ),
    {"container.apparmor.security.beta.kubernetes.io": "unconfined"},
    {"example.com/container.apparmor.security.beta.kubernetes.io": "unconfined"},
    {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"},
]
_OF_PODS: dict[tuple[str | int, ...], list[Any]] = {
    ("metadata", "annotations"): _ANNOTATIONS,
    ("spec", "hostIPC"): [None, False, True],
    ("spec", "hostNetwork"): [None, False, True],
    ("spec", "hostPID"): [None, False, True],
    ("spec", "hostUsers"): [None, False, True],
    ("spec", "os"): [None, {"name": "linux"}, {"name": "windows"}, {"name": "Windows"}, {"name": ""}],
    (*_POD_CONTEXT, "sysctls"): _SYSCTLS,
    ("spec", "volumes"): _VOLUMES,
    **{(*_POD_CONTEXT, field): values for field, values in _BOTH.items()},
    _POD_CONTEXT: [None, {}],
}
_SURROUNDINGS: list[list[Change]] = [
    [],
    [(("spec", "os"), {"name": "windows"})],
    [(("spec", "hostUsers"), False)],
    [(("spec", "hostUsers"), True)],
    [(_POD_CONTEXT, {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost", "localhostProfile": "p.json"}})],
]
"""What changes how other fields count."""


def each_value() -> Iterator[Object]:
    """Every value at every place, in each of the surroundings."""
    for base in (compliant(), silent()):
        for surroundings in _SURROUNDINGS:
            for place, values in {**_OF_PODS, **_of_containers()}.items():
                for value in values:
                    yield changed(base, [*surroundings, (place, value)])


def mixtures(count: int, *, seed: int) -> Iterator[Object]:
    """`count` pods with several values each, the same ones for the same seed."""
    draw = random.Random(seed)
    places = list({**_OF_PODS, **_of_containers()}.items())
    safe = _values_of(compliant(), [place for place, _ in places])
    for _ in range(count):
        base = draw.choice((compliant(), compliant(), silent()))
        changes: list[Change] = list(draw.choice(_SURROUNDINGS))
        for place, values in draw.sample(places, draw.choice((1, 2, 2, 3, 5, 8))):
            # Otherwise hardly any pod of several values would comply with anything.
            changes.append((place, safe[place] if draw.random() < 0.4 else draw.choice(values)))
        pod = changed(base, changes)
        if draw.random() < 0.3:
            for kind in draw.sample(_CONTAINERS, draw.choice((1, 2))):
                pod["spec"][kind] = [] if kind != "containers" else pod["spec"][kind] * 2
        yield pod


def compliant() -> Object:
    """A pod that complies with level restricted."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "train", "namespace": "research"},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            **{kind: [_container(f"{kind}-0", context)] for kind in _CONTAINERS},
        },
    }


def silent() -> Object:
    """A pod that says nothing about security."""
    pod = compliant()
    del pod["spec"]["securityContext"]
    for kind in _CONTAINERS:
        del pod["spec"][kind][0]["securityContext"]
    return pod


def changed(base: Object, changes: Sequence[Change]) -> Object:
    """A copy of the pod with each value put where it belongs."""
    pod = copy.deepcopy(base)
    for place, value in changes:
        part: Any = pod
        *parents, last = place
        for token in parents:
            if isinstance(part, dict) and part.get(str(token)) is None:
                part[token] = {}
            part = part[token]
        part[last] = copy.deepcopy(value)
    return pod


def _container(name: str, context: Object) -> Object:
    return {"name": name, "image": "registry.internal/train:1", "securityContext": copy.deepcopy(context)}


def _of_containers() -> dict[tuple[str | int, ...], list[Any]]:
    """By place: the values of each field of the first container of each kind."""
    found: dict[tuple[str | int, ...], list[Any]] = {}
    for kind in _CONTAINERS:
        container = ("spec", kind, 0)
        for field, values in (_BOTH | _OF_CONTAINERS).items():
            found[*container, "securityContext", field] = values
        found[*container, "securityContext"] = [None, {}]
        found[*container, "ports"] = _PORTS
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            found[*container, probe] = [None, *_HANDLERS]
        for hook in ("postStart", "preStop"):
            found[*container, "lifecycle", hook] = [None, *_HANDLERS]
        found[*container, "lifecycle"] = [None, {}]
    return found


def _values_of(pod: Object, places: Sequence[tuple[str | int, ...]]) -> dict[tuple[str | int, ...], Any]:
    found = {}
    for place in places:
        part: Any = pod
        for token in place:
            part = part[token] if isinstance(token, int) else (part or {}).get(token)
        found[place] = part
    return found
