"""Defects that were mended, each put back as it was: the proof would find them again."""

from tests.crash.mutants.mutant import mutant, short
from tests.crash.mutants.safeguards import TOLD
from tests.crash.run import Run

SENDING, READER = "sending.py", "worker/intake/reader.py"
MENDS = [
    mutant(
        "what a slow call holds up is told that it is lost",
        Run(1, "hangs", events=2_000, drain_seconds=25),
        "lost",
        ("worker/handling/slot.py", "        self.entries = batch.running()\n", ""),
        TOLD,
    ),
    mutant(
        "an exception without a text ends the slot that ran it",
        Run(1, "endings", events=1_000, drain_seconds=25),
        "slots",
        (
            "outcomes.py",
            "        return str(thing)\n    except Exception:",
            "        return str(thing)\n    except KeyError:",
        ),
        (
            "worker/handling/endings.py",
            '        except BaseException:\n            reason = f"a {_name(ending)} that',
            "        except (SystemExit, KeyboardInterrupt, GeneratorExit):\n"
            '            reason = f"a {_name(ending)} that',
        ),
        dies_of="exception was never retrieved",
    ),
    mutant(
        "a forked producer keeps its parent's identity",
        short("failover", events=400),
        "produced",
        (
            SENDING,
            "    for producer in list(_PRODUCERS):",
            "    for producer in list(_PRODUCERS)[:0]:",
        ),
    ),
    mutant(
        "an id that is null is sent as the text of nothing",
        short("failover", events=200),
        "event-ids",
        (
            "cli/send.py",
            'if not isinstance(value, str | int) or isinstance(value, bool) or value == "":',
            'if value == "":',
        ),
    ),
    mutant(
        "what is trimmed while its commit is under way counts as done",
        Run(1, "held_commits", events=600, rate=60, fault_pause=0.4, slow=0.5),
        "outputs",
        (
            "worker/settling/settler.py",
            "        if entry.trimmed:\n            self.settle(entry, label, decision)\n"
            "            return True\n        if self.holding.renewing:",
            "        if entry.trimmed:\n            return False\n"
            "        if self.holding.renewing:",
        ),
    ),
    mutant(
        "what was trimmed while it ran is lost at the next renewal",
        Run(1, "in_flight", events=600, rate=60, fault_pause=0.15, slow=0.5),
        "outputs",
        ("worker/intake/renewals.py", " and not e.trimmed}", "}"),
        ("streams/lua/renew.lua", "elseif told[source .. ':' .. id] then", "elseif false then"),
    ),
    mutant(
        "a connection stays with a server that became a replica",
        short("failover"),
        "wedged pending",
        (
            "streams/connection.py",
            "return isinstance(error, gone) or",
            "return isinstance(error, MovedError) and",
        ),
    ),
    mutant(
        "a producer gives up at a failover",
        short("failover", events=400),
        "not-sent",
        (
            "streams/outages.py",
            "PASSING = (BusyLoadingError, ClusterDownError, ReadOnlyError, TryAgainError)",
            "PASSING = (BusyLoadingError,)",
        ),
        # What was the primary says READONLY, and in a Cluster MOVED.
        (SENDING, " or (self._follows and has_moved(error))", ""),
    ),
    mutant(
        "only a reader with room makes a lost group again",
        Run(1, "destroyed_full", events=3_000, drain_seconds=25),
        "wedged pending",
        ("worker/settling/settler.py", "                await self.group.restore()\n", ""),
        ("worker/intake/claims.py", "                await self._group.restore()\n", ""),
    ),
    mutant(
        "a connection with an answer outstanding is used again after a lost group",
        # So many losses under load that one is met by a commit that rides with a read.
        Run(1, "destroyed", events=10_000, slow=0.5, slow_seconds=(0.02,), drain_seconds=25),
        "exits",
        (READER, "import NoPermissionError,", "import NoPermissionError, NoScriptError,"),
        (READER, "except ResponseError:", "except NoScriptError:"),
        (
            READER,
            "        await self._disconnect()\n        self._send_riders_now()",
            '        if "NOGROUP" not in str(error):\n            await self._disconnect()\n'
            "        self._send_riders_now()",
        ),
        dies_of="reader failed",
    ),
    mutant(
        "large payloads are counted and not weighed",
        # Slower than the events come, so that one reply could hold many of them.
        Run(1, "payloads", events=2_500, link=800_000.0, drain_seconds=75),
        "pending memory",
        (
            "streams/connection.py",
            "if self._silence is not None and self.socket_timeout is not None:",
            "if self._silence is not None and self.socket_timeout and not self.received:",
        ),
        (
            "worker/intake/reply_size.py",
            "        most = self._most\n        if self._entry_bytes >= LARGE_BYTES:",
            "        most = MAX_COUNT\n        if self._entry_bytes < 0:",
        ),
    ),
    mutant(
        "a time that cannot be written ends the worker",
        short("endings", slow=0.0),  # a slow one is longer than its handlerTimeout here
        "exits",
        (
            "worker/settling/flush.py",
            "    except Exception:\n        done, decided =",
            "    except KeyError:\n        done, decided =",
        ),
        (
            "outcomes.py",
            "if not 0 <= seconds <= MAX_AFTER_SECONDS or not math.isfinite(seconds):",
            "if seconds < 0:",
        ),
        dies_of="failed: ",
    ),
    mutant(
        "the loop is asked for its progress while a lifespan runs",
        Run(1, "lifespans", events=2_500, drain_seconds=30),
        "livez",
        ("worker/parts.py", "import math\n", "import math\nimport time\n"),
        (
            "worker/parts.py",
            '        self.tick = math.inf\n        """',
            '        self.tick = time.monotonic()\n        """',
        ),
    ),
    mutant(
        "what an output refuses is held until it is written",
        Run(1, "one_output", events=4_000, drain_seconds=25),
        "prompt",
        (
            "worker/settling/settler.py",
            "if (other := instead(entry, decision, verdict.reason)) is not None:",
            "other = instead(entry, decision, verdict.reason)\n"
            "        if other is not None and other.kind not in Kind:",
        ),
    ),
]
