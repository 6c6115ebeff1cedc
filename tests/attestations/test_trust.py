"""Who may sign: patterns, keys, signers, and the document that names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from attestations.public_keys import read_pem_key
from attestations.trust import (
    MAX_PATTERN_CHARACTERS,
    PUBLIC_GOOD,
    LogUse,
    Pattern,
    PatternKind,
    Signer,
    TrustConfiguration,
    TrustedIdentity,
    TrustedKey,
    TrustRoot,
    exact,
    public_good,
    trust_from_document,
)
from pratique.errors import ConfigError, InputError
from tests.support.signatures import Key, keys_of
from tests.support.sigstore_root import Instance, der_key, pem_of

KEY = Key(name="release")
OTHER = Key(name="backup")


def glob(text: str) -> Pattern:
    return Pattern(PatternKind.GLOB, text)


def regexp(text: str) -> Pattern:
    return Pattern(PatternKind.REGEXP, text)


# patterns


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        (exact("a@b.c"), ["a@b.c"], ["xa@b.c", "a@b.cx", "a@bxc", "A@b.c", "a@b.c\n", ""]),
        (
            glob("https://ci/acme/*"),
            ["https://ci/acme/", "https://ci/acme/x/y"],
            ["https://ci/acme", "x https://ci/acme/"],
        ),
        (glob("*@acme.com"), ["ada@acme.com"], ["ada@acme.com.evil.org", "ada@acmexcom"]),
        (glob("a?c*e"), ["abce", "abc-e", "abcee"], ["ace", "abc", "abced"]),
        (glob("[ab].c"), ["[ab].c"], ["a.c", "[ab]xc"]),
        (regexp("https://ci/(acme|ajax)/.*"), ["https://ci/ajax/x"], ["xhttps://ci/ajax/x", "https://ci/other/x"]),
        (regexp("a|b"), ["a", "b"], ["ab", "xa", "bx", "a\n", "\na", ""]),
        (regexp("^a$"), ["a"], ["xa", "a\n"]),
        (regexp("(?i)ADA@acme"), ["ada@ACME"], ["ada@acme.com"]),
        (regexp("(?m)a"), ["a"], ["a\nb", "b\na"]),
    ],
)
def test_a_pattern_is_about_the_whole(pattern: Pattern, matches: list[str], others: list[str]) -> None:
    assert [text for text in matches if not pattern.matches(text)] == []
    assert [text for text in others if pattern.matches(text)] == []


@given(st.text(alphabet="ab*?.", min_size=1, max_size=12), st.text(alphabet="ab.", max_size=12))
def test_a_glob_is_what_it_would_be_as_an_expression(pattern: str, text: str) -> None:
    expected = re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None
    assert glob(pattern).matches(text) == expected


@given(
    st.recursive(
        st.sampled_from(["a", "b", ".", "[ab]", "[^a]"]),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map("|".join).map("(?:{})".format),
            inner.map("(?:{})*".format),
            inner.map("(?:{})?".format),
        ),
        max_leaves=6,
    ),
    st.text(alphabet="abc", max_size=8),
)
def test_an_expression_is_what_fullmatch_makes_of_it(pattern: str, text: str) -> None:
    assert regexp(pattern).matches(text) == (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize(
    "text",
    ["(", "a)|(b", r"(a)\1", "(?=a)a", "(?x)a #", "(a{1000}){1000}", "*", "(" * 500 + ")" * 500],
)
def test_what_is_no_expression_or_may_grow_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a regular expression that can be used"):
        regexp(text)


def test_an_expression_that_makes_others_blow_up_is_answered() -> None:
    assert not regexp("((a+)+)+").matches("a" * 4000 + "!")
    assert not glob("*a" * 400).matches("a" * 399 + "b" * 3000)


@pytest.mark.parametrize("kind", list(PatternKind))
def test_a_pattern_has_a_length(kind: PatternKind) -> None:
    for text in ("", "a" * (MAX_PATTERN_CHARACTERS + 1)):
        with pytest.raises(InputError, match="a pattern has from 1 to 1024 characters"):
            Pattern(kind, text)


@pytest.mark.parametrize(
    "issuer",
    [
        *(glob("*"), glob("?*"), glob("https://*"), glob("http*://*"), glob("https://*/*"), glob("*.*")),
        *(regexp(".*"), regexp(".+"), regexp("(a|.)*"), regexp("https?://.*"), regexp("https://[^/]+(/.*)?")),
    ],
    ids=lambda issuer: issuer.text,
)
def test_an_issuer_is_named(issuer: Pattern) -> None:
    with pytest.raises(InputError, match="matches every issuer"):
        TrustedIdentity(exact("ada@acme.com"), issuer)


@pytest.mark.parametrize(
    "identity",
    [glob("*"), glob("*@*"), glob("https://*"), regexp(".*"), regexp("https://.+"), regexp(".*@.*|a")],
    ids=lambda identity: identity.text,
)
def test_whom_the_public_instance_knows_is_named(identity: Pattern) -> None:
    """Of an instance of one's own, everybody may be whom it knows."""
    assert TrustedIdentity(identity, exact("https://issuer"), "private").matches(
        "https://ada@acme.com", "https://issuer"
    )
    with pytest.raises(InputError, match="the pattern of the identity matches everybody"):
        TrustedIdentity(identity, exact("https://issuer"))


