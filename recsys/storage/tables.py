"""The tables of live data: what arrives while the service runs, and must survive a crash.

Ids are the callers' own strings. Times are seconds since 1970 UTC. `seq` numbers count writes of one table upwards in
the order in which they became visible, so that "all after seq n" never misses one.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

# Constraints need names for a migration to alter them.
METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(512)
KEY = String(128)
# SQLite counts up only in columns that it calls INTEGER.
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

EVENTS = Table(
    "events",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("event_id", KEY, nullable=False, unique=True),
    Column("user_id", ID, nullable=False),
    Column("item_id", ID, nullable=False),
    Column("event", String(16), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    # What a purchase was worth, or how many seconds a view took.
    Column("amount", Float),
    Column("dwell_s", Float),
    # Which answer it came from, and where it stood there: how events join to exposures.
    Column("request_id", String(64)),
    Column("position", Integer),
    Column("received_at", BigInteger, nullable=False),
    # Of the visit: what experiments on sessions assign.
    Column("session_id", ID),
    Index(None, "user_id", "seq"),
    Index(None, "request_id"),
    sqlite_autoincrement=True,
)

ITEMS = Table(
    "items",
    METADATA,
    Column("item_id", ID, primary_key=True),
    Column("seq", BigInteger, nullable=False, unique=True),
    Column("deleted", Boolean, nullable=False),
    Column("title", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("price", Float),
    Column("available", Boolean, nullable=False),
    # A path as in the catalog; "" without a picture. Its style vector: 128 float32, little-endian.
    Column("image", Text, nullable=False),
    Column("vector", LargeBinary),
    Column("embedder", String(128)),
    Column("changed_at", BigInteger, nullable=False),
)

TASTES = Table(
    "tastes",
    METADATA,
    Column("user_id", ID, primary_key=True),
    # A JSON list of style ids; "[]" where nothing was chosen.
    Column("styles", Text, nullable=False),
    Column("strength", Float),
    # Events up to this one no longer say anything of the taste; NULL where it was never reset.
    Column("reset_seq", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("feedback_id", KEY, nullable=False, unique=True),
    Column("user_id", ID, nullable=False),
    Column("item_id", ID, nullable=False),
    # What was shown: which style (an arm's name), how strongly, and how probable that choice was.
    Column("arm", String(640), nullable=False),
    Column("strength", Float, nullable=False),
    Column("propensity", Float, nullable=False),
    Column("satisfied", Boolean, nullable=False),
    Column("request_id", String(64)),
    Column("model_version", String(64), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Index(None, "user_id", "seq"),
    sqlite_autoincrement=True,
)

EXPOSURES = Table(
    "exposures",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False),
    # NULL for a session without an account.
    Column("user_id", ID),
    Column("timestamp", BigInteger, nullable=False),
    Column("model_version", String(64), nullable=False),
    # JSON lists, in the order shown: item ids, how probable each was in its place, and what its picture was (or null).
    Column("items", Text, nullable=False),
    Column("propensities", Text, nullable=False),
    Column("pictures", Text, nullable=False),
    # A JSON object: experiment to arm; "{}" outside of experiments.
    Column("arms", Text, nullable=False),
    # Of the visit; where the list was shown, and the one category that it was limited to. NULL where unknown.
    Column("session_id", ID),
    Column("platform", ID),
    Column("category", Text),
    # A JSON object: experiment to the probability of its arm; NULL outside of experiments.
    Column("arm_propensities", Text),
    Index(None, "request_id"),
    Index(None, "user_id"),
    sqlite_autoincrement=True,
)

RENDERS = Table(
    "renders",
    METADATA,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    # Whose taste the picture went toward, and which item's it was; NULL for nobody's, and for a caller's own photo.
    Column("user_id", ID),
    Column("item_id", ID),
    # The style reference and its license; "" for a taste, an item's look or words.
    Column("style_id", ID, nullable=False),
    Column("license", Text, nullable=False),
    Column("engine", String(128), nullable=False),
    Column("strength", Float, nullable=False),
    # Of the file, hexadecimal.
    Column("sha256", String(64), nullable=False),
    Index(None, "user_id"),
    sqlite_autoincrement=True,
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("name", String(64), primary_key=True),
    # SHA-256 of a random key of 256 bits, which needs no salt.
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    # Separated by spaces.
    Column("scopes", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    # SHA-256 of who asked and the Idempotency-Key; of the request itself.
    Column("key", LargeBinary(32), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    # 0 while the first request is still at work.
    Column("status", Integer, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("body", LargeBinary, nullable=False),
    # Whose data the answer may hold, so that erasure finds it.
    Column("user_id", ID),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "user_id"),
    Index(None, "created_at"),
)

ERASURES = Table(
    "erasures",
    METADATA,
    # SHA-256 of the id of a person whose data are still to be taken out of tables and bundles on disk.
    Column("user_hash", LargeBinary(32), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)
