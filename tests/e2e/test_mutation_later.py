"""Defaults that are switched on when there are objects already. In a module of its own: no other webhook is there."""

from __future__ import annotations

from tests.e2e.conftest import Govern, deny_and_warn
from tests.e2e.test_mutation import containers
from tests.e2e.test_mutation import deployment as a_deployment
from tests.e2e.test_mutation import job as a_job
from tests.support import workloads
from tests.support.cluster import Client, Cluster, location
from tests.support.defaults import defaults_on


def test_what_is_there_already_can_still_be_changed(
    cluster: Cluster, admin: Client, govern: Govern, namespace: str
) -> None:
    """Most of a Pod and a Job is immutable: a patch there would have every later change refused."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "old", "namespace": namespace},
        "spec": {"containers": containers()},
    }
    job, deployment = a_job(namespace), a_deployment(namespace)
    for obj in (pod, job, deployment):
        assert admin.create(obj).ok
    with govern(engine="opa", bindings=f"{deny_and_warn()}---\n{defaults_on()}"):
        for obj in (pod, job, deployment):
            before = admin.get(location(obj)).body
            answer = admin.merge(location(obj), {"metadata": {"labels": {"mine": "x"}}})
            assert (answer.status, answer.body["spec"]) == (200, before["spec"])
        paused = admin.merge(location(deployment), {"spec": {"paused": True}})
        assert paused.body["spec"]["template"] == admin.get(location(deployment)).body["spec"]["template"]
        assert "tolerations" not in paused.body["spec"]["template"]["spec"]
        image = {"containers": [containers()[0] | {"image": workloads.image("newer")}]}
        rolled = admin.merge(location(deployment), {"spec": {"template": {"spec": image}}})
        assert rolled.status == 200, rolled.message
        assert "tolerations" in rolled.body["spec"]["template"]["spec"], "it starts new pods anyway"
