"""Public images that can be made of Debian packages where no registry answers.

Each stands in for the official image of the same name: same commands, same user, same paths.
"""

from __future__ import annotations

from dataclasses import dataclass

REDIS_USER = 999  # of the official images; manifests name it in runAsUser

PYTHON = """\
FROM scratch
ADD root.tar /
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \\
    && ln -s /usr/bin/python3 /usr/local/bin/python3 \\
    && ln -s /usr/bin/python3 /usr/local/bin/python \\
    && ln -s /usr/bin/pip3 /usr/local/bin/pip
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["python3"]
"""

SERVER = """\
FROM scratch
ADD root.tar /
COPY server /usr/local/bin/{server}
COPY docker-entrypoint.sh /usr/local/bin/
RUN chmod 755 /usr/local/bin/* && mkdir -p /data && chown {user}:{user} /data
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin SERVER={server}
USER {user}:{user}
WORKDIR /data
VOLUME /data
EXPOSE 6379
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["{server}"]
"""


@dataclass(frozen=True)
class Substitute:
    """How to make an image that a public one of `version` can be replaced by."""

    version: str
    packages: tuple[str, ...]
    containerfile: str


def _server(version: str, package: str) -> Substitute:
    text = SERVER.replace("{server}", package).replace("{user}", str(REDIS_USER))
    return Substitute(version, (package,), text)


SUBSTITUTES = {
    "docker.io/library/python": Substitute(
        "3.13", ("python3", "python3-venv", "python3-pip", "ca-certificates"), PYTHON
    ),
    "docker.io/library/redis": _server("8.0", "redis-server"),
    "docker.io/valkey/valkey": _server("8.1", "valkey-server"),
}


def substitute(reference: str) -> Substitute | None:
    """What replaces `reference` (`docker.io/library/redis:8`), None when nothing does."""
    repository, _, tag = reference.rpartition(":")
    found = SUBSTITUTES.get(repository)
    if found is None:
        return None
    wanted = tag.partition("-")[0]
    fits = found.version == wanted or found.version.startswith(f"{wanted}.")
    return found if fits else None