def test_an_identity_is_one_with_its_issuer() -> None:
    trusted = TrustedIdentity(glob("*@acme.com"), exact("https://issuer"))
    assert trusted.matches("ada@acme.com", "https://issuer")
    assert not trusted.matches("ada@acme.com", "https://other")
    assert not trusted.matches("ada@other.com", "https://issuer")


# keys


def pem(key: Any) -> str:
    return pem_of(der_key(key.public_key()), "PUBLIC KEY").decode()


ONE_BIT_RSA = (  # a SubjectPublicKeyInfo whose modulus is 1
    bytes.fromhex("301b300d06092a864886f70d01010105000 30a003007020101020103".replace(" ", ""))
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pem(rsa.generate_private_key(65537, 1024)), "the RSA key has 1024 bits; from 2048 to 8192 are taken"),  # noqa: S505 - that is the test
        (pem_of(ONE_BIT_RSA, "PUBLIC KEY").decode(), "not a public key that can be used"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "neither ECDSA on P-256, P-384 or P-521, nor Ed25519, nor RSA"),
        (pem(X25519PrivateKey.generate()), "neither ECDSA"),
        ("hello", "write PEM that begins with BEGIN PUBLIC KEY"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key"),
        ("a" * 20_000, "at most 16384 characters"),
        (
            Ed25519PrivateKey.generate()
            .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            .decode(),
            "this is a private key",
        ),
    ],
)
def test_a_key_that_is_not_taken(text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_pem_key(text)


# signers


def test_a_threshold_can_be_met() -> None:
    for threshold in (0, 3):
        with pytest.raises(InputError, match=f"platform needs {threshold} signatures and has 2 different keys and"):
            keys_of(KEY, OTHER, threshold=threshold)
    twice = tuple(TrustedIdentity(exact("ada@acme.com"), exact("https://issuer"), root) for root in ("a", "b"))
    assert Signer("ada", 1, identities=twice).identities == twice
    with pytest.raises(InputError, match="ada needs 2 signatures and has 1 different keys and identities"):
        Signer("ada", 2, identities=twice)


def test_one_key_is_not_two() -> None:
    with pytest.raises(InputError, match="one key twice"):
        keys_of(KEY, TrustedKey("under another name", KEY.public), threshold=2)
    point = KEY.public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    header = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    compressed = read_pem_key(pem_of(header + point, "PUBLIC KEY").decode())
    with pytest.raises(InputError, match="one key twice"):
        keys_of(KEY, TrustedKey("in another encoding", compressed), threshold=2)


def test_names_are_unique_and_roots_exist(instance: Instance) -> None:
    identity = TrustedIdentity(exact("ada@acme.com"), exact("https://issuer"), "elsewhere")
    with pytest.raises(InputError, match="there are two signers named platform"):
        TrustConfiguration((keys_of(KEY), keys_of(OTHER)))
    with pytest.raises(InputError, match="there are two trust roots named a"):
        TrustConfiguration((), (TrustRoot("a", instance.root()), TrustRoot("a", instance.root(logs=False))))
    with pytest.raises(InputError, match="refers to the trust root elsewhere"):
        TrustConfiguration((Signer("ci", identities=(identity,)),))


def test_the_public_root_is_there_until_another_takes_its_place(instance: Instance) -> None:
    assert TrustConfiguration(()).all_roots == {PUBLIC_GOOD: public_good()}
    mine = TrustRoot(PUBLIC_GOOD, instance.root())
    assert TrustConfiguration((), (mine,)).all_roots == {PUBLIC_GOOD: mine}


# the digest


def test_the_digest_is_over_all_that_is_trusted_and_nothing_else(instance: Instance) -> None:
    identity = TrustedIdentity(exact("ada@acme.com"), exact("https://issuer"))
    when = datetime(2026, 1, 1, tzinfo=UTC)
    base = (keys_of(KEY, OTHER), Signer("ci", identities=(identity,)))
    configurations = [
        TrustConfiguration(base),
        TrustConfiguration(()),
        TrustConfiguration((keys_of(KEY), base[1])),
        TrustConfiguration((keys_of(KEY, OTHER, threshold=2), base[1])),
        TrustConfiguration((keys_of(KEY, OTHER, name="other"), base[1])),
        *(
            TrustConfiguration((keys_of(KEY.trusted(**change), OTHER), base[1]))
            for change in ({"start": when}, {"end": when}, {"revoked": True}, {"log": LogUse.REQUIRED})
        ),
        TrustConfiguration(
            (base[0], Signer("ci", identities=(TrustedIdentity(glob("ada@acme.com"), exact("https://issuer")),)))
        ),
        TrustConfiguration(
            (base[0], Signer("ci", identities=(TrustedIdentity(exact("ada@acme.com"), exact("https://other")),)))
        ),
        TrustConfiguration(base, (TrustRoot("private", instance.root()),)),
        TrustConfiguration(base, (TrustRoot(PUBLIC_GOOD, instance.root()),)),
    ]
    digests = [configuration.digest for configuration in configurations]
    assert len(set(digests)) == len(digests)
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in digests)
    assert TrustConfiguration((base[1], keys_of(OTHER, KEY))).digest == digests[0]


