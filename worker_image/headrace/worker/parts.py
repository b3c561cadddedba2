"""The parts of a worker, and what each is given of the others. Nothing runs yet."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from random import random

from headrace.app import App
from headrace.context import HandlerEnvironment
from headrace.entry import Entry
from headrace.streams import claim
from headrace.streams.commit import Committer
from headrace.worker.config import WorkerSettings
from headrace.worker.group_guard import GroupGuard
from headrace.worker.handling.dispatcher import Dispatcher
from headrace.worker.handling.suspects import Suspects
from headrace.worker.held import Holding
from headrace.worker.intake.claims import Claims
from headrace.worker.intake.deduplication import Deduplication
from headrace.worker.intake.reader import Reader
from headrace.worker.intake.renewals import Renewer
from headrace.worker.intake.room import Room
from headrace.worker.metrics import Metrics
from headrace.worker.own_group import OwnGroup
from headrace.worker.routes import Routes
from headrace.worker.settling.commits import RedisCommits
from headrace.worker.settling.outputs import ClusterCommits
from headrace.worker.settling.replicated import ReplicatedCommits
from headrace.worker.settling.settler import Settler


class Parts:
    """`deliver` takes what is claimed, instead of the handlers."""

    def __init__(
        self,
        settings: WorkerSettings,
        app: App,
        metrics: Metrics,
        *,
        deliver: Callable[[Parts, list[Entry]], None] | None = None,
    ) -> None:
        config, keys, consumer = settings.config, settings.keys, settings.consumer
        self.settings = settings
        self.metrics = metrics
        self.control = settings.connect("control")
        self.read_client = settings.connect("read")
        self.handlers_client = settings.connect_any_slot()
        self.holding = Holding()
        self.routes = Routes(app, settings.handler_timeout, metrics)
        self.env = HandlerEnvironment(
            stream=config.stream,
            group=config.consumer_group,
            consumer=consumer,
            pipeline=config.pipeline,
            redis=self.handlers_client,
            blocking_redis=settings.connect_blocking(),
            outputs={output.stream: output.max_length for output in config.outputs},
        )
        deduplicate = config.delivery.deduplicate
        self.deduplication: Deduplication | None = None
        self.own_group = OwnGroup(self.control, settings)
        self.group = GroupGuard(self.own_group.ensure)
        committer = Committer(keys, consumer, dead_letter_max_length=config.dead_letter.max_length)
        self.commits = self._commits(committer)
        self.settler = Settler(
            self.commits,
            self.holding,
            self.routes.all,
            metrics,
            settings.policy,
            self.group,
            window_ms=round(deduplicate.window.total_seconds() * 1000) if deduplicate else 0,
        )
        self.dispatcher = Dispatcher(
            routes=self.routes,
            settler=self.settler,
            env=self.env,
            policy=settings.policy,
            metrics=metrics,
            concurrency=config.concurrency,
        )
        if deduplicate is not None:
            self.deduplication = Deduplication(
                self.control,
                keys,
                field=deduplicate.field,
                deliver=self.dispatcher.accept,
                duplicate=self.dispatcher.settle_duplicate,
                metrics=metrics,
            )
            self.holding.on_drop = self.deduplication.forget
        room = Room(
            holding=self.holding,
            dispatcher=self.dispatcher,
            settler=self.settler,
            concurrency=config.concurrency,
            batch_size=config.batch_size,
        )
        self.reader = Reader(
            self.read_client,
            keys,
            consumer,
            block_ms=settings.block_ms,
            room=room,
            holding=self.holding,
            dispatcher=self.dispatcher,
            settler=self.settler,
            metrics=metrics,
            group=self.group,
            hand_back_unheld=self._hand_back_unheld,
            deduplication=self.deduplication,
        )
        self.claims = Claims(
            self.control,
            keys,
            consumer,
            holding=self.holding,
            metrics=metrics,
            min_idle=settings.min_idle,
            count=config.reclaim_count,
            room=room,
            deliver=self._deliverer(deliver),
            group=self.group,
            check_groups=lambda: self.own_group.ensure(claim=False),
            rng=random,
        )
        room.on_claimed = self.reader.room_changed
        self.settler.on_room = self._room_changed
        self.settler.on_parked = self.claims.due_in
        self.dispatcher.on_resume = self._room_changed
        self.suspects = Suspects(
            lambda entry: claim.mark_solo(self.control, keys, consumer, entry),
            dispatcher=self.dispatcher,
            settler=self.settler,
            holding=self.holding,
        )
        self.tick = math.inf
        """When the loop last came round; asked from `start` to the end of `stop` alone. An app's
        lifespan may take long on both sides, and may block the loop."""
        self.renewer = Renewer(
            lambda: settings.connect("control"),
            keys,
            consumer,
            holding=self.holding,
            metrics=metrics,
            min_idle=settings.min_idle,
            bound=settings.bound,
            loop_progress=lambda: self.tick,
        )
        self.left_pending: list[Entry] = []
        """What a pass for a Custom group claimed and leaves to the group's own consumers."""

    def _commits(self, committer: Committer) -> RedisCommits | ClusterCommits | ReplicatedCommits:
        settings, control = self.settings, self.control
        commits: RedisCommits | ClusterCommits = RedisCommits(committer, control)
        if settings.is_cluster:
            connect = partial(settings.connect, "control")
            commits = ClusterCommits(committer, control, settings.keys.stream, connect)
        wanted = settings.config.delivery.replicas
        if wanted is None:
            return commits
        return ReplicatedCommits(
            commits,
            control,
            settings.keys,
            settings.consumer,
            wanted=wanted,
        )

    def _room_changed(self) -> None:
        self.reader.room_changed()
        self.claims.room_changed()

    async def _hand_back_unheld(self) -> None:
        await self.claims.hand_back_unheld()

    def _deliverer(
        self, deliver: Callable[[Parts, list[Entry]], None] | None
    ) -> Callable[[list[Entry]], None]:
        if deliver is not None:
            return partial(deliver, self)
        if self.deduplication is not None:
            return self.deduplication.admit_later
        return self.dispatcher.accept
