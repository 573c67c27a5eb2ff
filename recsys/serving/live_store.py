"""Live store: the stores of a project's database, opened and closed together."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from recsys.clock import now
from recsys.dataset.project import ALIASES_FILE, Project
from recsys.schema import OLD_ID, USER_ID
from recsys.serving.user_requests import UserRequests
from recsys.storage.database import Database
from recsys.storage.live.events import EventStore
from recsys.storage.live.exposures import ExposureLog
from recsys.storage.live.feedback import FeedbackStore
from recsys.storage.live.idempotency import IdempotencyStore
from recsys.storage.live.items import ItemStore
from recsys.storage.live.keys import KeyStore
from recsys.storage.live.merges import MergeStore
from recsys.storage.live.renders import RenderLog
from recsys.storage.live.tastes import TasteStore
from recsys.storage.live.user_state import UserStates


@dataclass(frozen=True, slots=True)
class LiveStore:
    """Live data of a project. Threads may share it; each process opens its own."""

    project: Project
    database: Database
    events: EventStore
    exposures: ExposureLog
    items: ItemStore
    tastes: TasteStore
    ratings: FeedbackStore
    renders: RenderLog
    keys: KeyStore
    merges: MergeStore
    answers: IdempotencyStore
    states: UserStates
    user_requests: UserRequests

    @classmethod
    def open(cls, project: Project) -> LiveStore:
        """Open the project's database, or create it.

        Raises:
            ConfigError: The URL is wrong.
            MissingExtraError: The driver is not installed.
            StorageError: The database cannot be opened.
        """
        database = Database.open(project.database_url)
        events = EventStore(database)
        live = cls(
            project=project,
            database=database,
            events=events,
            exposures=ExposureLog(database),
            items=ItemStore(database),
            tastes=TasteStore(database),
            ratings=FeedbackStore(database),
            renders=RenderLog(database),
            keys=KeyStore(database),
            merges=MergeStore(database),
            answers=IdempotencyStore(database),
            states=UserStates(database),
            user_requests=UserRequests(events, project.settings.events, project.settings.taste),
        )
        live.adopt_aliases()
        return live

    def adopt_aliases(self) -> None:
        """Merge the visitors and users that were imported as aliases since the last call."""
        if (self.project.data / ALIASES_FILE).exists():
            aliases = self.project.load_aliases()
            self.merges.adopt(dict(zip(aliases[OLD_ID], aliases[USER_ID], strict=True)), now())

    def __enter__(self) -> LiveStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write waiting exposures, then close the connections."""
        self.exposures.close()
        self.database.close()
