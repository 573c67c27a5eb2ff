"""Fixtures that many tests share: the packaged sample, imported and built once for all processes of a session."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from filelock import FileLock

from recsys.bundle.store import load_bundle
from recsys.dataset import sample
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.ranking.recommender import Recommender
from recsys.storage.database import Database
from recsys.training.build import build
from style.provenance.content_credentials import SigningIdentity
from tests.servers import postgres_database, postgres_server, redis_server

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def sample_project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with the whole sample, built; each process of pytest-xdist has its own copy of it."""
    # Under pytest-xdist the parent of each process's folder belongs to the whole session.
    parallel = hasattr(request.config, "workerinput")
    shared = tmp_path_factory.getbasetemp().parent if parallel else tmp_path_factory.mktemp("sample")
    built = shared / "built-sample"
    with FileLock(shared / "built-sample.lock"):
        if not built.is_dir():
            build_sample(shared / "sample-in-progress").root.rename(built)
    return Project.open(Path(shutil.copytree(built, tmp_path_factory.mktemp("sample") / "shop")))


def build_sample(folder: Path) -> Project:
    """Import the packaged sample into a new project in `folder`, and build it."""
    project = Project.init(folder, "sample")
    import_data(project, items=sample.items_file(), interactions=sample.interactions_file(), users=sample.users_file())
    project.styles.mkdir()
    shutil.copy(sample.styles_file(), project.styles)
    shutil.copytree(sample.sample_folder() / "styles", project.styles / "styles")
    build(project)
    return project


@pytest.fixture(scope="session")
def recommender(sample_project: Project) -> Recommender:
    """The recommender of the sample's bundle."""
    return Recommender(load_bundle(sample_project.bundles, sample_project.root))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; tests that ask for it are marked `realdata`."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return REAL_DATA


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres_url(_postgres_server: str) -> Iterator[str]:
    """The URL of an empty database on a real PostgreSQL server."""
    with postgres_database(_postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def redis_url(_redis_server: str) -> Iterator[str]:
    """The URL of a real Redis server that holds nothing."""
    yield _redis_server
    with redis.Redis.from_url(_redis_server) as client:
        client.flushall()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'live.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database of live data, of each kind."""
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def signing_identity() -> SigningIdentity:
    """A shop's certificate, issued by an authority that nobody trusts."""
    pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("Authority", "Shop")}

    def named(name: str) -> x509.Name:
        attributes = {x509.NameOID.COMMON_NAME: name, x509.NameOID.ORGANIZATION_NAME: "Test"}
        return x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes.items()])

    def issued(name: str, *, authority: bool) -> bytes:
        usages = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
        usages += ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
        wanted = ("key_cert_sign", "crl_sign") if authority else ("digital_signature",)
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("Authority"))
            .public_key(keys[name].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**{usage: usage in wanted for usage in usages}), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[name].public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(keys["Authority"].public_key()), critical=False
            )
        )
        if not authority:
            purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purpose, critical=False)
        return builder.sign(keys["Authority"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    key = keys["Shop"].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningIdentity(issued("Shop", authority=False) + issued("Authority", authority=True), key)
