"""Scenes with something between the worker and its server, or with more than one server."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import redis
from redis.crc import key_slot

from tests.connections.proxy import VanishingProxy
from tests.connections.scene import Scene
from tests.support import scratch, waiting
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer
from tests.support.redis_tls import NAME, listen_with_tls, make_certificates
from tests.support.workers import STREAM, WorkerProcess, Workers

USER, PASSWORD, NEW_PASSWORD = "worker", "s3cret-first", "s3cret-second"
SLOT = key_slot(STREAM.encode())
REPEAT_SECONDS = 0.05


class Proxied(Scene):
    """The worker reaches its server through a proxy."""

    def prepare(self) -> None:
        self.proxy = VanishingProxy(self.server.port, seed=1)
        self.proxy.start()
        self._over = threading.Event()

    def settings(self) -> dict[str, Any]:
        return {"endpoints": [f"127.0.0.1:{self.proxy.port}"]}

    def again_and_again(self, action: Callable[[], None]) -> None:
        """From now on, until `stop`."""

        def run() -> None:
            while not self._over.wait(REPEAT_SECONDS):
                action()

        threading.Thread(target=run, daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def __exit__(self, *_: object) -> None:
        self.stop()
        super().__exit__()
        self.proxy.stop()


class WithUser(Scene):
    """The worker has a name and a password, in files."""

    def prepare(self) -> None:
        self.secret = scratch.directory("secret")
        self.tell(PASSWORD)
        with self.client() as client:
            rule = ("on", f">{PASSWORD}", "~*", "&*", "+@all")
            client.execute_command("ACL", "SETUSER", USER, *rule)

    def tell(self, password: str) -> None:
        (self.secret / "username").write_text(USER)
        (self.secret / "password").write_text(password)

    def rule(self, *words: str) -> None:
        """Change the user, whose connections then end."""
        self.redis.execute_command("ACL", "SETUSER", USER, *words)
        self.redis.client_kill_filter(user=USER)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "credentialsDir": str(self.secret)}

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        shutil.rmtree(self.secret)


class WithTls(Scene):
    """The worker speaks TLS, and trusts the CA of each certificate that the server ever has."""

    def prepare(self) -> None:
        self.home = scratch.directory("tls")
        self.certificates = {}
        for name, days in (("good", 30), ("expired", -1), ("renewed", 30)):
            (self.home / name).mkdir()
            self.certificates[name] = make_certificates(self.home / name, days=days)
        self.trusted = self.home / "ca.crt"
        authorities = [files["ca.crt"].read_text() for files in self.certificates.values()]
        self.trusted.write_text("".join(authorities))
        self.endpoint = listen_with_tls(
            self.server, self.certificates["good"], tls_auth_clients="no"
        )

    def show(self, name: str) -> None:
        """The server's certificate from now on."""
        files = self.certificates[name]
        self.redis.config_set(
            *("tls-cert-file", str(files["tls.crt"])),
            *("tls-key-file", str(files["tls.key"])),
            *("tls-ca-cert-file", str(files["ca.crt"])),
        )
        self.kill_connections()

    def settings(self) -> dict[str, Any]:
        tls = {"caFile": str(self.trusted), "serverName": NAME}
        return {"endpoints": [self.endpoint], "tls": tls}

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        shutil.rmtree(self.home)


class Named(Proxied):
    """The server has a name, which the worker looks up in a file of its own."""

    HOST = "redis.headrace.test"

    def prepare(self) -> None:
        super().prepare()
        descriptor, path = tempfile.mkstemp(prefix="headrace-hosts-")
        os.close(descriptor)
        self.hosts = Path(path)
        self.name("127.0.0.1")

    def name(self, address: str) -> None:
        """The address behind the name from now on."""
        self.hosts.write_text(f"127.0.0.1 localhost\n{address} {self.HOST}\n")

    def settings(self) -> dict[str, Any]:
        return {"endpoints": [f"{self.HOST}:{self.proxy.port}"]}

    def launch(self, workers: Workers) -> WorkerProcess:
        """In a mount namespace, where /etc/hosts is ours."""
        mounted = f'mount --bind {self.hosts} /etc/hosts && exec "$@"'
        return workers.start(within=["unshare", "--mount", "sh", "-c", mounted, "sh"])

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.hosts.unlink()


class OneNode(Scene):
    """A Cluster of one node, which has all slots."""

    def options(self) -> list[str]:
        return [
            *super().options(),
            *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
            *("--cluster-node-timeout", "1500"),
        ]

    def prepare(self) -> None:
        with self.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            _until_served(client)

    def settings(self) -> dict[str, Any]:
        return {"mode": "Cluster", **super().settings()}


class TwoNodes(OneNode):
    """A Cluster of two nodes; the stream's slot may move to the second one."""

    def __enter__(self) -> Self:
        self.other = RedisServer(self.server.kind, *OneNode.options(self))
        return super().__enter__()

    def prepare(self) -> None:
        self.other.start()
        with self.client() as first, redis.Redis(port=self.other.port) as second:
            first.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 1)
            second.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 2)
            first.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
            second.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
            bus = self.other.options[self.other.options.index("--cluster-port") + 1]
            first.execute_command("CLUSTER", "MEET", "127.0.0.1", self.other.port, bus)
            _until_served(first)
            _until_served(second)

    def begin_move(self) -> None:
        """The slot is on its way to the other node."""
        self.source, self.target = self.redis, redis.Redis(port=self.other.port)
        nodes = (self.source, self.target)
        self.ids = [one.execute_command("CLUSTER", "MYID").decode() for one in nodes]
        self.target.execute_command("CLUSTER", "SETSLOT", SLOT, "IMPORTING", self.ids[0])
        self.source.execute_command("CLUSTER", "SETSLOT", SLOT, "MIGRATING", self.ids[1])

    def move_keys(self, *names: str) -> None:
        """These keys; without any, all of the slot."""
        while True:
            found: Any = self.source.execute_command("CLUSTER", "GETKEYSINSLOT", SLOT, 10)
            keys = list(names) or found
            if not keys:
                return
            self.source.execute_command(
                "MIGRATE", "127.0.0.1", self.other.port, "", 0, 30_000, "REPLACE", "KEYS", *keys
            )
            if names:
                return

    def end_move(self) -> None:
        self.move_keys()
        for node in (self.target, self.source):
            node.execute_command("CLUSTER", "SETSLOT", SLOT, "NODE", self.ids[1])
        self.redis = self.target

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.other.stop()


def _until_served(client: redis.Redis) -> None:
    def state() -> bool:
        told: Any = client.execute_command("CLUSTER INFO")
        return bool(told["cluster_state"] == "ok" and told["cluster_slots_assigned"] == "16384")

    waiting.until("a Cluster that serves all slots", state, within=60)
