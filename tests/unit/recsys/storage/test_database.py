from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
import redis
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

import recsys.storage.migrations
from recsys.errors import ConfigError, StorageError
from recsys.storage.database import Database
from recsys.storage.live.feedback import FeedbackStore
from recsys.storage.schema import HEAD
from recsys.storage.tables import EVENTS, METADATA


def event_row(event_id: str = "e1", **changed: object) -> dict[str, object]:
    row = {"event_id": event_id, "user_id": "secret-person", "item_id": "i", "event": "click"}
    return row | {"timestamp": 1, "received_at": 1} | changed


def test_migrations_end_at_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == HEAD


def test_migrations_keep_what_only_sqlite_has(tmp_path: Path) -> None:
    migrated, made = Database.open(f"sqlite:///{tmp_path / 'migrated.db'}"), create_engine("sqlite://")
    METADATA.create_all(made)
    counting = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY name"
    with made.connect() as connection:
        expected = list(connection.execute(text(counting)))
    assert migrated.rows(counting, ()) == expected
    assert len(expected) == 4
    made.dispose()
    migrated.close()


def test_the_newest_migration_is_the_one_that_opening_looks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(recsys.storage.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_database_of_the_first_version_is_brought_up_to_date_with_its_rows(database_url: str) -> None:
    engine, config = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:")), Config()
    config.set_main_option("script_location", str(Path(recsys.storage.migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO events (event_id, user_id, item_id, event, timestamp, received_at) "
                "VALUES ('old', 'u', 'i', 'click', 1, 1)"
            )
        )
    engine.dispose()
    opened = Database.open(database_url)
    assert opened.rows("SELECT event_id, session_id FROM events", ()) == [("old", None)]
    assert opened.rows("SELECT session_id, platform, category, arm_propensities FROM exposures", ()) == []
    opened.close()


def test_an_action_that_was_stored_as_an_arm_is_read_as_an_action(database_url: str) -> None:
    engine, config = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:")), Config()
    config.set_main_option("script_location", str(Path(recsys.storage.migrations.__file__).parent))
    pictures = json.dumps([None, {"arm": 'style:a "arm": b', "strength": 0.3, "propensity": 1.0}])
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(
            text(
                "INSERT INTO feedback (feedback_id, user_id, item_id, arm, strength, propensity, satisfied, "
                "model_version, timestamp) VALUES ('f', 'u', 'i', 'taste', 0.3, 1.0, true, 'v', 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO exposures (request_id, timestamp, model_version, items, propensities, pictures, arms) "
                "VALUES ('r', 1, 'v', '[\"i\", \"j\"]', '[1.0, 1.0]', :pictures, '{}')"
            ),
            {"pictures": pictures},
        )
    engine.dispose()
    opened = Database.open(database_url)
    assert [rating.action for rating in FeedbackStore(opened).user_ratings("u")] == ["taste"]
    ((stored,),) = opened.rows("SELECT pictures FROM exposures", ())
    assert json.loads(stored) == [None, {"action": 'style:a "arm": b', "strength": 0.3, "propensity": 1.0}]
    opened.close()


def test_opening_again_keeps_the_data(database: Database, database_url: str) -> None:
    with database.writing() as connection:
        connection.execute(EVENTS.insert(), event_row())
    again = Database.open(database_url)
    assert again.rows("SELECT count(*) FROM events", ()) == [(1,)]
    again.close()


def test_a_database_of_a_newer_version_is_left_alone(database: Database, database_url: str) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"9999, newer than 0006.*install"):
        Database.open(database_url)


def test_many_processes_may_open_a_new_database_at_once(database_url: str) -> None:
    code = (
        "import sys; from recsys.storage.database import Database; import alembic.command\n"
        "print(flush=True); sys.stdin.readline(); Database.open(sys.argv[1]).close()"
    )
    command = [sys.executable, "-c", code, database_url]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, said = process.communicate()
        assert process.returncode == 0, said
    opened = Database.open(database_url)
    assert set(inspect(opened.engine).get_table_names()) == {*METADATA.tables, "alembic_version"}
    opened.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "live.db",
        "sqlite://",
        "mysql://user:hunter2@host/x",
        "postgresql+asyncpg://u:hunter2@h/x",
        "postgresql://host:port/x",
    ],
)
def test_wrong_urls_are_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"storage\.database") as caught:
        Database.open(url)
    assert "hunter2" not in str(caught.value)


def test_plain_postgres_urls_take_the_driver_there_is(postgres_url: str) -> None:
    for spelling in ("postgres", "postgresql"):
        Database.open(postgres_url.replace("postgresql+psycopg", spelling)).close()


