"""Tables of live data: rows that the service writes, and that must survive a crash.

Ids are the callers' strings. Times are seconds since 1970 UTC. `seq` numbers the writes of one table in the order in
which they became visible, so that "all after seq n" never misses one.
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

# Constraints need names so that a migration can alter them.
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
    # Value of a purchase; seconds of a view.
    Column("amount", Float),
    Column("dwell_s", Float),
    # Request and position of the list that the event came from: they join events to exposures.
    Column("request_id", String(64)),
    Column("position", Integer),
    Column("received_at", BigInteger, nullable=False),
    # Of the visit: the unit of experiments on sessions.
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
    # Path as in the catalog; "" without an image. Its style vector: 128 float32, little-endian.
    Column("image", Text, nullable=False),
    Column("vector", LargeBinary),
    Column("embedder", String(128)),
    Column("changed_at", BigInteger, nullable=False),
    # Fields that a change in part has set, separated by commas; NULL if the item was put as a whole.
    Column("fields", Text),
)

TASTES = Table(
    "tastes",
    METADATA,
    Column("user_id", ID, primary_key=True),
    # JSON list of style ids; "[]" if nothing was chosen.
    Column("styles", Text, nullable=False),
    Column("strength", Float),
    # Events up to this one do not count for the taste; NULL if it was never reset.
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
    # The action shown: style (as a name), strength, and probability of that choice.
    Column("action", String(640), nullable=False),
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
    # NULL for a session without a user id.
    Column("user_id", ID),
    Column("timestamp", BigInteger, nullable=False),
    Column("model_version", String(64), nullable=False),
    # JSON lists, in the order shown: item ids, probability of each at its position, and its image's action (or null).
    Column("items", Text, nullable=False),
    Column("propensities", Text, nullable=False),
    Column("pictures", Text, nullable=False),
    # JSON object: experiment to arm; "{}" outside of experiments.
    Column("arms", Text, nullable=False),
    # Of the visit; where the list was shown; the one category that it was limited to. NULL if unknown.
    Column("session_id", ID),
    Column("platform", ID),
    Column("category", Text),
    # JSON object: experiment to the probability of its arm; NULL outside of experiments.
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
    # User whose taste was the target, and item of the photo; NULL if there was none, or for a caller's own photo.
    Column("user_id", ID),
    Column("item_id", ID),
    # Style reference and its license; "" if the target was a taste, an item's style or words.
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
    # SHA-256 of the caller and the Idempotency-Key; SHA-256 of the request itself.
    Column("key", LargeBinary(32), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    # 0 while the first request is still in progress.
    Column("status", Integer, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("body", LargeBinary, nullable=False),
    # User whose data the answer may hold, so that erasure finds it.
    Column("user_id", ID),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "user_id"),
    Index(None, "created_at"),
)

MERGES = Table(
    "merges",
    METADATA,
    # Id that rows were written under, and the one user id that it belongs to; never itself an old id.
    Column("old_id", ID, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("merged_at", BigInteger, nullable=False),
    Index(None, "user_id"),
)

ERASURES = Table(
    "erasures",
    METADATA,
    # SHA-256 of the id of a user whose data must still be removed from tables and bundles on disk.
    Column("user_hash", LargeBinary(32), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)
