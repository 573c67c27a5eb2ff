"""Check that the databases of live data can be reached, without changing anything in them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from recsys.errors import ConfigError, DataError, MissingExtraError

TIMEOUT_S = 5
_WRONG_URL = "storage.database: not a URL of SQLite or PostgreSQL"


def check_database(url: str) -> str:
    """Describe the server at a database URL, without its password.

    Raises:
        ConfigError: the URL is wrong.
        DataError: there is no answer.
        MissingExtraError: the driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            # Opening the file would create it, or upgrade its schema: describe it only.
            file = Path(parsed.database or "")
            if not file.name:
                raise ConfigError("storage.database: a database in memory ends with its process: name a file")
            return f"SQLite, {file}" if file.is_file() else f"SQLite, {file}, which the service creates"
        if parsed.get_backend_name() != "postgresql":
            raise ConfigError(_WRONG_URL)
        engine = create_engine(parsed, connect_args={"connect_timeout": TIMEOUT_S})
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "postgres") from None
    except (ArgumentError, NoSuchModuleError):
        # Without the error's message, which repeats the URL and its password.
        raise ConfigError(_WRONG_URL) from None
    where = f"{parsed.host}:{parsed.port or 5432}, database {parsed.database}"
    try:
        with engine.connect() as connection:
            version = connection.execute(text("SHOW server_version")).scalar_one()
    except SQLAlchemyError as error:
        raise DataError(
            f"storage.database: no usable answer at {where} ({type(error).__name__}): start the server, and "
            "check host, user and password"
        ) from None
    finally:
        engine.dispose()
    return f"PostgreSQL {version} at {where}"


def check_redis(url: str) -> str:
    """Describe the server at a Redis URL, without its password.

    Raises:
        ConfigError: the URL is wrong.
        DataError: there is no answer.
        MissingExtraError: the client is not installed.
    """
    try:
        import redis
    except ModuleNotFoundError:
        raise MissingExtraError("redis", "redis") from None
    try:
        client = redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    except ValueError:
        raise ConfigError("storage.redis: not a URL like redis://host:6379/0") from None
    address = client.connection_pool.connection_kwargs
    where = f"{address.get('host', address.get('path', 'localhost'))}:{address.get('port', 6379)}"
    try:
        version = client.info("server")["redis_version"]
    except redis.RedisError as error:
        raise DataError(
            f"storage.redis: no usable answer at {where} ({type(error).__name__}): start the server, and check "
            "host and password"
        ) from None
    finally:
        client.close()
    return f"Redis {version} at {where}"