# the document


def read(document: Any, files: Mapping[str, bytes] | None = None) -> TrustConfiguration:
    def content(name: str) -> bytes:
        if name not in (files or {}):
            raise FileNotFoundError(2, "No such file or directory", name)
        return dict(files or {})[name]

    return trust_from_document(document, file="trust.yaml", read_file=content, where=("spec",))


def test_a_document_says_all_of_it(instance: Instance) -> None:
    document = {
        "signers": [
            {
                "name": "platform",
                "threshold": 2,
                "keys": [
                    {
                        "name": "release",
                        "pem": KEY.pem,
                        "validFrom": "2026-01-01T00:00:00Z",
                        "validUntil": "2027-01-01T01:00:00+01:00",
                        "log": "required",
                    },
                    {"name": "backup", "file": "backup.pub", "revoked": True},
                ],
                "identities": [
                    {"identityGlob": "*@acme.com", "issuerRegexp": "https://(a|b)", "trustRoot": "private"},
                    {"identity": "ada@acme.com", "issuer": "https://a"},
                    {"identityRegexp": "a.", "issuerGlob": "https://*.acme.com"},
                ],
            }
        ],
        "trustRoots": [{"name": "private", "file": "root.json"}],
    }
    files = {"backup.pub": OTHER.pem.encode(), "root.json": instance.root()}
    assert read(document, files) == TrustConfiguration(
        (
            Signer(
                "platform",
                2,
                (
                    TrustedKey(
                        "release",
                        KEY.public,
                        datetime(2026, 1, 1, tzinfo=UTC),
                        datetime(2027, 1, 1, tzinfo=UTC),
                        False,
                        LogUse.REQUIRED,
                    ),
                    TrustedKey("backup", OTHER.public, revoked=True),
                ),
                (
                    TrustedIdentity(glob("*@acme.com"), regexp("https://(a|b)"), "private"),
                    TrustedIdentity(exact("ada@acme.com"), exact("https://a"), PUBLIC_GOOD),
                    TrustedIdentity(regexp("a."), glob("https://*.acme.com"), PUBLIC_GOOD),
                ),
            ),
        ),
        (TrustRoot("private", instance.root()),),
    )


