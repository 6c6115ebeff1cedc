"""The engine: the only way to a Decision. Every door calls `Engine.decide`.

A decision goes through these steps, numbered again in `decide`:

1. match the bindings against the subject;
2. gather the facts that the matched policies need;
3. group the policies into documents, so that each sees only what it needs;
4. evaluate the documents, or take the evaluations from the cache;
5. apply waivers to what failed;
6. combine the evaluations into an outcome.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from pratique.binding import Binding
from pratique.cache import DecisionCache
from pratique.canonical import canonical_json, compact_json
from pratique.configuration import Configuration
from pratique.decision import (
    Decision,
    Door,
    Enforcement,
    Evaluation,
    Finding,
    Patch,
    Result,
    SubjectRef,
    combine,
)
from pratique.document import object_document, subject_document
from pratique.errors import EvaluationError, InputError, PatchError, RuleError
from pratique.evaluator import Evaluator, PolicyResult
from pratique.expression_facts import ExpressionSource
from pratique.facts import Fact, FactSource, Known, Unavailable, facts_document, gather_facts
from pratique.fields import Reads, fields_named_in, union
from pratique.kinds import NOTHING_KNOWN, Context, subject_of
from pratique.matching import MatchInputs
from pratique.mutation import (
    MAX_ROUNDS,
    Draft,
    Mutation,
    Proposal,
    UpdateScope,
    completed,
    endless,
    finding_of,
    made_by_controller,
)
from pratique.policy import PolicySet
from pratique.subject import GroupVersionKind, ImageRef, Resource, Subject, Workload
from pratique.uuid7 import uuid7
from pratique.waiver import Waiver, raised, written_time

_FACTS = "facts."
_IDENTITY = "identity"

BUILT_IN_FACTS: Mapping[str, FactSource] = {ExpressionSource.name: ExpressionSource()}
"""Sources that every Engine has, at every door: they need nothing but the subject."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants to do what with a subject. `old` is the object as it was, where there was one."""

    operation: str = "CREATE"
    subresource: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    dry_run: bool = False
    old: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Document:
    """Bindings whose policies are given one and the same input, which holds what any of them needs (ADR 20).

    `policies` are theirs, each once: bindings of one policy with equal parameters share its answer. `reads` are the
    fields of pods and containers in the input, None for all.
    """

    bindings: tuple[Binding, ...]
    policies: tuple[str, ...]
    needs: frozenset[str]
    parameters: Mapping[str, Any]
    reads: Reads | None

    @classmethod
    def of(cls, bindings: Sequence[Binding], parameters: Mapping[str, Any]) -> _Document:
        """The document of `bindings`. A field can be named by a parameter too, so those are sent."""
        policies = {binding.policy.name: binding.policy for binding in bindings}
        return cls(
            bindings=tuple(bindings),
            policies=tuple(policies),
            needs=frozenset(need for policy in policies.values() for need in policy.needs),
            parameters=parameters,
            reads=union([fields_named_in(parameters), *(policy.reads for policy in policies.values())]),
        )

    def only(self, bindings: Sequence[Binding]) -> _Document:
        """The document of some of its bindings."""
        return _Document.of(bindings, self.parameters)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the bindings that match come to: documents, and a digest that stands for them and their configuration in
    cache keys."""

    documents: tuple[_Document, ...]
    needs: frozenset[str]
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Context:
    """What one decision is made from, apart from policies and bindings."""

    subject: Subject
    request: Request
    inputs: MatchInputs
    facts: Mapping[str, Mapping[str, Fact]]
    now: datetime
    deadline: float


NamespaceLabels = Callable[[str], Mapping[str, str] | None]
"""The labels of a namespace by name; None where they are not known."""

NamespaceLookup = Callable[[str, float], Awaitable[None]]
"""Asked about a namespace whose labels are not known, with the deadline: one that was just made may be known
afterwards."""


class Engine:
    """One bundle, one configuration and one evaluator, put together; immutable but for its cache.

    A changed bundle or configuration is a new Engine, so that each decision is made with one consistent pair of
    digests.
    """

    def __init__(
        self,
        *,
        policies: PolicySet,
        configuration: Configuration,
        evaluator: Evaluator,
        facts: Mapping[str, FactSource] | None = None,
        namespace_labels: NamespaceLabels | None = None,
        namespace_lookup: NamespaceLookup | None = None,
        cache: DecisionCache | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.policies = policies
        self.configuration = configuration
        self.evaluator = evaluator
        self.cache = cache
        self._facts = {**BUILT_IN_FACTS, **(facts or {})}
        self._namespace_labels = namespace_labels or configuration.namespaces.get
        self._namespace_lookup = namespace_lookup if _labels_matter(configuration) else None
        self._clock = clock
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._passes: dict[tuple[str, Door], Evaluation] = {}

    async def decide(self, subject: Subject, door: Door, *, request: Request, deadline: float) -> Decision:
        """The decision on `subject` at `door`, made by `deadline` (a `time.monotonic()` instant).

        Whatever could not be evaluated is in the decision as such; this does not raise for it.

        Raises:
            InputError: the subject holds what cannot be written as JSON.
        """
        started = time.perf_counter()
        now = self._clock()
        inputs = self.match_inputs(subject, request)
        if self._namespace_lookup is not None and inputs.namespace and inputs.namespace_labels is None:
            await self._namespace_lookup(inputs.namespace, deadline)
            inputs = self.match_inputs(subject, request)
        # 1. match
        matched: list[Binding] = []
        unknown: list[Evaluation] = []
        for binding in self.configuration.candidates(inputs, door):
            result = binding.applies_to(inputs, door)
            if result.state == "yes":
                matched.append(binding)
            elif result.state == "unknown":
                unknown.append(_evaluation(binding, door, Result.NOT_EVALUATED, reason=result.reason))
        evaluations: tuple[Evaluation, ...] = ()
        cached = False
        notes: tuple[str, ...] = ()
        if matched:
            plan = self._plan(matched)
            # 2. facts
            facts = await self._gather(plan, subject, deadline=deadline) if plan.needs else {}
            context = _Context(subject, request, inputs, facts, now, deadline)
            # 3. and 4. documents and evaluation
            evaluations, cached = await self._evaluations(plan, context, door)
            # 5. waivers
            if any(evaluation.result is Result.FAIL for evaluation in evaluations):
                evaluations, notes = await self._waive(evaluations, matched, context)
            evaluations = _with_whole_patches(evaluations, subject)
        if unknown:
            evaluations = tuple(sorted((*evaluations, *unknown), key=lambda evaluation: evaluation.binding))
        # 6. outcome
        return self._decision(
            subject,
            door,
            request,
            inputs,
            now=now,
            started=started,
            evaluations=evaluations,
            cached=cached,
            notes=notes,
        )

    def _decision(
        self,
        subject: Subject,
        door: Door,
        request: Request,
        inputs: MatchInputs,
        *,
        now: datetime,
        started: float,
        evaluations: tuple[Evaluation, ...],
        cached: bool = False,
        notes: tuple[str, ...] = (),
        mutating: bool = False,
    ) -> Decision:
        """The decision that `evaluations` come to, with all that is recorded of how; `started` is of `perf_counter`."""
        return Decision(
            id=str(uuid7(now)),
            time=now,
            door=door,
            subject=reference(subject),
            operation=request.operation,
            subresource=request.subresource,
            user=request.user,
            groups=request.groups,
            dry_run=request.dry_run,
            outcome=combine(evaluations),
            evaluations=evaluations,
            bundle_digest=self.policies.digest,
            configuration_digest=self.configuration.digest,
            engine=self.evaluator.name,
            engine_version=self.evaluator.version,
            cached=cached,
            milliseconds=(time.perf_counter() - started) * 1000,
            match_inputs=inputs,
            notes=notes,
            mutating=mutating,
        )

    def not_evaluated(self, subject: Resource, door: Door, *, request: Request, reason: str) -> Decision:
        """The decision on a subject of which only namespace, name and perhaps kind are known.

        Every binding that might match it is not evaluated, for `reason`. Labels count as selected,
        and a kind that is empty as covered: what is not known never makes a binding pass.
        """
        started = time.perf_counter()
        now = self._clock()
        inputs = self.match_inputs(subject, request)
        evaluations = tuple(
            _evaluation(binding, door, Result.NOT_EVALUATED, reason=reason)
            for binding in self.configuration.bindings
            if _might_apply(binding, inputs, door)
        )
        return self._decision(subject, door, request, inputs, now=now, started=started, evaluations=evaluations)

    async def mutate(
        self,
        subject: Resource,
        door: Door,
        *,
        request: Request,
        deadline: float,
        all_bindings: bool = False,
        around: Context = NOTHING_KNOWN,
    ) -> Mutation:
        """What the bindings with `mutate: true` change of `subject`, by `deadline` as for `decide`.

        With `all_bindings`, what those of all bindings would change whose policies answer: for a person to look at.
        `around` is what `subject` was made with.

        All of it or nothing: where one of them has no answer, or they contradict each other or never come to an end,
        nothing is changed, and the decision says why; it is `undecided` where a binding says `onUndecided: deny`. What
        a controller made is left alone, and so are the parts of an object that an UPDATE does not touch.

        Each round is one round trip to the evaluator; the last one finds nothing to do.
        """
        started = time.perf_counter()
        now = self._clock()
        submitted = subject
        inputs = self.match_inputs(subject, request)
        if self._namespace_lookup is not None and inputs.namespace and inputs.namespace_labels is None:
            await self._namespace_lookup(inputs.namespace, deadline)
            inputs = self.match_inputs(subject, request)
        scope = None
        if request.operation == "UPDATE" and request.old is not None:
            scope = UpdateScope.of(request.old, group=subject.gvk.group, kind=subject.gvk.kind)
        draft = Draft.of(subject.object, scope=scope)
        asked: dict[str, Evaluation] = {}
        problem: PatchError | None = None
        rounds = 0 if made_by_controller(subject.object) else MAX_ROUNDS + 1
        for number in range(rounds):
            context = _Context(subject, request, self.match_inputs(subject, request), {}, now, deadline)
            proposals, evaluations = await self._proposals(context, door, all_bindings=all_bindings)
            asked |= evaluations
            answered = all(evaluation.result is Result.PASS for evaluation in evaluations.values())
            if not answered and not all_bindings:
                break
            try:
                following = draft.with_proposals(proposals)
                if following.object is draft.object:
                    draft = following
                    break
                if number == MAX_ROUNDS:
                    raise endless(following.writers_since(draft))
                draft = following
                subject = _subject_again(draft, submitted, proposals, around)
            except PatchError as error:
                problem = error
                break
        for name in problem.bindings if problem else ():
            asked[name] = replace(_enforced(asked[name]), result=Result.ERROR, reason=str(problem))
        answered = all(evaluation.result is Result.PASS for evaluation in asked.values())
        whole = problem is None and (answered or all_bindings)
        changes = draft.changes if whole else ()
        for name in {change.binding for change in changes}:
            findings = tuple(finding_of(change) for change in changes if change.binding == name)
            if asked[name].result is Result.PASS:
                asked[name] = replace(asked[name], result=Result.MUTATED, findings=findings)
        ordered = tuple(asked[name] for name in sorted(asked))
        decision = self._decision(
            submitted,
            door,
            request,
            inputs,
            now=now,
            started=started,
            evaluations=ordered,
            notes=draft.kept,
            mutating=True,
        )
        if not whole:
            draft = Draft.of(submitted.object)
        return Mutation(decision, draft, changes)

    async def _proposals(
        self, context: _Context, door: Door, *, all_bindings: bool
    ) -> tuple[list[Proposal], dict[str, Evaluation]]:
        """What the bindings want changed of the subject of `context` as it is, and by name what became of each."""
        matched: list[Binding] = []
        evaluations: dict[str, Evaluation] = {}
        for binding in self.configuration.candidates(context.inputs, door):
            if not binding.policy.has_patches or not (binding.mutate or all_bindings):
                continue
            result = binding.applies_to(context.inputs, door)
            if result.state == "unknown":
                evaluations[binding.name] = _enforced(
                    _evaluation(binding, door, Result.NOT_EVALUATED, reason=result.reason)
                )
            elif result.state == "yes" and (raised := self._with_waivers(binding, context)) is not None:
                matched.append(raised)
        documents = _documents(matched)
        if needs := frozenset(need for document in documents for need in document.needs if need.startswith(_FACTS)):
            plan = _Plan(documents, needs, b"")
            context = replace(context, facts=await self._gather(plan, context.subject, deadline=context.deadline))
        asked, unanswerable = _answerable(documents, context)
        for binding, reason in unanswerable:
            evaluations[binding.name] = _enforced(_evaluation(binding, door, Result.ERROR, reason=reason))
        proposals: list[Proposal] = []
        for document, answer in zip(asked, await self._ask(asked, context), strict=True):
            for binding in document.bindings:
                policy, said = binding.policy, answer[binding.policy.name]
                if isinstance(said, EvaluationError):
                    evaluation = _enforced(_evaluation(binding, door, Result.ERROR, reason=str(said)))
                else:
                    evaluation = self._passed(binding, door)
                    proposals += [
                        Proposal(binding.name, policy.name, policy.id, policy.override, patch)
                        for patch in _patches(said)
                    ]
                evaluations[binding.name] = evaluation
        return proposals, evaluations

    def _with_waivers(self, binding: Binding, context: _Context) -> Binding | None:
        """The binding with the parameters that a waiver raises; None where one waives its policy whole."""
        counting = [waiver for waiver in self._waivers_of(binding, context) if not waiver.why_not(context.now)]
        if not all(waiver.parameters for waiver in counting):
            return None
        return replace(binding, parameters=raised(binding.parameters, counting, binding.policy))

    def _waivers_of(self, binding: Binding, context: _Context) -> list[Waiver]:
        """Those meant for this policy on this subject, whether or not they count."""
        policy, images = binding.policy.name, images_of(context.subject)
        return [waiver for waiver in self.configuration.waivers if waiver.covers(policy, context.inputs, images)]

    def match_inputs(self, subject: Subject, request: Request) -> MatchInputs:
        """What bindings are matched against."""
        return match_inputs(subject, request, self._labels)

    def _labels(self, namespace: str) -> Mapping[str, str] | None:
        return self._namespace_labels(namespace) if namespace else None

    def _plan(self, matched: Sequence[Binding]) -> _Plan:
        index = tuple(binding.name for binding in matched)
        plan = self._plans.get(index)
        if plan is None:
            documents = _documents(matched)
            plan = _Plan(
                documents=documents,
                needs=frozenset(need for document in documents for need in document.needs),
                digest=hashlib.sha256(
                    canonical_json([self.policies.digest, self.configuration.digest, index])
                ).digest(),
            )
            if len(self._plans) < _MAX_PLANS:
                self._plans[index] = plan
        return plan

    async def _gather(self, plan: _Plan, subject: Subject, *, deadline: float) -> Mapping[str, Mapping[str, Fact]]:
        names = sorted(need.removeprefix(_FACTS) for need in plan.needs if need.startswith(_FACTS))
        return await gather_facts(self._facts, names, subject, deadline=deadline)

    async def _evaluations(self, plan: _Plan, context: _Context, door: Door) -> tuple[tuple[Evaluation, ...], bool]:
        key = _cache_key(plan, context) if self.cache is not None else None
        if self.cache is None or key is None:
            return await self._evaluate(plan.documents, context, door), False
        evaluated = False

        async def evaluate() -> tuple[Evaluation, ...]:
            nonlocal evaluated
            evaluated = True
            return await self._evaluate(plan.documents, context, door)

        evaluations = await self.cache.get_or_evaluate(
            key + door.encode(), evaluate, deadline=context.deadline, settled=_settled
        )
        return evaluations, not evaluated

    async def _evaluate(self, documents: Sequence[_Document], context: _Context, door: Door) -> tuple[Evaluation, ...]:
        asked, unanswerable = _answerable(documents, context)
        evaluations = [_evaluation(binding, door, Result.ERROR, reason=reason) for binding, reason in unanswerable]
        for document, answer in zip(asked, await self._ask(asked, context), strict=True):
            for binding in document.bindings:
                digests = _fact_digests(binding, context) if context.facts else None
                result = answer[binding.policy.name]
                if isinstance(result, EvaluationError):
                    evaluations.append(_evaluation(binding, door, Result.ERROR, reason=str(result), facts=digests))
                else:
                    findings = _findings(result)
                    if not findings and digests is None:
                        evaluations.append(self._passed(binding, door))
                        continue
                    outcome = Result.FAIL if findings else Result.PASS
                    evaluations.append(_evaluation(binding, door, outcome, findings=findings, facts=digests))
        return tuple(sorted(evaluations, key=lambda evaluation: evaluation.binding))

    def _passed(self, binding: Binding, door: Door) -> Evaluation:
        """That `binding` found nothing: one object for all subjects, since most find nothing and it is always equal."""
        evaluation = self._passes.get((binding.name, door))
        if evaluation is None:
            evaluation = self._passes[binding.name, door] = _evaluation(binding, door, Result.PASS)
        return evaluation

    async def _ask(
        self, documents: Sequence[_Document], context: _Context
    ) -> list[Mapping[str, PolicyResult | EvaluationError]]:
        """What the evaluator says of each policy of each document, or why it said nothing."""
        if not documents:
            return []
        bodies = [_body(document, context) for document in documents]
        try:
            answers = await self._results(bodies, context.deadline)
        except RuleError as error:
            if sum(len(document.policies) for document in documents) == 1:
                return [{documents[0].policies[0]: error}]
            return [await self._ask_each(document, context) for document in documents]
        except EvaluationError as error:
            return [dict.fromkeys(document.policies, error) for document in documents]
        return [dict(answer) for answer in answers]

    async def _ask_each(self, document: _Document, context: _Context) -> Mapping[str, PolicyResult | EvaluationError]:
        """One rule failed: the policies are asked one by one, so that only its own stays without an answer."""
        found: dict[str, PolicyResult | EvaluationError] = {}
        for name, binding in {binding.policy.name: binding for binding in document.bindings}.items():
            try:
                answers = await self._results([_body(document.only([binding]), context)], context.deadline)
                found[name] = answers[0][name]
            except EvaluationError as error:
                found[name] = error
        return found

    async def _results(self, bodies: Sequence[bytes], deadline: float) -> list[Mapping[str, PolicyResult]]:
        results = await self.evaluator.evaluate(bodies, deadline=deadline)
        for result in results:
            if result.bundle_digest != self.policies.digest:
                raise EvaluationError(
                    f"the engine answered for bundle {result.bundle_digest}, but {self.policies.digest} is in force"
                )
        return [result.by_policy for result in results]

    async def _waive(
        self, evaluations: Sequence[Evaluation], matched: Sequence[Binding], context: _Context
    ) -> tuple[tuple[Evaluation, ...], tuple[str, ...]]:
        by_name = {binding.name: binding for binding in matched}
        waived: list[Evaluation] = []
        notes: list[str] = []
        for evaluation in evaluations:
            if evaluation.result is Result.FAIL:
                binding = by_name[evaluation.binding]
                if waivers := await self._waived_by(binding, context, notes):
                    evaluation = replace(
                        evaluation,
                        result=Result.EXEMPT,
                        reason="; ".join(
                            f"waiver {each.name} until {written_time(each.expires)}: {each.reason}" for each in waivers
                        ),
                        waivers=tuple(each.reference for each in waivers),
                    )
            waived.append(evaluation)
        return tuple(waived), tuple(dict.fromkeys(notes))

    async def _waived_by(self, binding: Binding, context: _Context, notes: list[str]) -> Sequence[Waiver]:
        """The waiver that exempts what `binding` found, or those that do so only together. `notes` gets why others that
        are meant for it do not."""
        adding: list[Waiver] = []
        for waiver in self._waivers_of(binding, context):
            if why := waiver.why_not(context.now):
                notes.append(f"waiver {waiver.name} does not count: {why}")
            elif waiver.adds(binding.policy):
                adding.append(waiver)
            elif await self._are_enough(binding, [waiver], context):
                return [waiver]
            else:
                notes.append(_TOO_LITTLE.format(waiver.name))
        if not adding or not await self._are_enough(binding, adding, context):
            notes += [_TOO_LITTLE.format(waiver.name) for waiver in adding]
            return []
        for waiver in tuple(adding):
            others = [each for each in adding if each is not waiver]
            if others and await self._are_enough(binding, others, context):
                adding = others
        return adding

    async def _are_enough(self, binding: Binding, waivers: Sequence[Waiver], context: _Context) -> bool:
        """Whether nothing is left to find under the parameters that the waivers raise."""
        if not all(waiver.parameters for waiver in waivers):
            return True
        binding = replace(binding, parameters=raised(binding.parameters, waivers, binding.policy))
        document = _Document.of((binding,), binding.parameters)
        (answer,) = await self._ask([document], context)
        result = answer[binding.policy.name]
        return isinstance(result, PolicyResult) and not result.violations


_TOO_LITTLE: Final = "waiver {} raises the limit, but not as far as is asked for"


def match_inputs(subject: Subject, request: Request, labels_of: NamespaceLabels) -> MatchInputs:
    """What bindings and waivers are matched against."""
    if not isinstance(subject, Resource):
        return MatchInputs(
            "", "", subject.type, subject.namespace, "", labels_of(subject.namespace), {},
            request.operation, request.subresource, request.user, request.groups,
        )  # fmt: skip
    namespace, labels = subject.namespace, labels_of(subject.namespace)
    if subject.gvk.kind == "Namespace" and not subject.gvk.group:
        namespace, labels = subject.identity.name, subject.labels
    return MatchInputs(
        group=subject.gvk.group,
        kind=subject.gvk.kind,
        type=subject.type,
        namespace=namespace,
        name=subject.identity.name,
        namespace_labels=labels,
        labels=subject.labels,
        operation=request.operation,
        subresource=request.subresource,
        user=request.user,
        groups=request.groups,
        being_deleted=subject.being_deleted,
        inferred=isinstance(subject, Workload) and subject.inferred,
    )


def images_of(subject: Subject) -> tuple[ImageRef, ...]:
    return subject.content.images if isinstance(subject, Workload) else ()


def _labels_matter(configuration: Configuration) -> bool:
    """Whether anything depends on the labels of namespaces."""
    return any(
        binding.match.namespace_selector is not None or "namespace" in binding.policy.needs
        for binding in configuration.bindings
    ) or any(waiver.match.namespace_selector is not None for waiver in configuration.waivers)


_MAX_PLANS = 4096
"""Protects the plans from users and namespaces that make every combination of bindings."""


def reference(subject: Subject) -> SubjectRef:
    """The subject as records name it."""
    if not isinstance(subject, Resource):
        return SubjectRef("", "", "ModelCall", subject.namespace, "", "", subject.digest)
    gvk: GroupVersionKind = subject.gvk
    identity = subject.identity
    name = identity.name or (f"{identity.generate_name}*" if identity.generate_name else "")
    return SubjectRef(gvk.group, gvk.version, gvk.kind, subject.namespace, name, identity.uid, subject.digest)


def _might_apply(binding: Binding, inputs: MatchInputs, door: Door) -> bool:
    """Whether `binding` would apply if what is not known of the subject were as the binding wants it."""
    if binding.enforcement[door] is Enforcement.OFF:
        return False
    types = {inputs.type} if inputs.kind else {Workload.type, Resource.type}
    if types.isdisjoint(binding.policy.subjects):
        return False
    match = replace(binding.match, selector=None, kinds=binding.match.kinds if inputs.kind else ())
    return match.matches(inputs).state != "no"


def _documents(bindings: Sequence[Binding]) -> tuple[_Document, ...]:
    """The fewest documents in which no parameter has two values.

    Policies that need no identity get no document in which there is one. What else they need, or read of pods and
    containers, does not part them: the gate has made sure that each reads only what it declares, and a further
    document costs more than some fields.
    """
    groups: list[tuple[bool, dict[str, Any], list[Binding]]] = []
    for binding in bindings:
        identity = _IDENTITY in binding.policy.needs
        for group_identity, parameters, members in groups:
            if group_identity == identity and all(
                name not in parameters or parameters[name] == value for name, value in binding.parameters.items()
            ):
                parameters.update(binding.parameters)
                members.append(binding)
                break
        else:
            groups.append((identity, dict(binding.parameters), [binding]))
    return tuple(_Document.of(members, parameters) for _, parameters, members in groups)


def _answerable(documents: Sequence[_Document], context: _Context) -> tuple[list[_Document], list[tuple[Binding, str]]]:
    """The documents without the bindings whose policies cannot be run, and those with the reason."""
    asked: list[_Document] = []
    unanswerable: list[tuple[Binding, str]] = []
    for document in documents:
        reasons = {need: reason for need in document.needs if (reason := _missing(need, context))}
        if not reasons:
            asked.append(document)
            continue
        kept: list[Binding] = []
        for binding in document.bindings:
            missing = sorted(need for need in binding.policy.needs if need in reasons)
            if missing:
                unanswerable.append((binding, reasons[missing[0]]))
            else:
                kept.append(binding)
        if kept:
            asked.append(document.only(kept))
    return asked, unanswerable


def _missing(need: str, context: _Context) -> str:
    """Why what is needed is not there; empty if it is."""
    if need == "namespace" and context.inputs.namespace and context.inputs.namespace_labels is None:
        return f"the labels of namespace {context.inputs.namespace} are not known"
    if need.startswith(_FACTS):
        for fact in context.facts[need.removeprefix(_FACTS)].values():
            if isinstance(fact, Unavailable):
                return fact.reason
    return ""


def _body(document: _Document, context: _Context) -> bytes:
    """The input document as bytes: what is read of the subject, the parameters, and what `needs` names; nothing else.

    `policies` comes first, where an evaluator finds it without parsing the rest.
    """
    subject, needs = context.subject, document.needs
    identity = _IDENTITY in needs
    body: dict[str, Any] = {
        "policies": document.policies,
        "subject": subject_document(subject, identity=identity, reads=document.reads),
        "parameters": document.parameters,
    }
    if "user" in needs:
        body["user"] = {"name": context.request.user, "groups": context.request.groups}
    if "old" in needs and context.request.old is not None:
        body["old"] = context.request.old
    if "object" in needs and isinstance(subject, Resource):
        body["object"] = object_document(subject, identity=identity)
    if "namespace" in needs and context.inputs.namespace:
        body["namespace"] = {"name": context.inputs.namespace, "labels": context.inputs.namespace_labels}
    if "now" in needs:
        body["now"] = f"{context.now:%Y-%m-%dT%H:%M:%SZ}"
    sources = [need.removeprefix(_FACTS) for need in needs if need.startswith(_FACTS)]
    if sources:
        body["facts"] = {source: facts_document(context.facts[source]) for source in sources}
    return compact_json(body)


def _cache_key(plan: _Plan, context: _Context) -> bytes | None:
    """What the evaluations are a function of, as one digest; None where they depend on the clock."""
    if not plan.needs:
        return plan.digest + context.subject.key
    if "now" in plan.needs:
        return None
    parts: list[Any] = [plan.digest.hex(), context.subject.key.hex()]
    if _IDENTITY in plan.needs:
        parts.append(context.subject.digest)
    if "user" in plan.needs:
        parts.append([context.request.user, context.request.groups])
    if "old" in plan.needs:
        parts.append(context.request.old)
    if "namespace" in plan.needs:
        parts.append([context.inputs.namespace, context.inputs.namespace_labels])
    for source, facts in sorted(context.facts.items()):
        parts.append([source, [[key, _fact_key(fact)] for key, fact in sorted(facts.items())]])
    return hashlib.sha256(canonical_json(parts)).digest()


def _fact_key(fact: Fact) -> list[str]:
    return ["known", fact.digest] if isinstance(fact, Known) else [type(fact).__name__, fact.reason]


def _settled(evaluations: Sequence[Evaluation]) -> bool:
    """Whether the evaluations are worth keeping: an error is a matter of the moment."""
    return all(evaluation.result in (Result.PASS, Result.FAIL) for evaluation in evaluations)


def _fact_digests(binding: Binding, context: _Context) -> Mapping[str, str] | None:
    digests = {
        f"{source}:{key}": fact.digest
        for source, facts in context.facts.items()
        if f"{_FACTS}{source}" in binding.policy.needs
        for key, fact in facts.items()
        if isinstance(fact, Known)
    }
    return digests or None


def _findings(result: PolicyResult) -> tuple[Finding, ...]:
    """The violations in a stable order; a patch goes with the violations at or above its path, or with the first
    one."""
    if not result.violations:
        return ()
    ordered = sorted({(violation["path"], violation["message"]) for violation in result.violations})
    patches = _patches(result)
    taken: set[int] = set()
    findings = []
    for position, (path, message) in enumerate(ordered):
        mine = [
            index
            for index, patch in enumerate(patches)
            if index not in taken and (patch.path == path or patch.path.startswith(f"{path}/"))
        ]
        if position == len(ordered) - 1:
            mine = [index for index in range(len(patches)) if index in mine or index not in taken]
        taken.update(mine)
        findings.append(Finding(message, path, tuple(patches[index] for index in mine)))
    return tuple(findings)


def _patches(result: PolicyResult) -> list[Patch]:
    """What the policy would change, in a stable order."""
    patches = [Patch(patch["op"], patch["path"], patch.get("value")) for patch in result.patches]
    return sorted(patches, key=lambda patch: (patch.path, patch.op, canonical_json(patch.value)))


def _with_whole_patches(evaluations: tuple[Evaluation, ...], subject: Subject) -> tuple[Evaluation, ...]:
    """The evaluations with patches that apply to this very object: what is kept in the cache is of all that are like
    it, and says nothing of labels that only this one has."""
    if not isinstance(subject, Resource):
        return evaluations
    return tuple(
        replace(evaluation, findings=completed(subject.object, evaluation.findings))
        if any(finding.patches for finding in evaluation.findings)
        else evaluation
        for evaluation in evaluations
    )


def _enforced(evaluation: Evaluation) -> Evaluation:
    """The evaluation of a binding that changes the object: whether what it finds denies or warns says nothing about
    that, so `onUndecided` alone decides what becomes of it without an answer."""
    if evaluation.on_undecided is not Enforcement.DENY:
        return evaluation
    return replace(evaluation, enforcement=Enforcement.DENY)


def _subject_again(draft: Draft, submitted: Resource, proposals: Sequence[Proposal], around: Context) -> Resource:
    """The Subject of what was changed.

    Raises:
        PatchError: it is no object that can be judged any more.
    """
    try:
        return subject_of(draft.object, namespace=submitted.namespace, context=around)
    except InputError as error:
        names = tuple(sorted({proposal.binding for proposal in proposals}))
        raise PatchError(f"the object cannot be read once {', '.join(names)} changed it: {error}", names) from error


def _evaluation(
    binding: Binding,
    door: Door,
    result: Result,
    *,
    reason: str = "",
    findings: tuple[Finding, ...] = (),
    facts: Mapping[str, str] | None = None,
) -> Evaluation:
    policy = binding.policy
    return Evaluation(
        binding=binding.name,
        policy=policy.name,
        policy_id=policy.id,
        title=policy.title,
        severity=policy.severity,
        remediation=policy.remediation,
        result=result,
        enforcement=binding.enforcement[door],
        on_undecided=binding.on_undecided[door],
        reason=reason,
        findings=findings,
        facts=facts,
    )
