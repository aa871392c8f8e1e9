"""A message comes in, is stored, answered and delivered, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from nanobot.errors import StorageError
from nanobot.messages import Effects, ToolResult
from nanobot.specs import ToolDefinition
from nanobot_gateway.channel import Verdict
from nanobot_gateway.locking import AlreadyRunning
from nanobot_testing.lab import call

PROBE = ToolDefinition(
    name="probe",
    description="Wait.",
    parameters={"type": "object", "properties": {}},
    effects=Effects(read_only=True),
)


def test_an_answer(bench: Any) -> None:
    bench.model.says("Hello.")

    async def work(gateway: Any) -> None:
        accepted = await bench.phone.says("hi")
        assert accepted.verdict is Verdict.TURN and accepted.session_key == "phone:u1"
        assert await bench.phone.hears(1) == ["Hello."]
        await gateway.outbox.drained()
        assert not await gateway.store.unfinished() and not await gateway.store.undelivered()
        (sent,) = bench.phone.sent
        row = await gateway.store.delivery(sent.id)
        assert (row.state, row.platform_id) == ("sent", "p1")

    bench.run(work)


def test_the_same_message_twice_is_answered_once(bench: Any) -> None:
    bench.model.says("Once.")

    async def work(gateway: Any) -> None:
        first, second = [await bench.phone.says("hi", id="x") for _ in range(2)]
        assert (first.verdict, second.verdict) == (Verdict.TURN, Verdict.DUPLICATE)
        await gateway.sessions.drained()
        assert await bench.phone.hears(1) == ["Once."]

    bench.run(work)
    assert len(bench.model.requests) == 1


def test_sessions_run_side_by_side_and_each_in_order(bench: Any) -> None:
    for n in range(40):
        bench.model.says(f"answer {n}")

    async def work(gateway: Any) -> None:
        await asyncio.gather(
            *(
                bench.phone.says(f"{n}", user=f"u{n}", chat=f"c{n % 8}", id=f"{n}")
                for n in range(40)
            )
        )
        await gateway.sessions.drained()
        await gateway.outbox.drained()
        chats: dict[str, list[int]] = {}
        for sent in bench.phone.sent:
            chats.setdefault(sent.target.chat, []).append(int(sent.answers))
        assert set(chats) == {f"c{n}" for n in range(8)}
        assert all(order == sorted(order) and len(order) == 5 for order in chats.values())

    bench.run(work)


def test_what_the_same_person_adds_joins_the_turn(bench: Any) -> None:
    class Slow:
        def __init__(self) -> None:
            self.began, self.go = asyncio.Event(), asyncio.Event()

        async def call(self, request: Any, turn: Any) -> ToolResult:
            self.began.set()
            await self.go.wait()
            return ToolResult.ok("done")

    tool = Slow()
    bench.tool({"tools": (PROBE,)}, tool)
    bench.model.calls(call("probe")).says("Both.").says("The other one.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("first", chat="c")
        await tool.began.wait()
        assert (await bench.phone.says("more", chat="c")).verdict is Verdict.JOINED
        await bench.phone.says("somebody else", chat="c", user="u2")
        tool.go.set()
        assert (await bench.phone.hears(3))[1:] == ["Both.", "The other one."]
        await gateway.sessions.drained()
        assert not await gateway.store.unfinished()

    bench.run(work)
    assert "more" in str(bench.model.requests[1].messages)
    assert "somebody else" not in str(bench.model.requests[1].messages)


def test_status_is_answered_while_a_turn_runs(bench: Any) -> None:
    class Slow:
        def __init__(self) -> None:
            self.began, self.go = asyncio.Event(), asyncio.Event()

        async def call(self, request: Any, turn: Any) -> ToolResult:
            self.began.set()
            await self.go.wait()
            return ToolResult.ok("done")

    tool = Slow()
    bench.section["sendToolHints"] = False
    bench.tool({"tools": (PROBE,)}, tool)
    bench.model.calls(call("probe")).says("Done.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("first")
        await tool.began.wait()
        assert (await bench.phone.says("/status")).verdict is Verdict.COMMAND
        (status,) = await bench.phone.hears(1)
        assert "main/m-1" in status
        tool.go.set()
        assert (await bench.phone.hears(2))[1] == "Done."

    bench.run(work)


def test_a_second_gateway_is_refused_with_the_pid_of_the_first(bench: Any) -> None:
    import os

    async def work(gateway: Any) -> None:
        with pytest.raises(AlreadyRunning) as caught:
            async with bench.gateway():
                raise AssertionError("it must not open")
        assert caught.value.pid == os.getpid()
        assert f"pid {os.getpid()}" in str(caught.value) and "config.json" in str(caught.value)

    bench.run(work)


def test_what_can_not_be_stored_is_not_accepted(bench: Any) -> None:
    async def work(gateway: Any) -> None:
        async def full(row: Any) -> bool:
            raise StorageError("the disk is full")

        accept, gateway.store.accept = gateway.store.accept, full
        for _ in range(3):  # the platform delivers it again and again
            with pytest.raises(StorageError):
                await bench.phone.says("hi", id="again")
        (excuse,) = await bench.phone.hears(1)
        assert "the disk is full" in excuse
        gateway.store.accept = accept
        bench.model.says("Here.")
        assert (await bench.phone.says("hi", id="again")).verdict is Verdict.TURN
        assert (await bench.phone.hears(2))[1:] == ["Here."]

    bench.run(work)


def test_stop_ends_the_turn_and_silences_what_waits(bench: Any) -> None:
    class Slow:
        def __init__(self) -> None:
            self.began = asyncio.Event()
            self.ended = False

        async def call(self, request: Any, turn: Any) -> ToolResult:
            self.began.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ended = True
            raise AssertionError

    tool = Slow()
    bench.tool({"tools": (PROBE,)}, tool)
    bench.model.calls(call("probe"))

    async def work(gateway: Any) -> None:
        await bench.phone.says("wait")
        await tool.began.wait()
        second = await bench.phone.says("and this", user="u1")
        assert second.verdict is Verdict.JOINED and second.turn == "m1"
        assert (await bench.phone.says("/stop")).verdict is Verdict.COMMAND
        assert await bench.phone.hears(2) == ["probe", "Stopped 1 task(s)."]
        await gateway.sessions.drained()
        assert tool.ended and not await gateway.store.unfinished()
        await bench.phone.says("/stop")
        assert (await bench.phone.hears(3))[2] == "No active task to stop."

    bench.run(work)
    assert len(bench.model.requests) == 1


def test_stop_ends_a_turn_that_waits_for_the_disk(bench: Any) -> None:
    async def work(gateway: Any) -> None:
        failed = asyncio.Event()

        async def full(*arguments: Any) -> None:
            failed.set()
            raise StorageError("the disk is full")

        bench.model.says("Never said.")
        finish, gateway.store.finish = gateway.store.finish, full
        await bench.phone.says("hi")
        await failed.wait()
        gateway.store.finish = finish
        await bench.phone.says("/stop")
        assert await bench.phone.hears(1) == ["Stopped 1 task(s)."]
        await gateway.sessions.drained()
        assert not await gateway.store.unfinished()

    bench.run(work)


def test_an_interrupted_turn_goes_on_at_the_next_start(bench: Any) -> None:
    """Nobody has to write again."""
    asked = asyncio.Event()

    class Hangs:
        async def stream(self, request: Any) -> Any:
            asked.set()
            await asyncio.Event().wait()
            yield

    model, bench.model = bench.model, Hangs()

    async def dies(gateway: Any) -> None:
        await bench.phone.says("hi")
        await asked.wait()
        await gateway.sessions.abandon()
        assert len(await gateway.store.unfinished()) == 1

    bench.run(dies)
    bench.model = model.says("Back again.")

    async def work(gateway: Any) -> None:
        assert (await bench.phone.hears(2))[1] == "Back again."
        await gateway.sessions.drained()
        assert not await gateway.store.unfinished()

    bench.run(work)


def test_roles(bench: Any) -> None:
    async def work(gateway: Any) -> None:
        await bench.phone.says("/restart")
        assert await bench.phone.hears(1) == ["/restart is for owners only."]

    bench.run(work)


def test_a_restart_is_asked_for_by_its_owner(bench: Any) -> None:
    bench.section["owners"] = ["u1"]
    asked: list[bool] = []

    async def work(gateway: Any) -> None:
        await bench.phone.says("/restart")
        assert await bench.phone.hears(1) == ["Restarting..."]

    bench.run(work, restart=lambda: asked.append(True))
    assert asked == [True]


def test_a_stranger_is_paired(bench: Any) -> None:
    bench.section["allowFrom"] = []
    bench.model.says("Welcome.")

    async def work(gateway: Any) -> None:
        assert (await bench.phone.says("hi")).verdict is Verdict.DENIED
        assert (await bench.phone.says("hi again")).verdict is Verdict.DENIED
        (offer,) = await bench.phone.hears(1)
        (pending,) = gateway.pairing.pending()
        assert pending.code in offer and len(bench.phone.sent) == 1
        gateway.pairing.approve(pending.code)
        assert (await bench.phone.says("hi")).verdict is Verdict.TURN
        assert (await bench.phone.hears(2))[1] == "Welcome."

    bench.run(work)


def test_a_damaged_pairing_file_denies_strangers_and_holds_up_nobody(bench: Any) -> None:
    bench.section["allowFrom"] = ["u1"]
    bench.model.says("Here.")

    async def work(gateway: Any) -> None:
        (bench.folder / "data" / "pairing.json").write_text("{ broken")
        assert (await bench.phone.says("hi", user="stranger")).verdict is Verdict.DENIED
        assert (await bench.phone.says("hi")).verdict is Verdict.TURN
        assert await bench.phone.hears(1) == ["Here."]

    bench.run(work)


def test_what_is_said_while_a_channel_restarts_arrives(bench: Any) -> None:
    from nanobot.admin import load

    release = asyncio.Event()

    class Slow:
        async def call(self, request: Any, turn: Any) -> ToolResult:
            await release.wait()
            return ToolResult.ok("done")

    bench.section["sendToolHints"] = False
    bench.tool({"tools": (PROBE,)}, Slow())
    bench.model.calls(call("probe")).says("Here.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        bench.section["allowFrom"] = ["u1"]
        await gateway.reload(load(bench.write()))
        release.set()
        await gateway.settled()
        assert await bench.phone.hears(1) == ["Here."]

    bench.run(work)


def test_a_delivery_is_tried_again_and_a_final_refusal_is_not(
    bench: Any, delivery_error: Any
) -> None:
    bench.model.says("One.").says("Two.")

    async def work(gateway: Any) -> None:
        bench.phone.failures = [delivery_error("busy", retry_after=0.0)]
        await bench.phone.says("a")
        assert await bench.phone.hears(1) == ["One."]
        bench.phone.failures = [delivery_error("gone", retryable=False)]
        await bench.phone.says("b")
        await gateway.sessions.drained()
        await gateway.outbox.drained()
        assert len(bench.phone.sent) == 1 and gateway.outbox.counts["dead"] == 1

    bench.run(work)


def test_a_changed_section_restarts_only_its_channel(bench: Any) -> None:
    from nanobot.admin import load

    async def work(gateway: Any) -> None:
        first = bench.phone
        assert await gateway.reload(load(bench.write())) == []
        assert bench.phone is first
        bench.section["allowFrom"] = ["u1"]
        assert await gateway.reload(load(bench.write())) == ["phone"]
        await gateway.settled()
        assert bench.phone is not first and first not in gateway.channels._open.values()
        assert (await bench.phone.says("hi", user="u2")).verdict is Verdict.DENIED

    bench.run(work)


def test_a_changed_model_is_asked_from_the_next_turn_on(bench: Any) -> None:
    from nanobot.admin import load

    release = asyncio.Event()

    class Slow:
        async def call(self, request: Any, turn: Any) -> ToolResult:
            await release.wait()
            return ToolResult.ok("done")

    bench.section["sendToolHints"] = False
    bench.tool({"tools": (PROBE,)}, Slow())
    bench.shop.defaults["model"] = "main/m-1"
    bench.model.calls(call("probe")).says("One.").says("Two.")

    async def work(gateway: Any) -> None:
        first = bench.phone
        await bench.phone.says("hi", user="u1")
        bench.shop.defaults["model"] = "main/m-2"
        assert await gateway.reload(load(bench.write())) == ["engine"]
        assert bench.phone is first, "the channel stays connected"
        await bench.phone.says("hi", user="u2")
        assert await bench.phone.hears(1) == ["One."]
        release.set()
        assert sorted(await bench.phone.hears(2)) == ["One.", "Two."]

    bench.run(work)
    assert [request.model for request in bench.model.requests] == ["m-1", "m-2", "m-1"]


def test_a_model_that_can_not_be_used_leaves_everything_as_it_was(bench: Any) -> None:
    from nanobot.admin import load
    from nanobot.errors import NanobotError

    bench.shop.defaults["model"] = "main/m-1"
    bench.model.says("Still here.")

    async def work(gateway: Any) -> None:
        bench.shop.defaults.update(model="x-1", provider="nobody")
        bench.section["allowFrom"] = ["u9"]
        with pytest.raises(NanobotError, match="nobody"):
            await gateway.reload(load(bench.write()))
        await bench.phone.says("hi")
        assert await bench.phone.hears(1) == ["Still here."]

    bench.run(work)


def test_another_workspace_needs_a_restart(bench: Any) -> None:
    from nanobot.admin import load
    from nanobot.errors import ConfigError

    async def work(gateway: Any) -> None:
        bench.shop.defaults["workspace"] = str(bench.folder / "other")
        with pytest.raises(ConfigError, match="can not change while the gateway runs"):
            await gateway.reload(load(bench.write()))

    bench.run(work)


def test_what_holds_for_all_channels_is_applied_or_refused_as_a_whole(bench: Any) -> None:
    from nanobot.admin import load
    from nanobot.errors import ConfigError

    def edited(**common: Any) -> Any:
        path = bench.write()
        document = json.loads(path.read_text())
        document["channels"].update(common)
        path.write_text(json.dumps(document))
        return load(path)

    async def work(gateway: Any) -> None:
        first = bench.phone
        with pytest.raises(ConfigError, match="sendMaxRetries"):
            await gateway.reload(edited(sendMaxRetries=99))
        assert await gateway.reload(edited()) == [] and bench.phone is first
        assert await gateway.reload(edited(sendToolHints=False)) == ["phone"]
        await gateway.settled()
        assert not gateway.channels.manners("phone").hints

    bench.run(work)


def test_several_accounts(bench: Any) -> None:
    bench.model.says("A.")
    bench.section["accounts"] = {"work": {"allowFrom": ["boss"]}}

    async def work(gateway: Any) -> None:
        assert set(gateway.health().parts) == {"channels.phone", "channels.phone.work"}
        home, office = sorted(bench.phones, key=lambda p: p.context.account)
        assert (office.context.account, home.context.account) == ("work", "default")
        assert (await office.says("hi", user="u1")).verdict is Verdict.DENIED
        accepted = await office.says("hi", user="boss")
        assert accepted.session_key == "phone.work:boss"
        await office.until(lambda: any(m.text == "A." for m in office.sent))

    bench.run(work)


def test_a_channel_that_fails_is_told_and_harms_nobody(bench: Any) -> None:
    bench.section["groupAllowFrom"] = ["broken"]

    async def work(gateway: Any) -> None:
        health = gateway.health()
        assert not health.ok and "no route to the platform" in health.parts["channels.phone"]

    bench.run(work)


def test_an_unknown_channel_names_what_to_install(bench: Any) -> None:
    bench.shop.config["channels"] = {}

    async def work(gateway: Any) -> None:
        assert "pip install nanobot-channel-pigeon" in gateway.health().parts["channels.pigeon"]

    write = bench.write

    def with_pigeon() -> Any:
        path = write()
        data = json.loads(path.read_text())
        data["channels"]["pigeon"] = {"enabled": True}
        path.write_text(json.dumps(data))
        return path

    bench.write = with_pigeon
    bench.run(work)