def signer(**parts: Any) -> dict[str, Any]:
    return {"signers": [{"name": "platform", **parts}]}


@pytest.mark.parametrize(
    ("document", "where", "message"),
    [
        ([], "/spec", "is not of type"),
        ({}, "/spec", '"signers" is a required property'),
        (signer(), "/spec/signers/0", "platform needs 1 signatures and has 0"),
        (signer(keys=[{"name": "a"}]), "/spec/signers/0/keys/0", "is not valid under"),
        (
            signer(keys=[{"name": "a", "pem": "x", "file": "y"}]),
            "/spec/signers/0/keys/0",
            "is valid under more than one",
        ),
        (signer(keys=[{"name": "a", "pem": "x"}]), "/spec/signers/0/keys/0/pem", "this is not a public key"),
        (signer(keys=[{"name": "a", "file": "y"}]), "/spec/signers/0/keys/0/file", "y cannot be read: No such file"),
        (signer(keys=[{"name": "a", "pem": KEY.pem, "expires": "x"}]), "/spec/signers/0/keys/0", "'expires'"),
        (
            signer(keys=[{"name": "a", "pem": KEY.pem, "validFrom": "soon"}]),
            "/spec/signers/0/keys/0/validFrom",
            "date-time",
        ),
        (
            signer(
                keys=[
                    {
                        "name": "a",
                        "pem": KEY.pem,
                        "validFrom": "2026-01-02T00:00:00Z",
                        "validUntil": "2026-01-01T00:00:00Z",
                    }
                ]
            ),
            "/spec/signers/0/keys/0/validUntil",
            "never be good",
        ),
        (signer(identities=[{"identity": "a"}]), "/spec/signers/0/identities/0", "is not valid under"),
        (
            signer(identities=[{"identity": "a", "identityGlob": "b", "issuer": "c"}]),
            "/spec/signers/0/identities/0",
            "more than one",
        ),
        (
            signer(identities=[{"identityRegexp": "(", "issuer": "c"}]),
            "/spec/signers/0/identities/0",
            "not a regular expression",
        ),
        (signer(identities=[{"identity": "a", "issuerGlob": "*"}]), "/spec/signers/0/identities/0", "every issuer"),
        (
            signer(identities=[{"identity": "a", "issuer": "c", "trustRoot": "b"}]),
            "/spec",
            "refers to the trust root b",
        ),
        (
            {"signers": [], "trustRoots": [{"name": "a", "file": "bad.json"}]},
            "/spec/trustRoots/0/file",
            "the trust root cannot be read",
        ),
    ],
)
def test_what_is_wrong_in_a_document_is_named(document: Any, where: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(document, {"bad.json": b"{"})
    problem = raised.value.problems[0]
    assert (problem.file, problem.where) == ("trust.yaml", where)
    assert message in problem.message


def test_all_that_is_wrong_is_told_at_once() -> None:
    keys = [{"name": "a", "pem": "x"}, {"name": "b", "file": "y"}]
    with pytest.raises(ConfigError) as raised:
        read({"signers": [{"name": "a", "keys": keys}, {"name": "b"}]})
    assert [problem.where for problem in raised.value.problems] == [
        "/spec/signers/0/keys/0/pem",
        "/spec/signers/0/keys/1/file",
        "/spec/signers/1",
    ]