def test_a_server_that_does_not_answer_is_named(postgres_url: str) -> None:
    with pytest.raises(StorageError, match=r"127\.0\.0\.1.*port 1 ") as caught:
        Database.open("postgresql+psycopg://me:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(StorageError, match="password authentication failed"):
        Database.open(postgres_url.replace("recsys:", "recsys:wrong"))


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="File exists"):
        Database.open(f"sqlite:///{tmp_path / 'file' / 'live.db'}")


def test_a_file_that_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "live.db").write_text("something else " * 1_000)
    with pytest.raises(StorageError, match="file is not a database"):
        Database.open(f"sqlite:///{tmp_path / 'live.db'}")
    assert (tmp_path / "live.db").read_text() == "something else " * 1_000


def test_errors_tell_neither_statements_nor_values(database: Database) -> None:
    def twice() -> None:
        with database.writing() as connection:
            connection.execute(EVENTS.insert(), event_row())
            connection.execute(EVENTS.insert(), event_row())

    with pytest.raises(StorageError) as caught:
        twice()
    assert "secret-person" not in str(caught.value)
    assert "INSERT" not in str(caught.value)
    assert caught.value.__suppress_context__
    with pytest.raises(StorageError) as caught:
        database.rows("SELECT nothing FROM events WHERE user_id = ?", ("secret-person",))
    assert "secret-person" not in str(caught.value)
    assert database.rows("SELECT count(*) FROM events", ()) == [(0,)], "both were undone"


def test_errors_of_the_block_stay_what_they_are(database: Database) -> None:
    def stumbling() -> None:
        with database.writing() as connection:
            connection.execute(EVENTS.insert(), event_row())
            Path("/nowhere/at/all").read_text()

    with pytest.raises(FileNotFoundError):
        stumbling()
    assert database.rows("SELECT count(*) FROM events", ()) == [(0,)]


def test_a_reader_sees_one_state(database: Database) -> None:
    with database.reading() as reader:
        assert reader.execute(text("SELECT count(*) FROM events")).scalar() == 0
        with database.writing() as writer:
            writer.execute(EVENTS.insert(), event_row())
        assert reader.execute(text("SELECT count(*) FROM events")).scalar() == 0
    assert database.rows("SELECT count(*) FROM events", ()) == [(1,)]


def test_writers_wait_for_each_other(database: Database, database_url: str) -> None:
    other = Database.open(database_url)
    order = []

    def second() -> None:
        with other.writing() as connection:
            order.append(connection.execute(text("SELECT count(*) FROM events")).scalar())

    with database.writing() as connection:
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        connection.execute(EVENTS.insert(), event_row())
        order.append("first")
    thread.join()
    other.close()
    assert order == ["first", 1]


def test_numbers_are_visible_in_their_order(database: Database, database_url: str) -> None:
    """Whoever has read up to n misses nothing by asking for what came after n."""
    writers, batches = 4, 25

    def write(writer: int) -> None:
        own = Database.open(database_url)
        for batch in range(batches):
            with own.writing() as connection:
                for row in range(3):
                    connection.execute(EVENTS.insert(), event_row(f"{writer}-{batch}-{row}"))
        own.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    done = False
    while not done:
        done = not any(thread.is_alive() for thread in threads)
        with database.reading() as connection:
            query = text("SELECT seq FROM events WHERE seq > :after ORDER BY seq")
            seen += connection.execute(query, {"after": seen[-1] if seen else 0}).scalars()
    assert len(seen) == writers * batches * 3
    assert seen == sorted(set(seen))


def test_quick_rows_survive_a_cut_connection(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    assert database.rows("SELECT 1 + ?", (1,)) == [(2,)]
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    assert database.rows("SELECT 1 + ?", (2,)) == [(3,)]
    with database.writing() as connection:
        connection.execute(EVENTS.insert(), event_row())
    database.close()


def test_a_forked_process_has_to_open_its_own(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'live.db'}")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            database.rows("SELECT 1", ())
        except StorageError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert database.rows("SELECT 1", ()) == [(1,)]
    database.close()


def test_writes_are_flushed_to_the_disk(database: Database) -> None:
    with database.writing() as connection:
        if database.is_sqlite:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
            assert connection.execute(text("PRAGMA secure_delete")).scalar() == 1
        else:
            assert connection.execute(text("SHOW fsync")).scalar() == "on"
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"


def test_redis_holds_nothing(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_redis_holds_nothing_after_another_test(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
